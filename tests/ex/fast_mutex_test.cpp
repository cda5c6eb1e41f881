#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>

using namespace dirql;
using test::KernelFixture;

TEST_CASE("a fast mutex keeps others out, and its owner at APC_LEVEL", "[mutex]") {
    KernelFixture kernel;
    FAST_MUTEX mutex;
    int inside = 0;
    int most_inside = 0;
    int rounds = 0;
    const auto body = [&] {
        for (int i = 0; i < 50; ++i) {
            ExAcquireFastMutex(&mutex);
            most_inside = std::max(most_inside, ++inside);
            CHECK(KeGetCurrentIrql() == APC_LEVEL);
            KeStallExecutionProcessor(30); // longer than a turn
            ++rounds;
            --inside;
            ExReleaseFastMutex(&mutex);
            CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        }
    };
    ke::Stop stop = kernel.run([&] { ExInitializeFastMutex(&mutex); });
    stop = kernel.run({body, body, body});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(most_inside == 1);
    CHECK(rounds == 150);
    CHECK(mutex.Contention > 0);
    CHECK(mutex.Count == 1);
    CHECK(mutex.Owner == nullptr);
}

TEST_CASE("trying takes a free mutex only", "[mutex]") {
    KernelFixture kernel;
    FAST_MUTEX mutex;
    (void)kernel.run([&] {
        ExInitializeFastMutex(&mutex);
        CHECK(ExTryToAcquireFastMutex(&mutex) == TRUE);
        CHECK(KeGetCurrentIrql() == APC_LEVEL);
        CHECK(ExTryToAcquireFastMutex(&mutex) == FALSE);
        ExReleaseFastMutex(&mutex);
        KIRQL old;
        KeRaiseIrql(APC_LEVEL, &old);
        ExAcquireFastMutex(&mutex);
        ExReleaseFastMutex(&mutex);
        CHECK(KeGetCurrentIrql() == APC_LEVEL); // back to its own level
        KeLowerIrql(old);
    });
}

TEST_CASE("a guarded mutex holds APCs back without raising the level", "[mutex]") {
    KernelFixture kernel;
    KGUARDED_MUTEX mutex;
    std::memset(&mutex, 0x55, sizeof mutex); // as memory may be
    const ke::Stop stop = kernel.run([&] {
        KeInitializeGuardedMutex(&mutex);
        KeAcquireGuardedMutex(&mutex);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        CHECK(KeAreAllApcsDisabled() == TRUE);
        CHECK(KeTryToAcquireGuardedMutex(&mutex) == FALSE);
        KeReleaseGuardedMutex(&mutex);
        CHECK(KeAreAllApcsDisabled() == FALSE);
        CHECK(KeTryToAcquireGuardedMutex(&mutex) == TRUE);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        CHECK(KeAreAllApcsDisabled() == TRUE);
        KeReleaseGuardedMutex(&mutex);
        CHECK(KeAreAllApcsDisabled() == FALSE);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("misuse of fast mutexes", "[mutex][bugcheck]") {
    KernelFixture kernel;
    FAST_MUTEX mutex;
    ke::Stop stop{};
    const auto check = [&](std::uint64_t code, std::uint64_t p2, std::uint64_t p3, std::uint64_t p4) {
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == code);
        CHECK(stop.parameters[1] == p2);
        CHECK(stop.parameters[2] == p3);
        CHECK(stop.parameters[3] == p4);
    };
    const std::uint64_t address = ke::parameter(&mutex);
    SECTION("acquired at DISPATCH_LEVEL") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            KeRaiseIrqlToDpcLevel();
            ExAcquireFastMutex(&mutex);
        });
        check(0x33, DISPATCH_LEVEL, address, 0);
    }
    SECTION("released at PASSIVE_LEVEL") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            ExAcquireFastMutex(&mutex);
            KeLowerIrql(PASSIVE_LEVEL);
            ExReleaseFastMutex(&mutex);
        });
        check(0x34, PASSIVE_LEVEL, 0, address);
    }
    SECTION("acquired unsafe with APCs enabled") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            ExAcquireFastMutexUnsafe(&mutex);
        });
        check(0x39, PASSIVE_LEVEL, 0, address);
    }
    SECTION("released unsafe with APCs enabled") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            KeEnterCriticalRegion();
            ExAcquireFastMutexUnsafe(&mutex);
            KeLeaveCriticalRegion();
            ExReleaseFastMutexUnsafe(&mutex);
        });
        check(0x3A, PASSIVE_LEVEL, 0, address);
    }
    SECTION("acquired twice") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            ExAcquireFastMutex(&mutex);
            ExAcquireFastMutex(&mutex);
        });
        check(0x1000, address, 0, 0);
    }
    SECTION("released without an owner") {
        stop = kernel.run([&] {
            ExInitializeFastMutex(&mutex);
            KfRaiseIrql(APC_LEVEL);
            ExReleaseFastMutex(&mutex);
        });
        check(0x1007, address, 0, 0);
    }
    SECTION("released by another thread") {
        std::uint64_t owner = 0;
        std::uint64_t other = 0;
        stop = kernel.run({[&] {
                               ExInitializeFastMutex(&mutex);
                               ExAcquireFastMutex(&mutex);
                               owner = ke::parameter(ke::current_thread());
                               LARGE_INTEGER second;
                               second.QuadPart = -10'000'000;
                               KeDelayExecutionThread(KernelMode, FALSE, &second);
                           },
                           [&] {
                               LARGE_INTEGER soon;
                               soon.QuadPart = -10'000;
                               KeDelayExecutionThread(KernelMode, FALSE, &soon);
                               other = ke::parameter(ke::current_thread());
                               KfRaiseIrql(APC_LEVEL);
                               ExReleaseFastMutex(&mutex);
                           }});
        check(0x1004, address, owner, other);
    }
}
