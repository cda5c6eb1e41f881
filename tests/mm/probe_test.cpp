#include "catch.hpp"
#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>

using namespace dirql;
using test::KernelFixture;
using test::status_raised_by;

namespace {

void* at(std::uintptr_t address) { return reinterpret_cast<void*>(address); }

} // namespace

TEST_CASE("the limits of the halves", "[probe]") {
    CHECK(MmUserProbeAddress == ke::halves().system - 0x10000);
    CHECK(MmHighestUserAddress == at(MmUserProbeAddress - 1));
    CHECK(MmSystemRangeStart == at(ke::halves().system));
    CHECK(MmUserProbeAddress >=
          ke::halves().user + ke::slot_size * ke::max_slots - mm::arena_size + mm::Arena::usable); // all arenas
}

TEST_CASE("ProbeForRead looks at range and alignment, and touches nothing", "[probe]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        const auto probe = [](void* address, SIZE_T length, ULONG alignment) {
            return status_raised_by([=] { ProbeForRead(address, length, alignment); });
        };
        void* unmapped = kernel.slot().user_base() + mm::arena_size - 4096;
        CHECK(probe(unmapped, 4096, 1) == STATUS_SUCCESS);
        CHECK(probe(at(0x1000), 8, 8) == STATUS_SUCCESS);
        CHECK(probe(at(0x1004), 8, 8) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(probe(at(0x1004), 8, 4) == STATUS_SUCCESS);
        CHECK(probe(at(0x1001), 8, 16) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(probe(at(MmUserProbeAddress - 8), 8, 8) == STATUS_SUCCESS);
        CHECK(probe(at(MmUserProbeAddress - 8), 9, 8) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(at(MmUserProbeAddress), 1, 1) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(kernel.slot().system_base(), 8, 8) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(at(0x1000), ~SIZE_T{0}, 1) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(at(~std::uintptr_t{0}), 2, 1) == STATUS_ACCESS_VIOLATION); // wraps
        CHECK(probe(kernel.slot().system_base() + 1, 0, 8) == STATUS_SUCCESS); // no bytes, no check
    });
}

TEST_CASE("ProbeForWrite touches each page, and changes none", "[probe]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        const auto probe = [](void* address, SIZE_T length, ULONG alignment) {
            return status_raised_by([=] { ProbeForWrite(address, length, alignment); });
        };
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        REQUIRE(mm::allocate_user_stack(process, 3 * 4096, low, top));
        std::memset(low, 0x5A, 3 * 4096);
        CHECK(probe(low, 3 * 4096, 8) == STATUS_SUCCESS);
        for (int i = 0; i < 3 * 4096; ++i) {
            if (low[i] != std::byte{0x5A}) FAIL("the probe changed a byte");
        }
        CHECK(probe(low - 1, 2, 1) == STATUS_ACCESS_VIOLATION); // the guard page
        CHECK(probe(low - 4096, 4096 * 2, 1) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(low + 1, 8, 8) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(probe(nullptr, 1, 1) == STATUS_ACCESS_VIOLATION);
        CHECK(probe(nullptr, 0, 1) == STATUS_SUCCESS);
        CHECK(probe(kernel.slot().system_base(), 8, 8) == STATUS_ACCESS_VIOLATION);
    });
}

TEST_CASE("a caller's memory is probed and copied by the rules of his mode", "[probe]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 4096));
        std::byte* const system = kernel.slot().system_base() + kernel.slot().physical_pages() * 4096 - 64;
        char text[] = "through the door";
        CHECK(ke::copy_bytes_out(user, text, sizeof text, UserMode) == STATUS_SUCCESS);
        char back[sizeof text] = {};
        CHECK(ke::copy_bytes_in(back, user, sizeof back, UserMode) == STATUS_SUCCESS);
        CHECK(std::strcmp(back, text) == 0);
        CHECK(ke::copy_bytes_in(back, nullptr, 4, UserMode) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::copy_bytes_in(back, system, 4, UserMode) == STATUS_ACCESS_VIOLATION); // mapped, but not the user's
        CHECK(ke::copy_bytes_out(system, text, 4, UserMode) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::copy_bytes_out(system, text, 4, KernelMode) == STATUS_SUCCESS); // the kernel may
        CHECK(ke::copy_bytes_in(back, system, 4, KernelMode) == STATUS_SUCCESS);
        CHECK(std::memcmp(back, text, 4) == 0);
        CHECK(ke::copy_bytes_in(back, nullptr, 0, UserMode) == STATUS_SUCCESS);
        CHECK(ke::copy_bytes_in(back, user, ~std::size_t{0}, UserMode) == STATUS_ACCESS_VIOLATION);
        // The 64 KiB below the system range belong to nobody, for whatever asks.
        CHECK(ke::in_user_range(at(MmUserProbeAddress - 8), 8));
        CHECK(!ke::in_user_range(at(MmUserProbeAddress - 8), 9));
        CHECK(ke::copy_bytes_in(back, at(MmUserProbeAddress), 1, UserMode) == STATUS_ACCESS_VIOLATION);

        ULONG value = 7;
        auto* place = reinterpret_cast<PULONG>(user);
        CHECK(ke::copy_out(place, ULONG{42}, UserMode) == STATUS_SUCCESS);
        CHECK(ke::copy_in(value, place, UserMode) == STATUS_SUCCESS);
        CHECK(value == 42);
        CHECK(ke::copy_in_if_given(value, static_cast<PULONG>(nullptr), UserMode) == STATUS_SUCCESS);
        CHECK(value == 42);
        CHECK(ke::copy_out_if_wanted(static_cast<PULONG>(nullptr), value, UserMode) == STATUS_SUCCESS);
        CHECK(ke::copy_out(static_cast<PULONG>(nullptr), value, UserMode) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::probe_out(place, UserMode) == STATUS_SUCCESS);
        CHECK(*place == 42);
        CHECK(ke::probe_out(reinterpret_cast<PULONG>(system), UserMode) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::probe_out(reinterpret_cast<PULONG>(system), KernelMode) == STATUS_SUCCESS);

        CHECK(ke::probe_user(user + 1, 8, true, 8) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(ke::probe_user(system + 1, 8, true, 8) == STATUS_DATATYPE_MISALIGNMENT); // asked first
        CHECK(ke::probe_user(system, 8, false, 8) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::probe_user(user + 8, 8, true, 8) == STATUS_SUCCESS);
        CHECK(ke::probe_user(user + 4090, 8, true) == ke::probe_user(user + 4096, 1, true)); // the next page counts
        CHECK(ke::probe_user(system + 1, 0, true, 8) == STATUS_SUCCESS);                     // no bytes, no check
    });
}

TEST_CASE("a caller's string is captured", "[probe]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        auto* string = static_cast<UNICODE_STRING*>(mm::allocate_user(process, sizeof(UNICODE_STRING)));
        auto* characters = static_cast<char16_t*>(mm::allocate_user(process, 64));
        std::u16string_view(u"\\Device\\Echo").copy(characters, 12);
        char16_t copy[32] = {};
        int asked = 0;
        const auto capture = [&](const UNICODE_STRING& text, KPROCESSOR_MODE mode, bool room = true) {
            *string = text;
            return ke::capture_string(string, mode, 40, STATUS_OBJECT_NAME_INVALID, [&](USHORT) -> void* {
                ++asked;
                return room ? copy : nullptr;
            });
        };
        CHECK(capture({24, 24, characters}, UserMode) == STATUS_SUCCESS);
        CHECK(std::u16string_view(copy) == u"\\Device\\Echo");
        CHECK(asked == 1);
        CHECK(capture({0, 24, nullptr}, UserMode) == STATUS_SUCCESS); // none
        CHECK(capture({23, 24, characters}, UserMode) == STATUS_OBJECT_NAME_INVALID);
        CHECK(capture({42, 64, characters}, UserMode) == STATUS_OBJECT_NAME_INVALID); // too long
        CHECK(asked == 1);
        CHECK(capture({24, 24, characters}, UserMode, false) == STATUS_INSUFFICIENT_RESOURCES);
        CHECK(capture({24, 24, nullptr}, UserMode) == STATUS_ACCESS_VIOLATION);
        const UNICODE_STRING own{24, 24, characters};
        const auto none = [](USHORT) -> void* { return nullptr; };
        auto* pool = static_cast<UNICODE_STRING*>(ExAllocatePoolWithTag(NonPagedPool, sizeof(UNICODE_STRING), 1));
        *pool = own;
        CHECK(ke::capture_string(pool, UserMode, 40, 0, none) == STATUS_ACCESS_VIOLATION);
        CHECK(ke::capture_string(pool, KernelMode, 40, 0, none) == STATUS_INSUFFICIENT_RESOURCES);
        ExFreePool(pool);
    });
}

TEST_CASE("physical addresses and back", "[address]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 100));
        const PHYSICAL_ADDRESS physical = MmGetPhysicalAddress(user + 5);
        auto* system = static_cast<std::byte*>(MmGetVirtualForPhysical(physical));
        REQUIRE(system != nullptr);
        user[5] = std::byte{42};
        CHECK(*system == std::byte{42}); // the same memory, seen in the direct map
        CHECK(MmGetPhysicalAddress(system).QuadPart == physical.QuadPart);
        CHECK(MmGetPhysicalAddress(&kernel).QuadPart == 0);
        PHYSICAL_ADDRESS beyond;
        beyond.QuadPart = static_cast<LONGLONG>(kernel.slot().physical_pages() * 4096);
        CHECK(MmGetVirtualForPhysical(beyond) == nullptr);
        CHECK(MmIsAddressValid(user));
        CHECK(MmIsAddressValid(system));
        CHECK(!MmIsAddressValid(MmBadPointer));
        CHECK(!MmIsAddressValid(nullptr));
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("MmCopyMemory copies what can be read", "[address]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        REQUIRE(mm::allocate_user_stack(process, 2 * 4096, low, top));
        std::memset(low, 7, 2 * 4096);
        auto* target = static_cast<std::byte*>(mm::allocate_user(process, 4 * 4096));
        SIZE_T copied = 0;
        MM_COPY_ADDRESS source{};
        source.VirtualAddress = top - 100;
        CHECK(MmCopyMemory(target, source, 100, MM_COPY_MEMORY_VIRTUAL, &copied) == STATUS_SUCCESS);
        CHECK(copied == 100);
        source.VirtualAddress = MmBadPointer;
        CHECK(MmCopyMemory(target, source, 4, MM_COPY_MEMORY_VIRTUAL, &copied) == STATUS_INVALID_ADDRESS);
        CHECK(copied == 0);
        mm::free_user_stack(process, low);
        REQUIRE(mm::allocate_user_stack(process, 4096, low, top));
        source.VirtualAddress = top - 50; // what follows is unmapped
        CHECK(MmCopyMemory(target, source, 100, MM_COPY_MEMORY_VIRTUAL, &copied) == STATUS_INVALID_ADDRESS);
        CHECK(copied == 50);
        source.PhysicalAddress = MmGetPhysicalAddress(low);
        CHECK(MmCopyMemory(target, source, 100, MM_COPY_MEMORY_PHYSICAL, &copied) == STATUS_SUCCESS);
        source.PhysicalAddress.QuadPart = static_cast<LONGLONG>(kernel.slot().physical_pages() * 4096 - 10);
        CHECK(MmCopyMemory(target, source, 11, MM_COPY_MEMORY_PHYSICAL, &copied) == STATUS_INVALID_ADDRESS);
        CHECK(MmCopyMemory(target, source, 11, MM_COPY_MEMORY_PHYSICAL | MM_COPY_MEMORY_VIRTUAL, &copied) ==
              STATUS_INVALID_PARAMETER_4);
    });
}
