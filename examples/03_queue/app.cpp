// Gives the device four jobs at once, takes one of them back, and sees when each ends. Times are the machine's own: they
// are the same in every run, however fast the host is.
#include <dirql/dirql.hpp>
#include <queue_driver.hpp>

#include <ntdef.h>
#include <devioctl.h>
#include <ntstatus.h>

#include "public.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using std::chrono::milliseconds;

void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error("not as it should be: " + what);
}

dirql::Request start_job(dirql::File& queue, ULONG duration) {
    const QUEUE_JOB job{duration};
    return queue.start_device_control(IOCTL_QUEUE_WORK, std::as_bytes(std::span(&job, 1)), sizeof(QUEUE_RESULT));
}

ULONG number_of(const dirql::IoResult& result) {
    QUEUE_RESULT answer{};
    if (result.data.size() == sizeof answer) std::memcpy(&answer, result.data.data(), sizeof answer);
    return answer.Number;
}

struct End {
    dirql::Status status;
    ULONG number;
    milliseconds when;
};

// Waits for a job, tells how and when it ended, and checks both.
void expect_end(const dirql::Machine& machine, const char* name, dirql::Request& job, const End& wanted) {
    const dirql::IoResult result = job.wait();
    const auto now = std::chrono::floor<milliseconds>(machine.now());
    std::printf("  %2d ms: job %s ends with %s", int(now.count()), name, dirql::status_name(result.status).c_str());
    if (result.ok()) std::printf(", the device's number %u", unsigned(number_of(result)));
    std::puts("");
    expect(result.status == wanted.status && number_of(result) == wanted.number, std::string("the end of job ") + name);
    expect(now == wanted.when, std::string("when job ") + name + " ends");
}

void application(const dirql::Machine& machine, dirql::Process& process) {
    dirql::File queue = process.open(QUEUE_WIN32_NAME, {.overlapped = true}).value();
    std::puts("   0 ms: jobs A, B, C and D start, of 30, 20, 10 and 10 ms");
    dirql::Request a = start_job(queue, 30); // the device takes it up at once
    dirql::Request b = start_job(queue, 20); // these wait
    dirql::Request c = start_job(queue, 10);
    dirql::Request d = start_job(queue, 10);
    expect(a.started() == STATUS_PENDING && d.started() == STATUS_PENDING, "the requests are pending");

    process.sleep(milliseconds(5));
    std::puts("   5 ms: job C is cancelled");
    expect(c.cancel() == STATUS_SUCCESS, "a waiting job can be cancelled");

    expect_end(machine, "C", c, {STATUS_CANCELLED, 0, milliseconds(5)});
    expect_end(machine, "A", a, {STATUS_SUCCESS, 1, milliseconds(30)});
    expect_end(machine, "B", b, {STATUS_SUCCESS, 2, milliseconds(50)});
    expect_end(machine, "D", d, {STATUS_SUCCESS, 3, milliseconds(60)});
    expect(start_job(queue, QUEUE_LONGEST_JOB + 1).wait().status == STATUS_INVALID_PARAMETER,
           "a job may not be too long");
}

// Closing the file ends what still waits.
void application_in_a_hurry(dirql::Process& process) {
    dirql::File queue = process.open(QUEUE_WIN32_NAME, {.overlapped = true}).value();
    dirql::Request working = start_job(queue, 10);
    dirql::Request waiting = start_job(queue, 10);
    expect(queue.close() == STATUS_SUCCESS, "the handle closes");
    expect(waiting.wait().status == STATUS_CANCELLED, "the last handle's end cancels what waits");
    expect(working.wait().status == STATUS_SUCCESS, "the device finishes what it has begun");
}

void check() {
    dirql::Machine machine;
    const dirql::Driver driver = machine.load(drivers::queue).value();
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) { application(machine, process); });
    expect(outcome.finished(), outcome.report);
    const dirql::Outcome hurried = machine.run(application_in_a_hurry);
    expect(hurried.finished(), hurried.report);
    expect(machine.unload(driver).value() == dirql::Unload::unloaded, "the driver unloads");
    std::puts("03_queue: passed");
}

// One job that waits for its turn, from the application's call to the result.
void show_journey() {
    dirql::Machine machine({.trace = true});
    (void)machine.load(drivers::queue).value();
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
        dirql::File queue = process.open(QUEUE_WIN32_NAME, {.overlapped = true}).value();
        const dirql::Request first = start_job(queue, 30);
        dirql::Request second = start_job(queue, 20);
        (void)second.wait();
        machine.trace().enable(false);
    });
    expect(outcome.finished(), outcome.report);
    std::fputs(machine.trace().journey(machine.trace().irps().back()).c_str(), stdout);
}

} // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 2 && std::string_view(argv[1]) == "--journey") {
            show_journey();
        } else {
            check();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "03_queue: %s\n", error.what());
        return 1;
    }
    return 0;
}
