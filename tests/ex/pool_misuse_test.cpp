#include "catch.hpp"
#include "ex/pool.hpp"
#include "ke/thread.hpp"
#include "support/kernel_fixture.hpp"

#include <string>

using namespace dirql;
using test::KernelFixture;

namespace {

constexpr ULONG tag = ex::pool_tag("Test");
constexpr ULONG other_tag = ex::pool_tag("Othr");

std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

ke::Thread* make_thread(ke::Machine& machine, const ke::ThreadStart& start) {
    auto* thread = machine.allocate<ke::Thread>();
    if (thread == nullptr || !ke::initialize_thread(machine, *thread, start)) return nullptr;
    ke::start_thread(*thread);
    return thread;
}

} // namespace

// Each misuse, with the code and the four parameters that its document gives.
TEST_CASE("misuse of the pool ends in its bug check", "[pool][bugcheck]") {
    KernelFixture kernel;
    unsigned char* block = nullptr;
    const std::size_t size = GENERATE(40u, 3000u, 12288u);
    const auto allocate = [&](POOL_TYPE type) {
        return block = static_cast<unsigned char*>(ExAllocatePoolWithTag(type, size, tag));
    };

    SECTION("freed twice") {
        const ke::Stop stop = kernel.run([&] {
            allocate(NonPagedPool);
            ExFreePoolWithTag(block, tag);
            ExFreePoolWithTag(block, tag);
        });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 7);
        CHECK(stop.parameters[3] == address_of(block));
        CHECK(std::string(stop.text) == "tag 'Test'");
    }
    SECTION("freed with the wrong tag") {
        const ke::Stop stop = kernel.run([&] {
            allocate(PagedPool);
            ExFreePoolWithTag(block, other_tag);
        });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0xA);
        CHECK(stop.parameters[1] == address_of(block));
        CHECK(stop.parameters[2] == tag);
        CHECK(stop.parameters[3] == other_tag);
    }
    SECTION("written past its end, by one byte") {
        const ke::Stop stop = kernel.run([&] {
            allocate(NonPagedPool);
            block[size] = static_cast<unsigned char>(block[size] + 1);
            ExFreePool(block);
        });
        CHECK(stop.code == BAD_POOL_HEADER);
        CHECK(stop.parameters[0] == 0x21);
        CHECK(stop.parameters[1] == address_of(block));
        CHECK(stop.parameters[2] == size);
        CHECK(stop.parameters[3] == ex::guard_mark + 1);
    }
    SECTION("paged pool allocated at DISPATCH_LEVEL") {
        const ke::Stop stop = kernel.run([&] {
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            allocate(PagedPool);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == PagedPool);
        CHECK(stop.parameters[3] == size);
    }
    SECTION("paged pool freed at DISPATCH_LEVEL") {
        const ke::Stop stop = kernel.run([&] {
            allocate(PagedPool);
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            ExFreePool(block);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 0x11);
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == PagedPool);
        CHECK(stop.parameters[3] == address_of(block));
    }
    SECTION("nonpaged pool above DISPATCH_LEVEL") {
        const bool allocated_before = GENERATE(false, true);
        const ke::Stop stop = kernel.run([&] {
            if (allocated_before) allocate(NonPagedPoolNx);
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
            if (!allocated_before) allocate(NonPagedPoolNx);
            ExFreePool(block);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == (allocated_before ? 0x12 : 2));
        CHECK(stop.parameters[1] == DISPATCH_LEVEL + 1);
    }
    SECTION("an address of the user half") {
        const ke::Stop stop = kernel.run([&] { ExFreePool(kernel.slot().user_base()); });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x40);
        CHECK(stop.parameters[1] == address_of(kernel.slot().user_base()));
        CHECK(stop.parameters[2] == ke::halves().system);
    }
    SECTION("an address that no pool has") {
        std::uintptr_t bad = 0;
        const ke::Stop stop = kernel.run([&] {
            bad = address_of(kernel.slot().allocate_pages(1)) + GENERATE(0u, 64u, 8u);
            ExFreePool(reinterpret_cast<void*>(bad));
        });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x46);
        CHECK(stop.parameters[1] == bad);
    }
}

TEST_CASE("misuse that only small blocks can tell", "[pool][bugcheck]") {
    KernelFixture kernel;
    std::byte* block = nullptr;
    const auto allocate = [&] {
        return block = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 100, tag));
    };

    SECTION("a pointer into the middle of a block") {
        const ke::Stop stop = kernel.run([&] {
            allocate();
            ExFreePool(block + 32);
        });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x99);
        CHECK(stop.parameters[1] == address_of(block) + 32);
    }
    SECTION("written before its beginning") {
        const ke::Stop stop = kernel.run([&] {
            allocate();
            block[-1] ^= std::byte{1};
            ExFreePool(block);
        });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == address_of(block) - 16);
    }
    SECTION("written after it was freed") {
        const ke::Stop stop = kernel.run([&] {
            allocate();
            ExFreePool(block);
            block[17] = std::byte{0};
            (void)ExAllocatePoolWithTag(NonPagedPool, 100, other_tag);
        });
        CHECK(stop.code == DRIVER_CAUGHT_MODIFYING_FREED_POOL);
        CHECK(stop.parameters[0] == address_of(block) + 17);
        CHECK(stop.parameters[1] == 1);
        CHECK(std::string(stop.text) == "tag 'Test'");
    }
    SECTION("a free block's header overwritten") {
        const ke::Stop stop = kernel.run([&] {
            allocate();
            ExFreePool(block);
            block[-8] ^= std::byte{0xFF};
            block[-1] ^= std::byte{0xFF};
            (void)ExAllocatePoolWithTag(NonPagedPool, 100, tag);
        });
        CHECK(stop.code == BAD_POOL_HEADER);
        CHECK(stop.parameters[0] == 0xD);
        CHECK(stop.parameters[1] == address_of(block) - 16);
    }
}

TEST_CASE("requests that the free build refuses with a bug check", "[pool][bugcheck]") {
    KernelFixture kernel;
    SECTION("must succeed") {
        const ke::Stop stop = kernel.run([] { (void)ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 10, tag); });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x9A);
        CHECK(stop.parameters[1] == NonPagedPoolMustSucceed);
        CHECK(stop.parameters[2] == 10);
        CHECK(stop.parameters[3] == tag);
    }
    SECTION("no tag") {
        const ke::Stop stop = kernel.run([] { (void)ExAllocatePoolWithTag(PagedPool, 10, 0); });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x9B);
        CHECK(stop.parameters[1] == PagedPool);
        CHECK(stop.parameters[2] == 10);
    }
    SECTION("the tag BIG") {
        const ke::Stop stop = kernel.run([] { (void)ExAllocatePoolWithTag(PagedPool, 10, ex::pool_tag("BIG ")); });
        CHECK(stop.code == BAD_POOL_CALLER);
        CHECK(stop.parameters[0] == 0x9C);
    }
}

TEST_CASE("memory that the kernel still uses is not freed", "[pool][bugcheck]") {
    KernelFixture kernel;
    std::byte* block = nullptr;
    SECTION("an active timer") {
        const ke::Stop stop = kernel.run([&] {
            block = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 200, tag));
            auto* timer = reinterpret_cast<PKTIMER>(block + 32);
            KeInitializeTimer(timer);
            LARGE_INTEGER due;
            due.QuadPart = -10'000'000;
            KeSetTimer(timer, due, nullptr);
            ExFreePool(block);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 0x15);
        CHECK(stop.parameters[1] == address_of(block) + 32);
        CHECK(stop.parameters[2] == NonPagedPool);
        CHECK(stop.parameters[3] == address_of(block));
    }
    SECTION("a queued DPC") {
        const ke::Stop stop = kernel.run([&] {
            block = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 200, tag));
            auto* dpc = reinterpret_cast<PKDPC>(block + 32);
            KeInitializeDpc(
                dpc, [](PKDPC, PVOID, PVOID, PVOID) {}, nullptr);
            (void)KeRaiseIrqlToDpcLevel();
            KeInsertQueueDpc(dpc, nullptr, nullptr);
            ExFreePool(block);
        });
        CHECK(stop.code == TIMER_OR_DPC_INVALID);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == address_of(block) + 32);
    }
    SECTION("a queued threaded DPC") {
        kernel.machine().hooks.make_system_thread = make_thread;
        const ke::Stop stop = kernel.run([&] {
            block = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 200, tag));
            auto* dpc = reinterpret_cast<PKDPC>(block + 32);
            KeInitializeThreadedDpc(
                dpc, [](PKDPC, PVOID, PVOID, PVOID) {}, nullptr);
            (void)KeRaiseIrqlToDpcLevel();
            KeInsertQueueDpc(dpc, nullptr, nullptr);
            ExFreePool(block);
        });
        CHECK(stop.code == TIMER_OR_DPC_INVALID);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == address_of(block) + 32);
    }
    SECTION("a DPC that has run may go") {
        const ke::Stop stop = kernel.run([&] {
            auto* dpc = static_cast<PKDPC>(ExAllocatePoolWithTag(NonPagedPool, sizeof(KDPC), tag));
            KeInitializeDpc(
                dpc, [](PKDPC, PVOID, PVOID, PVOID) {}, nullptr);
            KeInsertQueueDpc(dpc, nullptr, nullptr);
            ExFreePool(dpc);
        });
        CHECK(stop.kind == ke::StopKind::none);
    }
    SECTION("a cancelled timer may go") {
        const ke::Stop stop = kernel.run([&] {
            auto* timer = static_cast<PKTIMER>(ExAllocatePoolWithTag(NonPagedPool, sizeof(KTIMER), tag));
            KeInitializeTimer(timer);
            LARGE_INTEGER due;
            due.QuadPart = -10'000'000;
            KeSetTimer(timer, due, nullptr);
            KeCancelTimer(timer);
            ExFreePool(timer);
        });
        CHECK(stop.kind == ke::StopKind::none);
    }
}
