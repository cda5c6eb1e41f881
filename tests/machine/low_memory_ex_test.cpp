// Each allocation that a function of the executive makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "ke/system_service.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("pool and lists of the executive, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        for (const SIZE_T size : {SIZE_T{16}, SIZE_T{3000}, SIZE_T{70'000}}) {
            void* block = ExAllocatePool2(POOL_FLAG_PAGED, size, low_tag);
            if (memory.got(block)) ExFreePool(block);
        }
        LOOKASIDE_LIST_EX list;
        if (memory.ok(ExInitializeLookasideListEx(&list, nullptr, nullptr, PagedPool, 0, 64, low_tag, 0))) {
            void* entry = ExAllocateFromLookasideListEx(&list);
            if (memory.got(entry)) ExFreeToLookasideListEx(&list, entry);
            ExDeleteLookasideListEx(&list);
        }
        PEX_RUNDOWN_REF_CACHE_AWARE rundown = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, low_tag);
        if (memory.got(rundown)) ExFreeCacheAwareRundownProtection(rundown);
    });
    CHECK(made >= 5);
}

TEST_CASE("pool that an application pays for, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_application(), [](const LowMemory& memory) {
        (void)ke::system_service([&] {
            for (const SIZE_T size : {SIZE_T{16}, SIZE_T{3000}, SIZE_T{70'000}}) {
                constexpr auto no_raise = static_cast<POOL_TYPE>(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);
                void* block = ExAllocatePoolWithQuotaTag(no_raise, size, low_tag);
                if (memory.got(block)) ExFreePoolWithTag(block, low_tag);
            }
            CHECK(ke::current_thread()->process->pool_quota[1].used == 0);
            return STATUS_SUCCESS;
        });
    });
    CHECK(made >= 4);
}

TEST_CASE("resources wait for memory that is short", "[low]") {
    (void)for_each_failing_allocation(in_kernel(), [](const LowMemory&) {
        ERESOURCE resource;
        CHECK(ExInitializeResourceLite(&resource) == STATUS_SUCCESS);
        ULONG_PTR owners[6] = {};
        for (ULONG_PTR& owner : owners) { // each becomes an owner of its own
            ExEnterCriticalRegionAndAcquireResourceShared(&resource);
            ExSetResourceOwnerPointer(&resource, reinterpret_cast<PVOID>(reinterpret_cast<ULONG_PTR>(&owner) | 3));
            KeLeaveCriticalRegion();
        }
        for (ULONG_PTR& owner : owners)
            ExReleaseResourceForThreadLite(&resource, reinterpret_cast<ULONG_PTR>(&owner) | 3);
        CHECK(ExDeleteResourceLite(&resource) == STATUS_SUCCESS);
    });
}
TEST_CASE("lookaside lists of drivers, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        NPAGED_LOOKASIDE_LIST nonpaged;
        ExInitializeNPagedLookasideList(&nonpaged, nullptr, nullptr, 0, 100, low_tag, 0);
        void* entry = ExAllocateFromNPagedLookasideList(&nonpaged);
        if (memory.got(entry)) ExFreeToNPagedLookasideList(&nonpaged, entry);
        ExDeleteNPagedLookasideList(&nonpaged);
        PAGED_LOOKASIDE_LIST paged;
        ExInitializePagedLookasideList(&paged, nullptr, nullptr, 0, 100, low_tag, 0);
        entry = ExAllocateFromPagedLookasideList(&paged);
        if (memory.got(entry)) ExFreeToPagedLookasideList(&paged, entry);
        ExDeletePagedLookasideList(&paged);
        LOOKASIDE_LIST_EX raising;
        CHECK(ExInitializeLookasideListEx(&raising, nullptr, nullptr, NonPagedPoolNx,
                                          EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, 100, low_tag, 0) == STATUS_SUCCESS);
        entry = nullptr;
        const NTSTATUS raised = raised_by([&] { entry = ExAllocateFromLookasideListEx(&raising); });
        if (memory.ok(raised)) ExFreeToLookasideListEx(&raising, entry);
        ExDeleteLookasideListEx(&raising);
    });
    CHECK(made == 3);
}

TEST_CASE("pool that raises or gives nothing, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        void* block = nullptr;
        const auto keep = [&](void* got) {
            block = got;
            if (block != nullptr) ExFreePool(block);
        };
        (void)memory.ok(
            raised_by([&] { keep(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 64, low_tag)); }));
        constexpr auto raising = static_cast<POOL_TYPE>(NonPagedPoolNx | POOL_RAISE_IF_ALLOCATION_FAILURE);
        (void)memory.ok(raised_by([&] { keep(ExAllocatePoolWithTag(raising, 64, low_tag)); }));
        (void)memory.ok(raised_by([&] { keep(ExAllocatePoolWithQuotaTag(PagedPool, 64, low_tag)); }));
        (void)memory.ok(raised_by([&] { keep(ExAllocatePoolWithQuota(PagedPool, 64)); }));
        keep(ExAllocatePool(NonPagedPoolNx, 64));
        (void)memory.got(block);
        keep(ExAllocatePoolWithTagPriority(PagedPool, 64, low_tag, HighPoolPriority));
        (void)memory.got(block);
        keep(ExAllocatePool3(POOL_FLAG_NON_PAGED, 64, low_tag, nullptr, 0));
        (void)memory.got(block);
    });
    CHECK(made == 7);
}

TEST_CASE("timers, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static unsigned calls;
        calls = 0;
        PEX_TIMER timer = ExAllocateTimer([](PEX_TIMER, PVOID) { ++calls; }, nullptr, EX_TIMER_HIGH_RESOLUTION);
        if (!memory.got(timer)) return;
        ExSetTimer(timer, -10'000, 0, nullptr);
        KeWaitForSingleObject(timer, Executive, KernelMode, FALSE, nullptr);
        ExDeleteTimer(timer, TRUE, TRUE, nullptr);
        CHECK(calls == 1);
    });
    CHECK(made == 1);
}

TEST_CASE("work items and workers, each allocation failing once", "[low]") {
    (void)for_each_failing_allocation(in_kernel(), [](const LowMemory&) {
        // Several at a time that wait for each other's beginning would need workers that memory may be short for: one after another.
        for (const WORK_QUEUE_TYPE queue : {DelayedWorkQueue, CriticalWorkQueue, HyperCriticalWorkQueue}) {
            KEVENT done;
            KeInitializeEvent(&done, NotificationEvent, FALSE);
            WORK_QUEUE_ITEM items[3];
            static int left;
            left = 3;
            for (WORK_QUEUE_ITEM& item : items) {
                ExInitializeWorkItem(
                    &item,
                    [](PVOID event) {
                        if (--left == 0) KeSetEvent(static_cast<PRKEVENT>(event), 0, FALSE);
                    },
                    &done);
                ExQueueWorkItem(&item, queue);
            }
            KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, nullptr);
        }
    });
}

// Without memory for their threads they run as ordinary ones.
TEST_CASE("threaded DPCs, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory&) {
        KEVENT done;
        KeInitializeEvent(&done, NotificationEvent, FALSE);
        KDPC dpc;
        KeInitializeThreadedDpc(
            &dpc, [](PKDPC, PVOID event, PVOID, PVOID) { KeSetEvent(static_cast<PRKEVENT>(event), 0, FALSE); }, &done);
        CHECK(KeInsertQueueDpc(&dpc, nullptr, nullptr));
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, nullptr);
    });
    CHECK(made >= 2);
}

namespace {

// Where little is left of the stack, however large it is in this build.
template <class Body> [[gnu::noinline]] void deep_down(const Body& body) {
    volatile char room[4096];
    room[0] = 0;
    if (IoGetRemainingStackSize() > MAXIMUM_EXPANSION_SIZE / 2) {
        deep_down(body);
    } else {
        body();
    }
    room[1] = room[0];
}

} // namespace

TEST_CASE("stacks that are expanded, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static unsigned calls;
        calls = 0;
        NTSTATUS status = STATUS_PENDING;
        deep_down(
            [&] { status = KeExpandKernelStackAndCallout([](PVOID) { ++calls; }, nullptr, MAXIMUM_EXPANSION_SIZE); });
        CHECK(calls == (memory.ok(status, STATUS_NO_MEMORY) ? 1u : 0u));
    });
    CHECK(made == 1);
}
