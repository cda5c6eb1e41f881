// Two threads ask for a ticket each, under every schedule with up to two preemptions: is there one that gives both the same?
#include <dirql/dirql.hpp>
#include <race_driver.hpp>

#include <ntdef.h>

#include <devioctl.h>

#include "public.h"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error("not as it should be: " + what);
}

struct Found {
    dirql::Exploration explored;
    unsigned same_ticket = 0; // in so many schedules
};

Found race(dirql::Host& host, unsigned processors, unsigned code) {
    Found found;
    found.explored = dirql::explore({.max_preemptions = 2}, [&](dirql::Schedule& schedule) {
        dirql::Machine machine(host, {.processors = processors});
        machine.load(drivers::race).value();
        dirql::Bytes first;
        dirql::Bytes second;
        const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
            dirql::File tickets = process.open(RACE_WIN32_NAME).value();
            dirql::File same_device = process.open(RACE_WIN32_NAME).value();
            dirql::Thread other =
                process.start_thread([&] { second = same_device.device_control(code, {}, sizeof(ULONG)).data; });
            schedule.begin();
            first = tickets.device_control(code, {}, sizeof(ULONG)).data;
            other.join();
            schedule.end();
        });
        expect(outcome.finished(), outcome.report);
        if (first == second) ++found.same_ticket;
    });
    expect(found.explored.complete, "all schedules can be tried");
    return found;
}

void run() {
    dirql::Host host;
    for (const unsigned processors : {1u, 2u}) {
        const Found hasty = race(host, processors, IOCTL_RACE_HASTY);
        const Found careful = race(host, processors, IOCTL_RACE_CAREFUL);
        std::printf("  %u processor%s: hasty gives both threads the same ticket in %u of %llu schedules,\n"
                    "               careful in %u of %llu\n",
                    processors, processors == 1 ? " " : "s", hasty.same_ticket,
                    static_cast<unsigned long long>(hasty.explored.schedules), careful.same_ticket,
                    static_cast<unsigned long long>(careful.explored.schedules));
        expect(hasty.same_ticket != 0, "a schedule that gives one ticket twice is found");
        expect(careful.same_ticket == 0, "under the lock there is none");
    }
}

} // namespace

int main() {
    try {
        run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "05_race: %s\n", error.what());
        return 1;
    }
    std::puts("05_race: passed");
}
