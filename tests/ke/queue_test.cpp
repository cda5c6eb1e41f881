// KQUEUE: entries in order, waiters last come first served, the bound on active threads, run-down; and a model.
#include "machines.hpp"

#include "ke/queue.hpp"

#include <algorithm>
#include <deque>
#include <random>

using namespace ke_test;

namespace {

struct Item {
    LIST_ENTRY entry;
    int number;
};

const PLIST_ENTRY timed_out = reinterpret_cast<PLIST_ENTRY>(ULONG_PTR{STATUS_TIMEOUT});
const PLIST_ENTRY abandoned = reinterpret_cast<PLIST_ENTRY>(ULONG_PTR{STATUS_ABANDONED});

int number_of(PLIST_ENTRY entry) { return CONTAINING_RECORD(entry, Item, entry)->number; }
PLIST_ENTRY get(KQUEUE& queue) { return KeRemoveQueue(&queue, KernelMode, nullptr); }
PLIST_ENTRY get_us(KQUEUE& queue, std::int64_t us) {
    LARGE_INTEGER time = relative_us(us);
    return KeRemoveQueue(&queue, KernelMode, &time);
}

} // namespace

TEST_CASE("a queue gives its entries in order, the front ones first, and says how many there were", "[ke][queue]") {
    KernelFixture kernel({}, shape(3));
    check_finished(kernel.run([] {
        KQUEUE queue;
        Item items[3] = {{{}, 0}, {{}, 1}, {{}, 2}};
        KeInitializeQueue(&queue, 0);
        CHECK(queue.MaximumCount == 3); // the number of processors
        KeInitializeQueue(&queue, 1);
        CHECK(queue.MaximumCount == 1);
        CHECK(KeReadStateQueue(&queue) == 0);
        CHECK(KeInsertQueue(&queue, &items[0].entry) == 0);
        CHECK(KeInsertQueue(&queue, &items[1].entry) == 1);
        CHECK(KeInsertHeadQueue(&queue, &items[2].entry) == 2);
        CHECK(KeReadStateQueue(&queue) == 3);
        for (const int expected : {2, 0, 1}) CHECK(number_of(get(queue)) == expected);
        CHECK(KeReadStateQueue(&queue) == 0);
        CHECK(items[0].entry.Flink == nullptr);
        CHECK(get_us(queue, 0) == timed_out);
        const std::uint64_t before = now_us();
        CHECK(get_us(queue, 500) == timed_out);
        CHECK(now_us() - before >= 499);
        CHECK(queue.CurrentCount == 1);
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK(KeInsertQueue(&queue, &items[1].entry) == 0);
        CHECK(number_of(get_us(queue, 0)) == 1);
        KeLowerIrql(old);
    }));
}

TEST_CASE("who came last to wait for a queue goes first", "[ke][queue]") {
    KernelFixture kernel({}, shape(1));
    KQUEUE queue;
    Item items[3] = {{{}, 0}, {{}, 1}, {{}, 2}};
    std::vector<int> order;
    kernel.run([&] { KeInitializeQueue(&queue, 3); });
    Bodies bodies;
    for (int who = 0; who < 3; ++who) {
        bodies.push_back([&, who] {
            sleep_us(100 * (who + 1));
            const int got = number_of(get(queue));
            order.push_back(who * 10 + got);
        });
    }
    bodies.push_back([&] {
        sleep_us(1000);
        for (Item& item : items) {
            KeInsertQueue(&queue, &item.entry);
            sleep_us(50);
        }
    });
    check_finished(kernel.run(bodies));
    CHECK(order == std::vector<int>{20, 11, 2});
    CHECK(queue.CurrentCount == 0); // they have ended
}

TEST_CASE("no more threads than the bound work on entries; one that waits makes room", "[ke][queue]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        KQUEUE queue;
        std::vector<Item> items(40);
        int active = 0, most = 0, done = 0;
        Event gate;
        kernel.run([&] { KeInitializeQueue(&queue, 2); });
        Bodies bodies;
        for (int who = 0; who < 5; ++who) {
            bodies.push_back([&, who] {
                while (get(queue) != abandoned) {
                    most = std::max(most, ++active);
                    work(50);
                    --active;
                    if (who % 2 == 0) sleep_us(5); // another may go on
                    ++done;
                }
            });
        }
        bodies.push_back([&] {
            for (Item& item : items) KeInsertQueue(&queue, &item.entry);
            while (done < 40) sleep_us(100);
            CHECK(KeRundownQueue(&queue) == nullptr);
        });
        check_finished(kernel.run(bodies));
        CHECK(most <= 2);
        CHECK(done == 40);
    });
}

TEST_CASE("a thread of a queue that blocks elsewhere lets the next one have an entry", "[ke][queue]") {
    KernelFixture kernel({}, shape(1));
    KQUEUE queue;
    Item items[2] = {{{}, 0}, {{}, 1}};
    Event gate(NotificationEvent);
    bool second_ran = false;
    kernel.run([&] {
        KeInitializeQueue(&queue, 1);
        for (Item& item : items) KeInsertQueue(&queue, &item.entry);
    });
    Bodies bodies;
    bodies.push_back([&] {
        CHECK(number_of(get(queue)) == 0);
        sleep_us(100); // the second has its entry now
        CHECK(second_ran);
        CHECK(queue.CurrentCount == 2); // woken, a thread counts at once: the bound is for those that ask
        gate.set();
    });
    bodies.push_back([&] {
        sleep_us(10);
        CHECK(number_of(get(queue)) == 1);
        second_ran = true;
        work(100'000); // it does not wait
        wait(&gate);
    });
    check_finished(kernel.run(bodies));
}

TEST_CASE("a queue that is run down gives its entries back, wakes its waiters, and stays so", "[ke][queue]") {
    KernelFixture kernel({}, shape(2));
    KQUEUE queue;
    Item items[3] = {{{}, 0}, {{}, 1}, {{}, 2}};
    kernel.run([&] { KeInitializeQueue(&queue, 1); });
    int woken = 0;
    Bodies bodies;
    for (int who = 0; who < 2; ++who) {
        bodies.push_back([&] {
            if (get(queue) == abandoned) ++woken;
        });
    }
    bodies.push_back([&] {
        sleep_us(100);
        KeEnterCriticalRegion();
        CHECK(KeRundownQueue(&queue) == nullptr);
        KeLeaveCriticalRegion();
        sleep_us(100);
        CHECK(woken == 2);
        CHECK(get(queue) == abandoned);
        KeInitializeQueue(&queue, 1);
        for (Item& item : items) KeInsertQueue(&queue, &item.entry);
        CHECK(number_of(get(queue)) == 0);
        const PLIST_ENTRY first = KeRundownQueue(&queue);
        CHECK(first == &items[1].entry); // a ring without a head
        CHECK(first->Flink == &items[2].entry);
        CHECK(first->Flink->Flink == first);
        CHECK(KeReadStateQueue(&queue) == 0);
    });
    check_finished(kernel.run(bodies));
}

TEST_CASE("a thread that asks another queue is no longer the first one's", "[ke][queue]") {
    KernelFixture kernel({}, shape(1));
    check_finished(kernel.run([] {
        KQUEUE first, second;
        Item item{{}, 7};
        KeInitializeQueue(&first, 1);
        KeInitializeQueue(&second, 1);
        KeInsertQueue(&first, &item.entry);
        CHECK(number_of(get(first)) == 7);
        CHECK(first.CurrentCount == 1);
        CHECK_FALSE(IsListEmpty(&first.ThreadListHead));
        CHECK(get_us(second, 0) == timed_out);
        CHECK(first.CurrentCount == 0);
        CHECK(IsListEmpty(&first.ThreadListHead));
        CHECK(second.CurrentCount == 1);
    }));
}

TEST_CASE("a wait for a queue obeys the rules for waits; garbage is no queue", "[ke][queue]") {
    KernelFixture kernel;
    static KQUEUE queue;
    queue = {};
    SECTION("at DISPATCH_LEVEL only with a time-out of zero") {
        check_bug_check(kernel.run([] {
            KeInitializeQueue(&queue, 1);
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            get(queue);
        }),
                        DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3B);
    }
    SECTION("above DISPATCH_LEVEL no entry is inserted") {
        check_bug_check(kernel.run([] {
            KeInitializeQueue(&queue, 1);
            static Item item;
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
            KeInsertQueue(&queue, &item.entry);
        }),
                        DRIVER_VERIFIER_DETECTED_VIOLATION);
    }
    SECTION("never initialised") {
        check_bug_check(kernel.run([] { get(queue); }), IRQL_NOT_LESS_OR_EQUAL);
    }
    SECTION("KeWaitForSingleObject is not for queues") {
        check_bug_check(kernel.run([] {
            KeInitializeQueue(&queue, 1);
            wait(&queue);
        }),
                        IRQL_NOT_LESS_OR_EQUAL);
    }
}

TEST_CASE("10,000 random steps of one thread: a queue is a deque", "[ke][queue][property]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        std::minstd_rand random(7);
        KQUEUE queue;
        KeInitializeQueue(&queue, 1);
        std::vector<Item> items(64);
        std::vector<int> free;
        for (int i = 0; i < 64; ++i) items[static_cast<std::size_t>(i)].number = i, free.push_back(i);
        std::deque<int> model;
        for (int step = 0; step < 10'000; ++step) {
            const bool insert = random() % 2 == 0 && !free.empty();
            if (insert) {
                const int number = free.back();
                free.pop_back();
                const bool front = random() % 3 == 0;
                LIST_ENTRY* entry = &items[static_cast<std::size_t>(number)].entry;
                const LONG lay = front ? KeInsertHeadQueue(&queue, entry) : KeInsertQueue(&queue, entry);
                REQUIRE(lay == static_cast<LONG>(model.size()));
                front ? model.push_front(number) : model.push_back(number);
            } else {
                const PLIST_ENTRY got = get_us(queue, 0);
                if (model.empty()) {
                    REQUIRE(got == timed_out);
                } else {
                    REQUIRE(number_of(got) == model.front());
                    free.push_back(model.front());
                    model.pop_front();
                }
            }
            REQUIRE(KeReadStateQueue(&queue) == static_cast<LONG>(model.size()));
        }
    }));
}

// Producers and consumers at random: each entry comes out once, whoever is interrupted by whom.
TEST_CASE("random producers and consumers of a queue lose nothing", "[ke][queue][property]") {
    for (const unsigned processors : {1u, 3u}) {
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
            INFO("processors " << processors << ", seed " << seed);
            KernelFixture kernel({}, shape(processors, seed));
            KQUEUE queue;
            constexpr int producers = 3, consumers = 5, each = 1200;
            std::vector<Item> items(producers * each);
            std::vector<int> seen(producers * each);
            int taken = 0, finished = 0, timeouts = 0;
            kernel.run([&] { KeInitializeQueue(&queue, 2); });
            Bodies bodies;
            for (int who = 0; who < producers; ++who) {
                bodies.push_back([&, who] {
                    std::minstd_rand random(static_cast<unsigned>(seed * 50 + 1 + static_cast<unsigned>(who)));
                    for (int i = 0; i < each; ++i) {
                        Item& item = items[static_cast<std::size_t>(who * each + i)];
                        item.number = who * each + i;
                        const LONG lay = KeInsertQueue(&queue, &item.entry);
                        REQUIRE(lay >= 0);
                        if (random() % 3 == 0) sleep_us(static_cast<std::int64_t>(random() % 30));
                    }
                    if (++finished != producers) return;
                    while (taken < producers * each) sleep_us(50);
                    REQUIRE(KeRundownQueue(&queue) == nullptr);
                });
            }
            for (int who = 0; who < consumers; ++who) {
                bodies.push_back([&, who] {
                    std::minstd_rand random(static_cast<unsigned>(seed * 50 + 20 + static_cast<unsigned>(who)));
                    for (;;) {
                        const PLIST_ENTRY got =
                            random() % 4 == 0 ? get_us(queue, static_cast<std::int64_t>(random() % 20)) : get(queue);
                        if (got == abandoned) return;
                        if (got == timed_out) {
                            ++timeouts;
                            continue;
                        }
                        const int number = number_of(got);
                        REQUIRE(++seen[static_cast<std::size_t>(number)] == 1);
                        ++taken;
                        if (random() % 2 == 0) sleep_us(static_cast<std::int64_t>(random() % 10));
                    }
                });
            }
            check_finished(kernel.run(bodies));
            CHECK(taken == producers * each);
            CHECK(timeouts > 0);
            CHECK(queue.CurrentCount == 0);
        }
    }
}
