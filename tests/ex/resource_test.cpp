// Executive resources.
#include "crew.hpp"

#include "diag/report.hpp"
#include "diag/symbolizer.hpp"
#include "ex/active_objects.hpp"
#include "ex/pool.hpp"
#include "ke/scheduler.hpp"
#include "ke/system_service.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

struct NoNames final : diag::Symbolizer {
    diag::CodeName locate(std::uint64_t, bool) override { return {}; }
    std::string_view export_at(std::uint64_t) override { return {}; }
};

struct Resource {
    Resource() { CHECK(ExInitializeResourceLite(&resource) == STATUS_SUCCESS); }
    ~Resource() { CHECK(ExDeleteResourceLite(&resource) == STATUS_SUCCESS); }
    operator PERESOURCE() { return &resource; }
    PERESOURCE operator->() { return &resource; }
    ERESOURCE resource;
};

constexpr ULONG tag = 0x73527845;

} // namespace

TEST_CASE("a resource is owned exclusively, recursively, or shared", "[resource]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        Resource resource;
        CHECK(ExIsResourceAcquiredExclusiveLite(resource) == FALSE);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 0);
        CHECK(ExAcquireResourceExclusiveLite(resource, TRUE) == TRUE);
        CHECK(ExAcquireResourceExclusiveLite(resource, FALSE) == TRUE);
        CHECK(ExAcquireResourceSharedLite(resource, FALSE) == TRUE);
        CHECK(ExAcquireSharedStarveExclusive(resource, FALSE) == TRUE);
        CHECK(ExAcquireSharedWaitForExclusive(resource, FALSE) == TRUE);
        CHECK(ExIsResourceAcquiredExclusiveLite(resource) == TRUE);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 5);
        ExConvertExclusiveToSharedLite(resource);
        CHECK(ExIsResourceAcquiredExclusiveLite(resource) == FALSE);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 5);
        CHECK(ExAcquireResourceExclusiveLite(resource, FALSE) == FALSE);
        for (int i = 0; i < 4; ++i) ExReleaseResourceLite(resource);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 1);
        ExReleaseResourceForThreadLite(resource, ExGetCurrentResourceThread());
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 0);
        CHECK(resource->ActiveEntries == 0);
        CHECK(ExReinitializeResourceLite(resource) == STATUS_SUCCESS);
        CHECK(ExAcquireResourceExclusiveLite(resource, FALSE) == TRUE);
        ExReleaseResourceLite(resource);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("acquiring in a critical region", "[resource]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        Resource resource;
        ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
        CHECK(KeAreApcsDisabled() == TRUE);
        CHECK(ExIsResourceAcquiredExclusiveLite(resource) == TRUE);
        ExReleaseResourceAndLeaveCriticalRegion(resource);
        CHECK(KeAreApcsDisabled() == FALSE);
        ExEnterCriticalRegionAndAcquireResourceShared(resource);
        ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(resource);
        CHECK(ExIsResourceAcquiredExclusiveLite(resource) == FALSE);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 2);
        ExReleaseResourceAndLeaveCriticalRegion(resource);
        CHECK(KeAreApcsDisabled() == TRUE);
        ExReleaseResourceAndLeaveCriticalRegion(resource);
        CHECK(KeAreApcsDisabled() == FALSE);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("who waits for a resource, and who goes first", "[resource]") {
    Crew<5> crew;
    ERESOURCE resource;
    crew.run([&] {
        const auto exclusive = [&] { ExAcquireResourceExclusiveLite(&resource, TRUE); };
        const auto shared = [&] { ExAcquireResourceSharedLite(&resource, TRUE); };
        const auto release = [&] { ExReleaseResourceLite(&resource); };
        ExInitializeResourceLite(&resource);
        crew.tell(0, shared);
        crew.tell(1, shared);
        CHECK(crew.idle_count() == 5);
        crew.tell(2, exclusive);
        CHECK_FALSE(crew.idle(2));
        CHECK(ExGetExclusiveWaiterCount(&resource) == 1);
        crew.tell(3, shared); // behind the one that wants it exclusively
        CHECK_FALSE(crew.idle(3));
        CHECK(ExGetSharedWaiterCount(&resource) == 1);
        crew.tell(0, shared); // has it already
        CHECK(crew.idle(0));
        BOOLEAN got = TRUE;
        crew.tell(1, [&] { got = ExAcquireSharedWaitForExclusive(&resource, FALSE); });
        CHECK(got == FALSE);
        crew.tell(4, [&] { got = ExAcquireResourceSharedLite(&resource, FALSE); });
        CHECK(got == FALSE);
        crew.tell(4, [&] { got = ExAcquireSharedStarveExclusive(&resource, FALSE); });
        CHECK(got == TRUE);
        crew.tell(4, release);
        crew.tell(0, release);
        crew.tell(0, release);
        CHECK_FALSE(crew.idle(2));
        crew.tell(1, release); // the last of those who shared it
        CHECK(crew.idle(2));
        CHECK_FALSE(crew.idle(3));
        crew.tell(0, exclusive);
        crew.tell(4, shared);
        CHECK(ExGetExclusiveWaiterCount(&resource) == 1);
        CHECK(ExGetSharedWaiterCount(&resource) == 2);
        crew.tell(2, [&] { ExConvertExclusiveToSharedLite(&resource); }); // all who want to share do
        CHECK(crew.idle(3));
        CHECK(crew.idle(4));
        CHECK_FALSE(crew.idle(0));
        for (const unsigned worker : {2u, 3u, 4u}) crew.tell(worker, release);
        CHECK(crew.idle(0));
        crew.tell(0, release);
        CHECK(resource.ContentionCount == 4);
        ExDeleteResourceLite(&resource);
    });
}

TEST_CASE("a resource that is handed on to an owner pointer", "[resource]") {
    KernelFixture kernel;
    ERESOURCE_THREAD place[2];
    const auto pointer = reinterpret_cast<PVOID>(reinterpret_cast<ULONG_PTR>(&place[0]) | 3);
    const ke::Stop stop = kernel.run([&] {
        Resource resource;
        ExAcquireResourceExclusiveLite(resource, TRUE);
        ExAcquireResourceExclusiveLite(resource, TRUE);
        ExSetResourceOwnerPointer(resource, pointer);
        CHECK(ExIsResourceAcquiredSharedLite(resource) == 0);
        CHECK(ExAcquireResourceSharedLite(resource, FALSE) == FALSE);
        ExReleaseResourceForThreadLite(resource, reinterpret_cast<ERESOURCE_THREAD>(pointer));
        CHECK(ExAcquireResourceSharedLite(resource, FALSE) == FALSE);
        ExReleaseResourceForThreadLite(resource, reinterpret_cast<ERESOURCE_THREAD>(pointer));
        CHECK(ExAcquireResourceSharedLite(resource, FALSE) == TRUE);
        const auto self = reinterpret_cast<PVOID>(ExGetCurrentResourceThread() | 3);
        ExSetResourceOwnerPointerEx(resource, self, FLAG_OWNER_POINTER_IS_THREAD);
        CHECK(ExAcquireResourceSharedLite(resource, FALSE) == TRUE);
        ExSetResourceOwnerPointerEx(resource, self, FLAG_OWNER_POINTER_IS_THREAD); // one owner, twice
        CHECK(resource->ActiveEntries == 1);
        ExReleaseResourceForThreadLite(resource, reinterpret_cast<ERESOURCE_THREAD>(self));
        CHECK(ExAcquireResourceExclusiveLite(resource, FALSE) == FALSE);
        ExReleaseResourceForThreadLite(resource, reinterpret_cast<ERESOURCE_THREAD>(self));
        CHECK(ExAcquireResourceExclusiveLite(resource, FALSE) == TRUE);
        ExReleaseResourceLite(resource);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("an owner runs at the priority of who waits for it, unless that is off", "[resource]") {
    const bool disabled = GENERATE(false, true);
    Crew<2> crew;
    ERESOURCE resource;
    crew.run([&] {
        ExInitializeResourceLite(&resource);
        if (disabled) ExDisableResourceBoostLite(&resource);
        crew.tell(0, [&] { ExAcquireResourceExclusiveLite(&resource, TRUE); });
        crew.tell(1, [&] {
            ke::set_priority(*ke::current_thread(), 12);
            ExAcquireResourceExclusiveLite(&resource, TRUE);
        });
        CHECK(crew.thread(0)->priority == (disabled ? 8 : 12));
        crew.tell(0, [&] { ExReleaseResourceLite(&resource); });
        CHECK(crew.thread(0)->priority == 8);
        crew.tell(1, [&] { ExReleaseResourceLite(&resource); });
        ExDeleteResourceLite(&resource);
    });
}

TEST_CASE("many owners share a resource, memory short or not", "[resource]") {
    Crew<12> crew;
    ERESOURCE resource;
    crew.run([&] {
        ExInitializeResourceLite(&resource);
        const std::size_t before = ex::pool_totals().blocks;
        for (unsigned i = 0; i < crew.size; ++i) {
            ke::Machine& machine = ke::current_machine();
            machine.choice.fail_allocation(1); // the table of owners is made later, then
            ex::allow_allocation_failures(machine, true);
            crew.tell(i, [&] { ExAcquireResourceSharedLite(&resource, TRUE); });
            sleep_us(20'000);
            CHECK(crew.idle(i));
            ex::allow_allocation_failures(machine, false);
            machine.choice.fail_no_allocation();
        }
        CHECK(resource.ActiveEntries == 12);
        CHECK(ex::pool_totals().blocks == before + 1);
        for (unsigned i = 0; i < crew.size; ++i) crew.tell(i, [&] { ExReleaseResourceLite(&resource); });
        CHECK(resource.ActiveEntries == 0);
        CHECK(ExReinitializeResourceLite(&resource) == STATUS_SUCCESS);
        CHECK(ex::pool_totals().blocks == before + 1);
        ExDeleteResourceLite(&resource);
        CHECK(ex::pool_totals().blocks == before);
    });
}

TEST_CASE("misuse of resources", "[resource][bugcheck]") {
    KernelFixture kernel;
    alignas(16) static ERESOURCE resource;
    resource = {};
    const std::uint64_t address = ke::parameter(&resource);
    std::function<void()> body;
    std::uint32_t code = DRIVER_VERIFIER_DETECTED_VIOLATION;
    std::uint64_t p1 = 0;
    std::uint64_t p2 = address;
    std::uint64_t p4 = 0;
    SECTION("released by who does not own it") {
        code = RESOURCE_NOT_OWNED;
        p1 = address;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExReleaseResourceLite(&resource);
        };
        const ke::Stop stop = kernel.run(body);
        CHECK(stop.code == code);
        CHECK(stop.parameters[0] == p1);
        CHECK(stop.parameters[1] == ke::parameter(stop.thread));
        return;
    }
    SECTION("acquired before it is initialised") {
        p1 = 0x1002;
        body = [] { ExAcquireResourceExclusiveLite(&resource, TRUE); };
    }
    SECTION("acquired after it was deleted") {
        p1 = 0x1002;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExDeleteResourceLite(&resource);
            ExAcquireResourceSharedLite(&resource, TRUE);
        };
    }
    SECTION("exclusively by who shares it") {
        p1 = 0x1000;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExAcquireResourceSharedLite(&resource, TRUE);
            ExAcquireResourceExclusiveLite(&resource, TRUE);
        };
    }
    SECTION("initialised twice") {
        p1 = 0xD0;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExInitializeResourceLite(&resource);
        };
    }
    SECTION("deleted twice") {
        p1 = 0xD1;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExDeleteResourceLite(&resource);
            ExDeleteResourceLite(&resource);
        };
    }
    SECTION("at an address that is not aligned") {
        p1 = 0x3D;
        p2 = 0;
        p4 = address + 4;
        body = [] {
            auto* crooked = reinterpret_cast<PERESOURCE>(reinterpret_cast<char*>(&resource) + 4);
            ExAcquireResourceExclusiveLite(crooked, TRUE);
        };
    }
    SECTION("converted without an exclusive owner") {
        code = RESOURCE_NOT_OWNED;
        p1 = address;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExConvertExclusiveToSharedLite(&resource);
        };
        const ke::Stop stop = kernel.run(body);
        CHECK(stop.code == code);
        CHECK(stop.parameters[0] == p1);
        return;
    }
    SECTION("an owner pointer without its bits") {
        code = RESOURCE_OWNER_POINTER_INVALID;
        p1 = address;
        p2 = 0;
        p4 = 0x1000;
        body = [] {
            ExInitializeResourceLite(&resource);
            ExAcquireResourceExclusiveLite(&resource, TRUE);
            ExSetResourceOwnerPointer(&resource, reinterpret_cast<PVOID>(0x1000));
        };
    }
    const ke::Stop stop = kernel.run(body);
    CHECK(stop.code == code);
    CHECK(stop.parameters[0] == p1);
    CHECK(stop.parameters[1] == p2);
    CHECK(stop.parameters[3] == p4);
}

TEST_CASE("memory is freed that holds a resource", "[resource][bugcheck]") {
    KernelFixture kernel;
    std::uint64_t address = 0;
    const ke::Stop stop = kernel.run([&] {
        auto* resource = static_cast<PERESOURCE>(ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(ERESOURCE) + 32, tag));
        address = ke::parameter(resource);
        ExInitializeResourceLite(resource);
        ExFreePoolWithTag(resource, tag);
    });
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == 0xD2);
    CHECK(stop.parameters[1] == address);
    CHECK(stop.parameters[2] == address);
    CHECK(stop.parameters[3] == sizeof(ERESOURCE) + 32);
}

TEST_CASE("a thread that may be suspended must not own a resource", "[resource][bugcheck]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const bool at_release = GENERATE(false, true);
    ERESOURCE* resource = nullptr;
    const auto body = [&] {
        (void)ke::system_service([&] {
            resource = static_cast<ERESOURCE*>(ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *resource, tag));
            ExInitializeResourceLite(resource);
            KeEnterCriticalRegion();
            ExAcquireResourceSharedLite(resource, TRUE);
            if (!at_release) ExReleaseResourceLite(resource);
            KeLeaveCriticalRegion();
            if (at_release) ExReleaseResourceLite(resource);
            ExAcquireResourceExclusiveLite(resource, TRUE);
            return STATUS_SUCCESS;
        });
    };
    CHECK_THROWS_AS(kernel.run_as_application(process, body), ke::Stopped);
    const ke::Stop& stop = kernel.machine().stop;
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == (at_release ? 0x38 : 0x37));
    CHECK(stop.parameters[1] == PASSIVE_LEVEL);
    CHECK(stop.parameters[2] == 0);
    CHECK(stop.parameters[3] == ke::parameter(resource));
}

TEST_CASE("a deadlock of resources, push locks and mutexes is told with its owners", "[resource][stall]") {
    KernelFixture kernel;
    ERESOURCE resource;
    ERESOURCE second;
    EX_PUSH_LOCK push_lock;
    PFAST_MUTEX mutex = nullptr; // in the machine's memory, where reports look
    EX_RUNDOWN_REF rundown;
    const auto pause = [] { sleep_us(1'000); };
    const ke::Stop stop =
        kernel.run({[&] {
                        ExInitializeResourceLite(&resource);
                        ExInitializeResourceLite(&second);
                        mutex = static_cast<PFAST_MUTEX>(ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *mutex, tag));
                        ExInitializeFastMutex(mutex);
                        ExInitializePushLock(&push_lock);
                        ExInitializeRundownProtection(&rundown);
                        ExAcquireResourceExclusiveLite(&resource, TRUE);
                        ExAcquireRundownProtectionEx(&rundown, 3);
                        pause();
                        ExAcquirePushLockExclusive(&push_lock);
                    },
                    [&] {
                        pause();
                        ExAcquireFastMutex(mutex);
                        ExAcquireResourceSharedLite(&resource, TRUE);
                    },
                    [&] {
                        ExAcquirePushLockExclusive(&push_lock);
                        pause();
                        pause();
                        ExAcquireFastMutex(mutex);
                    },
                    [&] {
                        pause();
                        ExAcquireResourceSharedLite(&second, TRUE);
                        ExWaitForRundownProtectionRelease(&rundown);
                    }});
    REQUIRE(stop.kind == ke::StopKind::stall);
    NoNames names;
    const std::string report = diag::stop_report(kernel.machine(), names);
    CAPTURE(report);
    const auto told = [&](std::string_view text) { return report.find(text) != std::string::npos; };
    CHECK(told("waits for shared access to resource 0x"));
    CHECK(told("waits for exclusive access to push lock 0x"));
    CHECK(told("waits for fast mutex 0x"));
    CHECK(told("waits for the end of rundown protection 0x"));
    CHECK(told(", 3 references to come"));
    CHECK(told("Deadlock: thread 12 waits for thread 20, which waits for thread 16, which waits for thread 12"));
}
