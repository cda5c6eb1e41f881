// In-stack queued and reader-writer spin locks: exclusion, order, conversion, misuse.
#include "machines.hpp"

#include <algorithm>
#include <random>

using namespace ke_test;

extern "C" VOID NTAPI KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK, PKLOCK_QUEUE_HANDLE);

namespace {

std::uint32_t held_here() { return ke::current_processor()->held.count; }

void check_stop(const std::function<void()>& body, std::uint32_t code, std::uint64_t first = 0) {
    KernelFixture kernel;
    check_bug_check(kernel.run(body), code, first);
}

} // namespace

TEST_CASE("a queued spin lock goes to those that wait in the order in which they came", "[ke][queued_lock]") {
    constexpr unsigned processors = 6;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        KernelFixture kernel({}, shape(processors, seed));
        KSPIN_LOCK lock;
        KeInitializeSpinLock(&lock);
        std::vector<unsigned> came, got;
        int inside = 0;
        Bodies bodies;
        for (unsigned number = 0; number < processors; ++number) {
            bodies.push_back([&, number] {
                stay_on(number);
                for (int round = 0; round < 20; ++round) {
                    KLOCK_QUEUE_HANDLE handle;
                    KIRQL old;
                    KeRaiseIrql(DISPATCH_LEVEL, &old);
                    ke::current_processor()->horizon = ~0ULL; // nothing comes between the note and the queue
                    came.push_back(number);
                    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
                    got.push_back(number);
                    REQUIRE(++inside == 1);
                    REQUIRE(held_here() == 1);
                    REQUIRE_FALSE(KeTestSpinLock(&lock));
                    ke::update_horizon(ke::current_processor());
                    work(20);
                    --inside;
                    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
                    KeLowerIrql(old);
                    work(number * 3);
                }
            });
        }
        check_finished(kernel.run(bodies));
        CHECK(came == got);
        CHECK(came.size() == processors * 20);
        CHECK(lock == 0);
    }
}

TEST_CASE("the forms of queued spin locks raise and restore the IRQL", "[ke][queued_lock]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KSPIN_LOCK lock = 0;
        KLOCK_QUEUE_HANDLE handle;
        KeAcquireInStackQueuedSpinLock(&lock, &handle);
        CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
        CHECK(handle.OldIrql == PASSIVE_LEVEL);
        KLOCK_QUEUE_HANDLE inner;
        KSPIN_LOCK other = 0;
        KeAcquireInStackQueuedSpinLockForDpc(&other, &inner);
        CHECK(held_here() == 2);
        KeReleaseInStackQueuedSpinLock(&handle); // not the last one acquired
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        KeRaiseIrqlToDpcLevel();
        KeReleaseInStackQueuedSpinLockForDpc(&inner);
        CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(held_here() == 0);
        KeAcquireInStackQueuedSpinLockForDpc(&other, &inner);
        CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
        KeReleaseInStackQueuedSpinLockForDpc(&inner);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        KeAcquireInStackQueuedSpinLockRaiseToSynch(&lock, &handle);
        CHECK(KeGetCurrentIrql() == 12);
        KeReleaseInStackQueuedSpinLock(&handle);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        CHECK(KeRaiseIrqlToSynchLevel() == PASSIVE_LEVEL);
        CHECK(KeGetCurrentIrql() == 12);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(lock == 0);
        KeInitializeSpinLock(&lock);
        KeRaiseIrqlToDpcLevel();
        CHECK(KeTryToAcquireSpinLockAtDpcLevel(&lock));
        CHECK_FALSE(KeTryToAcquireSpinLockAtDpcLevel(&lock));
        KeReleaseSpinLock(&lock, PASSIVE_LEVEL);
    }));
}

TEST_CASE("misuse of queued spin locks is found", "[ke][queued_lock]") {
    static KSPIN_LOCK lock;
    static KLOCK_QUEUE_HANDLE handle, other;
    lock = 0;
    handle = other = {};
    SECTION("acquired twice by one processor") {
        check_stop(
            [] {
                KeAcquireInStackQueuedSpinLock(&lock, &handle);
                KeAcquireInStackQueuedSpinLock(&lock, &other);
            },
            SPIN_LOCK_ALREADY_OWNED);
    }
    SECTION("released twice") {
        check_stop(
            [] {
                KeAcquireInStackQueuedSpinLock(&lock, &handle);
                KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
                KeReleaseInStackQueuedSpinLock(&handle);
            },
            SPIN_LOCK_NOT_OWNED);
    }
    SECTION("held as an ordinary one") {
        check_stop(
            [] {
                KIRQL old;
                KeAcquireSpinLock(&lock, &old);
                KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
            },
            SPIN_LOCK_NOT_OWNED);
    }
    SECTION("acquired as an ordinary one while it is held as a queued one") {
        check_stop(
            [] {
                KIRQL old;
                KeAcquireInStackQueuedSpinLock(&lock, &handle);
                KeAcquireSpinLock(&lock, &old);
            },
            SPIN_LOCK_NOT_OWNED, reinterpret_cast<std::uintptr_t>(&lock));
    }
    SECTION("released as an ordinary one") {
        check_stop(
            [] {
                KeAcquireInStackQueuedSpinLock(&lock, &handle);
                KeReleaseSpinLock(&lock, PASSIVE_LEVEL);
            },
            SPIN_LOCK_NOT_OWNED);
    }
    SECTION("at DPC level, below it") {
        check_stop([] { KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle); },
                   DRIVER_VERIFIER_DETECTED_VIOLATION);
    }
    SECTION("a release that would raise") {
        check_stop(
            [] {
                KeAcquireInStackQueuedSpinLock(&lock, &handle);
                handle.OldIrql = HIGH_LEVEL;
                KeReleaseInStackQueuedSpinLock(&handle);
            },
            DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31);
    }
    SECTION("held when a DPC routine returns") {
        static KDPC dpc;
        check_stop(
            [] {
                KeInitializeDpc(
                    &dpc, [](PKDPC, PVOID, PVOID, PVOID) { KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle); },
                    nullptr);
                KeInsertQueueDpc(&dpc, nullptr, nullptr);
            },
            DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00040009);
    }
}

TEST_CASE("readers share a spin lock, a writer is alone and is not starved", "[ke][shared_lock]") {
    for (const unsigned processors : {2u, 4u, 8u}) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            INFO("processors " << processors << ", seed " << seed);
            KernelFixture kernel({}, shape(processors, seed));
            EX_SPIN_LOCK lock = 0;
            int readers = 0, writers = 0, most_readers = 0, writes = 0, converted = 0;
            Bodies bodies;
            for (unsigned number = 0; number < processors; ++number) {
                bodies.push_back([&, number] {
                    stay_on(number);
                    std::minstd_rand random(static_cast<unsigned>(seed * 100 + number + 1));
                    for (int round = 0; round < 40; ++round) {
                        const bool write = random() % 4 == 0;
                        KIRQL old = write ? ExAcquireSpinLockExclusive(&lock) : ExAcquireSpinLockShared(&lock);
                        REQUIRE(old == PASSIVE_LEVEL);
                        REQUIRE(KeGetCurrentIrql() == DISPATCH_LEVEL);
                        if (write) {
                            REQUIRE(++writers == 1);
                            REQUIRE(readers == 0);
                            work(30);
                            ++writes;
                            --writers;
                            ExReleaseSpinLockExclusive(&lock, old);
                        } else {
                            most_readers = std::max(most_readers, ++readers);
                            REQUIRE(writers == 0);
                            work(100);
                            --readers;
                            if (random() % 4 == 0 && ExTryConvertSharedSpinLockExclusive(&lock)) {
                                REQUIRE(readers == 0);
                                REQUIRE(++writers == 1);
                                work(20);
                                --writers;
                                ++converted;
                                ExReleaseSpinLockExclusive(&lock, old);
                            } else {
                                ExReleaseSpinLockShared(&lock, old);
                            }
                        }
                        REQUIRE(held_here() == 0);
                        work(5);
                    }
                });
            }
            check_finished(kernel.run(bodies));
            CHECK(lock == 0);
            CHECK(writes > 0);
            if (processors > 2) CHECK(most_readers >= 2);
            CHECK(converted > 0);
        }
    }
}

// One thread against a model of the lock's state: 10,000 steps on two locks of each kind.
TEST_CASE("10,000 random steps of spin locks keep to a model", "[ke][shared_lock][property]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        enum State { open, plain, queued, shared, exclusive };
        struct Lock {
            KSPIN_LOCK word = 0;
            EX_SPIN_LOCK rw = 0;
            KLOCK_QUEUE_HANDLE handle{};
            State state = open;
        } locks[4];
        std::minstd_rand random(11);
        KeRaiseIrqlToDpcLevel();
        ke::begin_work(ke::current_processor());
        for (int step = 0; step < 10'000; ++step) {
            Lock& lock = locks[random() % 4];
            switch (lock.state) {
            case open:
                lock.state = static_cast<State>(1 + random() % 4);
                if (lock.state == plain) KeAcquireSpinLockAtDpcLevel(&lock.word);
                if (lock.state == queued) KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock.word, &lock.handle);
                if (lock.state == shared) ExAcquireSpinLockSharedAtDpcLevel(&lock.rw);
                if (lock.state == exclusive) ExAcquireSpinLockExclusiveAtDpcLevel(&lock.rw);
                break;
            case plain:
                KeReleaseSpinLockFromDpcLevel(&lock.word);
                lock.state = open;
                break;
            case queued:
                KeReleaseInStackQueuedSpinLockFromDpcLevel(&lock.handle);
                lock.state = open;
                break;
            case shared:
                if (random() % 2 == 0) {
                    REQUIRE(ExTryConvertSharedSpinLockExclusive(&lock.rw) != FALSE);
                    lock.state = exclusive;
                } else {
                    ExReleaseSpinLockSharedFromDpcLevel(&lock.rw);
                    lock.state = open;
                }
                break;
            case exclusive:
                ExReleaseSpinLockExclusiveFromDpcLevel(&lock.rw);
                lock.state = open;
                break;
            }
            unsigned held = 0;
            for (Lock& one : locks) {
                held += one.state != open;
                REQUIRE((KeTestSpinLock(&one.word) != FALSE) == (one.state != plain && one.state != queued));
                REQUIRE(one.rw == (one.state == shared ? 1 : one.state == exclusive ? LONG(MINLONG) : 0));
            }
            REQUIRE(held_here() == held);
        }
        for (Lock& lock : locks) {
            if (lock.state == plain) KeReleaseSpinLockFromDpcLevel(&lock.word);
            if (lock.state == queued) KeReleaseInStackQueuedSpinLockFromDpcLevel(&lock.handle);
            if (lock.state == shared) ExReleaseSpinLockSharedFromDpcLevel(&lock.rw);
            if (lock.state == exclusive) ExReleaseSpinLockExclusiveFromDpcLevel(&lock.rw);
        }
        KeLowerIrql(PASSIVE_LEVEL);
    }));
}

TEST_CASE("misuse of reader-writer spin locks is found", "[ke][shared_lock]") {
    static EX_SPIN_LOCK lock;
    lock = 0;
    SECTION("exclusive twice") {
        check_stop([] { ExAcquireSpinLockExclusive(&lock), ExAcquireSpinLockExclusive(&lock); },
                   SPIN_LOCK_ALREADY_OWNED);
    }
    SECTION("shared twice") {
        check_stop([] { ExAcquireSpinLockShared(&lock), ExAcquireSpinLockShared(&lock); }, SPIN_LOCK_ALREADY_OWNED);
    }
    SECTION("shared released as exclusive") {
        check_stop([] { ExReleaseSpinLockExclusive(&lock, ExAcquireSpinLockShared(&lock)); }, SPIN_LOCK_NOT_OWNED);
    }
    SECTION("exclusive released as shared") {
        check_stop([] { ExReleaseSpinLockShared(&lock, ExAcquireSpinLockExclusive(&lock)); }, SPIN_LOCK_NOT_OWNED);
    }
    SECTION("converted without being shared") {
        check_stop([] { KeRaiseIrqlToDpcLevel(), ExTryConvertSharedSpinLockExclusive(&lock); }, SPIN_LOCK_NOT_OWNED);
    }
    SECTION("a release that would raise") {
        check_stop([] { ExAcquireSpinLockShared(&lock), ExReleaseSpinLockShared(&lock, HIGH_LEVEL); },
                   DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31);
    }
    SECTION("released below DISPATCH_LEVEL") {
        check_stop([] { ExAcquireSpinLockShared(&lock), KeLowerIrql(0), ExReleaseSpinLockShared(&lock, 0); },
                   DRIVER_VERIFIER_DETECTED_VIOLATION);
    }
}
