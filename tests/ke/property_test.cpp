// Random threads with random waits, signals and timers, held against what must always be true.
#include "machines.hpp"

#include <algorithm>
#include <random>

using namespace ke_test;

namespace {

constexpr int steps_in_all = 10'000;

// Tokens are neither made nor lost: a semaphore's count is what was released less what was taken; an event of one token is
// there or with one thread; a mutex has one owner.
class World {
public:
    World() : steps_left_(steps_in_all) {
        KeInitializeEvent(&token_, SynchronizationEvent, TRUE);
        KeInitializeMutex(&mutex_, 0);
        KeInitializeTimerEx(&timer_, SynchronizationTimer);
    }

    void start() { KeInitializeSemaphore(&semaphore_, 3, 1000); }

    void act(std::minstd_rand& random) {
        while (steps_left_-- > 0) {
            switch (random() % 8) {
            case 0: take_semaphore(random); break;
            case 1: give_semaphore(random); break;
            case 2: hold_token(random); break;
            case 3: hold_mutex(random, 1 + static_cast<int>(random() % 3)); break;
            case 4: take_both(random); break;
            case 5: take_any(random); break;
            case 6: use_timer(random); break;
            default: pause(random); break;
            }
            check();
        }
    }

    void check_end() {
        CHECK(KeReadStateSemaphore(&semaphore_) == 3 + given_ - taken_);
        CHECK(KeReadStateEvent(&token_) == 1);
        CHECK(KeReadStateMutex(&mutex_) == 1);
        CHECK(IsListEmpty(&semaphore_.Header.WaitListHead));
        CHECK(IsListEmpty(&token_.Header.WaitListHead));
        CHECK(IsListEmpty(&mutex_.Header.WaitListHead));
        CHECK(satisfied_ > steps_in_all / 8);
        CHECK(timed_out_ > 0);
    }

private:
    static void pause(std::minstd_rand& random) {
        if (random() % 2 == 0) {
            work(static_cast<unsigned>(random() % 200));
        } else {
            sleep_us(static_cast<std::int64_t>(random() % 20));
        }
    }

    // A wait with a random time-out; counts how it ended, and checks that a time-out came neither early nor late.
    bool got(NTSTATUS status, std::uint64_t began, std::int64_t us) {
        REQUIRE(KeGetCurrentIrql() == PASSIVE_LEVEL);
        if (status == STATUS_TIMEOUT) {
            ++timed_out_;
            REQUIRE(now() + 100 >= began + static_cast<std::uint64_t>(us) * 1000);
            return false;
        }
        ++satisfied_;
        return true;
    }

    bool wait_a_while(void* object, std::minstd_rand& random) {
        const auto us = static_cast<std::int64_t>(random() % 60);
        const std::uint64_t began = now();
        const NTSTATUS status = wait_us(object, us);
        REQUIRE((status == STATUS_SUCCESS || status == STATUS_TIMEOUT));
        return got(status, began, us);
    }

    void take_semaphore(std::minstd_rand& random) {
        if (wait_a_while(&semaphore_, random)) ++taken_;
    }
    void give_semaphore(std::minstd_rand& random) {
        const auto count = static_cast<LONG>(1 + random() % 2);
        if (KeReadStateSemaphore(&semaphore_) > 900) return;
        given_ += count; // before: the release may let others run
        KeReleaseSemaphore(&semaphore_, static_cast<KPRIORITY>(random() % 3), count, FALSE);
    }
    void inside_token(std::minstd_rand& random) {
        REQUIRE(++token_holders_ == 1);
        pause(random);
        --token_holders_;
        KeSetEvent(&token_, static_cast<KPRIORITY>(random() % 4), FALSE);
    }
    void hold_token(std::minstd_rand& random) {
        if (wait_a_while(&token_, random)) inside_token(random);
    }
    void inside_mutex(std::minstd_rand& random) {
        REQUIRE(++owners_ == 1);
        REQUIRE(KeAreApcsDisabled());
        pause(random);
        --owners_;
    }
    void hold_mutex(std::minstd_rand& random, int depth) {
        if (!wait_a_while(&mutex_, random)) return;
        for (int i = 1; i < depth; ++i) REQUIRE(wait(&mutex_) == STATUS_SUCCESS);
        inside_mutex(random);
        for (int i = 0; i < depth; ++i) KeReleaseMutex(&mutex_, FALSE);
        REQUIRE_FALSE(KeAreApcsDisabled());
    }
    void take_both(std::minstd_rand& random) {
        const auto us = static_cast<std::int64_t>(random() % 100);
        LARGE_INTEGER timeout = relative_us(us);
        const std::uint64_t began = now();
        if (!got(wait_many({&token_, &mutex_}, WaitAll, &timeout), began, us)) return;
        inside_mutex(random);
        KeReleaseMutex(&mutex_, FALSE);
        inside_token(random);
    }
    void take_any(std::minstd_rand& random) {
        const auto us = static_cast<std::int64_t>(random() % 100);
        LARGE_INTEGER timeout = relative_us(us);
        const std::uint64_t began = now();
        const NTSTATUS status = wait_many({&semaphore_, &token_, &mutex_}, WaitAny, &timeout);
        if (!got(status, began, us)) return;
        if (status == STATUS_WAIT_0) ++taken_;
        if (status == STATUS_WAIT_1) inside_token(random);
        if (status == STATUS_WAIT_2) {
            inside_mutex(random);
            KeReleaseMutex(&mutex_, FALSE);
        }
    }
    void use_timer(std::minstd_rand& random) {
        if (random() % 4 == 0) {
            KeCancelTimer(&timer_);
        } else if (random() % 2 == 0) {
            KeSetTimer(&timer_, relative_us(static_cast<std::int64_t>(random() % 50)), nullptr);
        } else {
            (void)wait_a_while(&timer_, random);
        }
    }

    void check() {
        const ke::Machine& machine = ke::current_machine();
        REQUIRE(timers_in_order(machine));
        for (unsigned i = 0; i < machine.processor_count; ++i) {
            if (!summary_is_right(*machine.processors[i])) FAIL("the ready summary of processor " << i << " is wrong");
        }
    }
    static bool timers_in_order(const ke::Machine& machine) {
        std::uint64_t last = 0;
        for (LIST_ENTRY* entry = machine.timers.Flink; entry != &machine.timers; entry = entry->Flink) {
            const KTIMER& timer = *CONTAINING_RECORD(entry, KTIMER, TimerListEntry);
            if (timer.Header.Inserted != 1 || timer.DueTime.QuadPart < last) return false;
            last = timer.DueTime.QuadPart;
        }
        return true;
    }
    static bool summary_is_right(const ke::Processor& processor) {
        std::uint32_t summary = 0;
        for (unsigned priority = 0; priority < 32; ++priority) {
            const LIST_ENTRY& list = processor.ready[priority];
            if (list.Flink != &list) summary |= 1u << priority;
        }
        return summary == processor.ready_summary;
    }

    int steps_left_;
    KSEMAPHORE semaphore_{};
    KEVENT token_{};
    KMUTEX mutex_{};
    KTIMER timer_{};
    LONG given_ = 0, taken_ = 0;
    int token_holders_ = 0, owners_ = 0;
    int satisfied_ = 0, timed_out_ = 0;
};

} // namespace

TEST_CASE("10,000 random steps keep every invariant", "[ke][property]") {
    for (const unsigned processors : {1u, 2u, 7u, 64u}) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            INFO("processors " << processors << ", seed " << seed);
            KernelFixture kernel({}, shape(processors, seed));
            World world;
            kernel.run([&] { world.start(); });
            Bodies bodies;
            for (unsigned who = 0; who < 8; ++who) {
                bodies.push_back([&, who] {
                    std::minstd_rand random(static_cast<unsigned>(seed * 100 + who + 1));
                    if (who % 3 == 0) become(static_cast<int>(6 + random() % 6));
                    world.act(random);
                });
            }
            check_finished(kernel.run(bodies));
            check_finished(kernel.run([&] {
                sleep_us(200);
                world.check_end();
            }));
        }
    }
}
