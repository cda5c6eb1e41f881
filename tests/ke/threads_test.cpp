// Machines side by side, each on a host thread of its own. No assertion is made on those threads.
#include "race.hpp"

#include <thread>

using namespace ke_test;

namespace {

// Runs the race several times on this host thread; tells whether each went as expected.
void repeat(const ke::MachineOptions& options, const Steps& expected, bool& same) {
    same = true;
    for (int i = 0; i < 10; ++i) same = same && race(options) == expected;
}

// A machine that ends in a bug check, each time in the same way.
void crash(bool& same) {
    same = true;
    for (int i = 0; i < 10; ++i) {
        KernelFixture kernel({}, shape(2));
        const ke::Stop stop = kernel.run([] {
            sleep_us(5);
            KeBugCheckEx(0xE2, 1, 2, 3, 4);
        });
        same = same && stop.kind == ke::StopKind::bug_check && stop.code == 0xE2 && stop.parameters[3] == 4;
    }
}

} // namespace

TEST_CASE("machines on several host threads run as each does alone", "[ke][threads]") {
    const ke::MachineOptions shapes[] = {shape(1, 1), shape(4, 2), shape(16, 3)};
    Steps expected[3];
    for (int i = 0; i < 3; ++i) expected[i] = race(shapes[i]);
    bool same[4] = {};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back(repeat, shapes[i], std::cref(expected[i]), std::ref(same[i]));
    threads.emplace_back(crash, std::ref(same[3]));
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < 4; ++i) {
        INFO("host thread " << i);
        CHECK(same[i]);
        if (i < 3) CHECK(expected[i].size() > 100);
    }
}

TEST_CASE("one machine after another may run on other host threads", "[ke][threads]") {
    const Steps expected = race(shape(4, 9));
    for (int i = 0; i < 5; ++i) {
        Steps steps;
        std::thread thread([&steps] { steps = race(shape(4, 9)); });
        thread.join();
        CHECK(steps == expected);
    }
}
