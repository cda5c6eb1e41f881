// Machines side by side in one process, on several host threads: nothing of one is seen in another.
#include "misuse_lab.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

using Counts = std::array<std::int32_t, 2>;

// `rounds` requests to a counter of one's own. False where one answer is not one's own count.
bool counts_alone(Host& host, int rounds) {
    Machine machine(host);
    machine.load(std::filesystem::path(DRIVER_PATH_counter)).value();
    bool right = true;
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\Counter").value();
        for (int i = 1; i <= rounds; ++i) {
            const IoResult result = file.device_control(0x222000, {}, sizeof(Counts));
            Counts counts{};
            if (result.data.size() == sizeof counts) std::memcpy(counts.data(), result.data.data(), sizeof counts);
            right = right && counts == Counts{7 + i, i};
        }
    });
    return right && outcome.finished();
}

void in_parallel(unsigned threads, const std::function<void(unsigned)>& body) {
    std::vector<std::thread> running;
    for (unsigned i = 0; i < threads; ++i) running.emplace_back(body, i);
    for (std::thread& thread : running) thread.join();
}

} // namespace

TEST_CASE("machines on several host threads hold one plug-in without sharing its globals") {
    Host shared;
    std::atomic<unsigned> right = 0;
    in_parallel(4, [&](unsigned index) {
        for (int i = 0; i < 10; ++i) right += counts_alone(shared, 50 + static_cast<int>(index));
    });
    CHECK(right == 40);
}

TEST_CASE("each host thread may have a Host of its own") {
    std::atomic<unsigned> right = 0;
    in_parallel(3, [&](unsigned) {
        Host own;
        for (int i = 0; i < 5; ++i) right += counts_alone(own, 40);
    });
    CHECK(right == 15);
}

TEST_CASE("two machines of one host thread, used in turn, are apart as well") {
    Host host;
    Machine first(host);
    Machine second(host);
    for (Machine* machine : {&first, &second}) machine->load(std::filesystem::path(DRIVER_PATH_counter)).value();
    std::vector<std::int32_t> seen;
    for (Machine* machine : {&first, &second, &first, &first, &second}) {
        machine->run([&](Process& process) {
            Counts counts{};
            const IoResult result =
                process.open("\\Device\\Counter").value().device_control(0x222000, {}, sizeof counts);
            std::memcpy(counts.data(), result.data.data(), sizeof counts);
            seen.push_back(counts[1]);
        });
    }
    CHECK(seen == std::vector<std::int32_t>{1, 1, 2, 3, 2});
}

TEST_CASE("a machine that stops leaves those beside it alone") {
    Host host;
    std::atomic<unsigned> stopped = 0;
    std::atomic<unsigned> right = 0;
    const Misuse errors[] = {misuse_fault_null, misuse_stack_overflow, misuse_complete_twice, misuse_wait_forever,
                             misuse_divide_by_zero};
    in_parallel(4, [&](unsigned index) {
        for (int i = 0; i < 5; ++i) {
            if (index % 2 == 0) {
                stopped += !provoke(host, errors[i]).finished();
            } else {
                right += counts_alone(host, 60);
            }
        }
    });
    CHECK(stopped == 10);
    CHECK(right == 10);
}

TEST_CASE("a linked driver serves one machine at a time") {
    Host host;
    Machine first(host);
    Machine second(host);
    const Driver driver = first.load(drivers::misuse).value();
    CHECK(second.load(drivers::misuse).error().code == ErrorCode::driver_busy);
    CHECK(first.unload(driver).value() == Unload::unloaded);
    CHECK(second.load(drivers::misuse));
}
