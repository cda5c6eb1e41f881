#include "catch.hpp"
#include "ex/pool.hpp"
#include "ke/system_service.hpp"
#include "ke/user_copy.hpp"
#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>
#include <utility>

using namespace dirql;
using test::KernelFixture;
using test::status_raised_by;

namespace {

unsigned flags_of(const MDL* mdl) {
    return static_cast<std::uint16_t>(mdl->MdlFlags) & ~unsigned{MDL_ALLOCATED_FIXED_SIZE};
}

NTSTATUS lock(PMDL mdl, MODE mode, LOCK_OPERATION operation) {
    return status_raised_by([=] { MmProbeAndLockPages(mdl, static_cast<KPROCESSOR_MODE>(mode), operation); });
}

// Two user pages whose frames do not follow one another.
std::byte* scattered_pages(ke::Slot& slot, ke::Process& process) {
    mm::Arena& arena = *mm::arena_of(process);
    std::byte* view = mm::reserve_view(arena, 2);
    std::byte* frames = slot.allocate_pages(3);
    const bool mapped = slot.map_frames(view, slot.frame_of(frames + 2 * 4096), 1) &&
                        slot.map_frames(view + 4096, slot.frame_of(frames), 1);
    return mapped ? view : nullptr;
}

} // namespace

TEST_CASE("a new MDL describes its buffer, and is hung on its IRP", "[mdl]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        auto* buffer = reinterpret_cast<std::byte*>(0x1234'5000 + 0xFF0);
        PMDL mdl = IoAllocateMdl(buffer, 0x20, FALSE, FALSE, nullptr);
        CHECK(MmGetMdlVirtualAddress(mdl) == buffer);
        CHECK(MmGetMdlByteCount(mdl) == 0x20);
        CHECK(MmGetMdlByteOffset(mdl) == 0xFF0);
        CHECK(mm::page_count(mdl) == 2);
        CHECK(mdl->Size == sizeof(MDL) + 2 * 8);
        CHECK(mdl->MdlFlags == MDL_ALLOCATED_FIXED_SIZE);
        IRP irp{};
        PMDL first = IoAllocateMdl(buffer, 1, FALSE, FALSE, &irp);
        PMDL second = IoAllocateMdl(buffer, 1, TRUE, FALSE, &irp);
        PMDL third = IoAllocateMdl(buffer, 1, TRUE, FALSE, &irp);
        CHECK(irp.MdlAddress == first);
        CHECK(first->Next == second);
        CHECK(second->Next == third);
        CHECK(IoAllocateMdl(buffer, 0xFFFF'FFFF, FALSE, FALSE, nullptr) == nullptr);
        PMDL big = IoAllocateMdl(buffer, 24 * 4096, FALSE, FALSE, nullptr);
        CHECK(big->MdlFlags == 0);
        for (PMDL each : {mdl, first, second, third, big}) IoFreeMdl(each);
        CHECK(MmSizeOfMdl(buffer, 0x20) == sizeof(MDL) + 16);
        CHECK(MmSizeOfMdl(nullptr, 0) == sizeof(MDL));
    });
}

TEST_CASE("an MDL of nonpaged pool is its own mapping", "[mdl]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        auto* buffer = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 10000, 1));
        PMDL mdl = IoAllocateMdl(buffer + 100, 9000, FALSE, FALSE, nullptr);
        MmBuildMdlForNonPagedPool(mdl);
        CHECK(flags_of(mdl) == MDL_SOURCE_IS_NONPAGED_POOL);
        CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == buffer + 100);
        CHECK(MmGetMdlPfnArray(mdl)[1] == static_cast<PFN_NUMBER>(MmGetPhysicalAddress(buffer + 4096).QuadPart >> 12));
        CHECK(mdl->Process == nullptr);
        IoFreeMdl(mdl);
        ExFreePool(buffer);
    });
}

TEST_CASE("locking finds the frames of a user buffer, and a mapping shows its memory", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 3 * 4096));
        PMDL mdl = IoAllocateMdl(user + 10, 8000, FALSE, FALSE, nullptr);
        CHECK(lock(mdl, UserMode, IoReadAccess) == STATUS_SUCCESS);
        CHECK(flags_of(mdl) == MDL_PAGES_LOCKED);
        CHECK(mdl->Process == reinterpret_cast<PKPROCESS>(&process));
        CHECK(mm::arena_of(process)->locked_pages == 2);
        auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
        CHECK(system >= MmSystemRangeStart);
        CHECK(flags_of(mdl) == (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA));
        CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == system);
        user[10] = std::byte{1};
        user[8009] = std::byte{2};
        CHECK(system[0] == std::byte{1});
        CHECK(system[7999] == std::byte{2});
        MmUnlockPages(mdl); // unmaps as well
        CHECK(flags_of(mdl) == 0);
        CHECK(mm::arena_of(process)->locked_pages == 0);
        CHECK(lock(mdl, UserMode, IoModifyAccess) == STATUS_SUCCESS);
        CHECK(flags_of(mdl) == (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION));
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("scattered frames are mapped one behind the other", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        std::byte* user = scattered_pages(kernel.slot(), process);
        REQUIRE(user != nullptr);
        for (int i = 0; i < 8192; ++i) user[i] = static_cast<std::byte>(i / 32);
        std::byte* earlier = nullptr;
        for (int round = 0; round < 3; ++round) {
            PMDL mdl = IoAllocateMdl(user + 100, 8000, FALSE, FALSE, nullptr);
            REQUIRE(lock(mdl, UserMode, IoWriteAccess) == STATUS_SUCCESS);
            CHECK(MmGetMdlPfnArray(mdl)[1] != MmGetMdlPfnArray(mdl)[0] + 1);
            auto* system = static_cast<std::byte*>(
                MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE, NormalPagePriority));
            REQUIRE(system != nullptr);
            CHECK(std::memcmp(system, user + 100, 8000) == 0);
            CHECK(std::exchange(earlier, system) == (round == 0 ? nullptr : system)); // the view came back
            system[7999] = std::byte{0xEE};
            CHECK(user[8099] == std::byte{0xEE});
            user[8099] = static_cast<std::byte>(8099 / 32);
            MmUnmapLockedPages(system, mdl);
            CHECK(flags_of(mdl) == (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION));
            CHECK(!MmIsAddressValid(system));
            MmUnlockPages(mdl);
            IoFreeMdl(mdl);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a read-only mapping cannot be written", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    std::byte* system = nullptr;
    const ke::Stop stop = kernel.run([&] {
        void* user = mm::allocate_user(process, 4096);
        PMDL mdl = IoAllocateMdl(user, 4096, FALSE, FALSE, nullptr);
        (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
        system = static_cast<std::byte*>(MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE,
                                                                      NormalPagePriority | MdlMappingNoWrite));
        CHECK(MmIsAddressValid(system));
        CHECK(!ke::touch_guarded(system, true));
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("locking fails for memory that does not allow it", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        REQUIRE(mm::allocate_user_stack(process, 2 * 4096, low, top));
        std::byte local{};
        void* pool = ExAllocatePoolWithTag(NonPagedPool, 100, 1);
        struct {
            void* address;
            ULONG size;
            MODE mode;
            NTSTATUS status;
        } cases[] = {{low, 2 * 4096, UserMode, STATUS_SUCCESS},
                     {low - 1, 2, UserMode, STATUS_ACCESS_VIOLATION},       // the guard page
                     {top - 4096, 4097, UserMode, STATUS_ACCESS_VIOLATION}, // runs into a hole
                     {pool, 100, UserMode, STATUS_ACCESS_VIOLATION},        // the system's
                     {pool, 100, KernelMode, STATUS_SUCCESS},
                     {low, 4096, KernelMode, STATUS_SUCCESS},
                     {nullptr, 1, UserMode, STATUS_ACCESS_VIOLATION},
                     {&local, 1, KernelMode, STATUS_SUCCESS},            // this thread's stack
                     {&kernel, 1, KernelMode, STATUS_ACCESS_VIOLATION}}; // no memory of the machine
        for (const auto& each : cases) {
            PMDL mdl = IoAllocateMdl(each.address, each.size, FALSE, FALSE, nullptr);
            CHECK(lock(mdl, each.mode, IoWriteAccess) == each.status);
            CHECK(((mdl->MdlFlags & MDL_PAGES_LOCKED) != 0) == NT_SUCCESS(each.status));
            if (NT_SUCCESS(each.status)) MmUnlockPages(mdl);
            IoFreeMdl(mdl);
        }
        CHECK(mm::arena_of(process)->locked_pages == 0);
    });
}

TEST_CASE("a page that may only be read is locked for reading only", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        std::byte* view = mm::reserve_view(arena, 1);
        REQUIRE(kernel.slot().map_frames(view, kernel.slot().frame_of(kernel.slot().allocate_pages(1)), 1, false));
        PMDL mdl = IoAllocateMdl(view, 100, FALSE, FALSE, nullptr);
        CHECK(lock(mdl, UserMode, IoWriteAccess) == STATUS_ACCESS_VIOLATION);
        CHECK(lock(mdl, UserMode, IoModifyAccess) == STATUS_ACCESS_VIOLATION);
        CHECK(lock(mdl, UserMode, IoReadAccess) == STATUS_SUCCESS);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    });
}

TEST_CASE("a partial MDL describes part of another", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 4 * 4096));
        std::memset(user, 3, 4 * 4096);
        PMDL source = IoAllocateMdl(user + 8, 4 * 4096 - 8, FALSE, FALSE, nullptr);
        (void)mm::lock_pages(source, UserMode, IoReadAccess);
        PMDL part = IoAllocateMdl(user, 4 * 4096, FALSE, FALSE, nullptr);
        IoBuildPartialMdl(source, part, user + 5000, 4000);
        CHECK(flags_of(part) == MDL_PARTIAL);
        CHECK(MmGetMdlVirtualAddress(part) == user + 5000);
        CHECK(MmGetMdlByteCount(part) == 4000);
        CHECK(MmGetMdlPfnArray(part)[0] == MmGetMdlPfnArray(source)[1]);
        CHECK(MmGetMdlPfnArray(part)[1] == MmGetMdlPfnArray(source)[2]);

        // Not mapped: it gets a mapping of its own, which goes when it is made ready for another part, or freed.
        void* own = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
        CHECK(own != nullptr);
        CHECK(flags_of(part) == (MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED));
        MmPrepareMdlForReuse(part);
        CHECK(flags_of(part) == MDL_PARTIAL);

        // Mapped: it shares the source's mapping.
        auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(source, NormalPagePriority));
        IoBuildPartialMdl(source, part, user + 6000, 0);
        CHECK(MmGetMdlByteCount(part) == 4 * 4096 - 6000);
        CHECK(flags_of(part) == (MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA));
        CHECK(MmGetSystemAddressForMdlSafe(part, NormalPagePriority) == system + 6000 - 8);
        IoFreeMdl(part);
        MmUnlockPages(source);
        IoFreeMdl(source);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pages mapped for the process that runs", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::Stop stop = kernel.run_as_application(process, [&] {
        (void)ke::system_service([&] {
            auto* buffer = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 8192, 1));
            PMDL mdl = IoAllocateMdl(buffer, 8192, FALSE, FALSE, nullptr);
            MmBuildMdlForNonPagedPool(mdl);
            auto* user = static_cast<std::byte*>(
                MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, nullptr, FALSE, NormalPagePriority));
            CHECK(mm::arena_of(process)->holds(user));
            CHECK(ke::probe_user(user, 8192, true) == STATUS_SUCCESS);
            buffer[5000] = std::byte{9};
            CHECK(user[5000] == std::byte{9});
            // A place of the caller's choice, rounded down to a page; not one in use.
            void* wanted = process.arena + mm::arena_size / 2 + 77;
            void* got = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, wanted, FALSE, NormalPagePriority);
            CHECK(got == PAGE_ALIGN(wanted));
            CHECK(status_raised_by([&] {
                      MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, wanted, FALSE, NormalPagePriority);
                  }) == STATUS_CONFLICTING_ADDRESSES);
            MmUnmapLockedPages(got, mdl);
            MmUnmapLockedPages(user, mdl);
            CHECK(ke::probe_user(user, 1, false) == STATUS_ACCESS_VIOLATION);
            IoFreeMdl(mdl);
            ExFreePool(buffer);
            return STATUS_SUCCESS;
        });
    });
    CHECK(stop.kind == ke::StopKind::none);
    // The system process has no user half.
    stop = kernel.run([&] {
        PMDL mdl = IoAllocateMdl(ExAllocatePoolWithTag(NonPagedPool, 64, 1), 64, FALSE, FALSE, nullptr);
        MmBuildMdlForNonPagedPool(mdl);
        CHECK(status_raised_by([&] {
                  MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, nullptr, FALSE, NormalPagePriority);
              }) == STATUS_INSUFFICIENT_RESOURCES);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
