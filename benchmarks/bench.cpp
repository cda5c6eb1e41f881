// dirql_bench: each path beside its floor. Compare within one run only.
#include "floor.hpp"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr ULONG control_code = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS);
constexpr std::uint32_t any_access = 3;

bool any_failed = false;

// Google Benchmark leaves the row out and goes on; the program's exit status tells.
void fail(benchmark::State& state, const char* why) {
    any_failed = true;
    state.SkipWithError(why);
}

// Counting instructions wants the same number of iterations in every run.
void set_iterations(benchmark::internal::Benchmark* benchmark) {
    if (const char* fixed = std::getenv("DIRQL_BENCH_ITERATIONS")) benchmark->Iterations(std::atoll(fixed));
}

// A machine with these drivers, and the loop run by an application that has `device` open.
template <class Loop>
void in_application(benchmark::State& state, std::initializer_list<const char*> drivers, const char* device,
                    Loop loop) {
    constexpr auto year = std::chrono::hours(24 * 365);
    dirql::Machine machine({.run_budget = year, .busy_budget = year});
    for (const char* driver : drivers) machine.load(std::filesystem::path(driver)).value();
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
        dirql::File file = process.open(device).value();
        loop(state, file.handle());
    });
    if (!outcome.finished()) fail(state, outcome.report.c_str());
}

void control_loop(benchmark::State& state, HANDLE file, void* in, ULONG in_length, void* out, ULONG out_length) {
    IO_STATUS_BLOCK result;
    NTSTATUS status = STATUS_SUCCESS;
    for (auto _ : state) {
        status = NtDeviceIoControlFile(file, nullptr, nullptr, nullptr, &result, control_code, in, in_length, out,
                                       out_length);
    }
    if (status != STATUS_SUCCESS) fail(state, "the request failed");
}

void irp_null_ioctl(benchmark::State& state) {
    in_application(state, {DRIVER_PATH_bench_null}, "\\Device\\Null",
                   [](benchmark::State& s, HANDLE file) { control_loop(s, file, nullptr, 0, nullptr, 0); });
}

void irp_echo_64(benchmark::State& state) {
    in_application(state, {DRIVER_PATH_bench_echo}, "\\Device\\Echo", [](benchmark::State& s, HANDLE file) {
        char in[64] = {1}; // on the application's stack: user memory
        char out[64];
        control_loop(s, file, in, sizeof in, out, sizeof out);
    });
}

void irp_filters_4(benchmark::State& state) {
    in_application(state, {DRIVER_PATH_bench_null, DRIVER_PATH_bench_filters}, "\\Device\\Null",
                   [](benchmark::State& s, HANDLE file) { control_loop(s, file, nullptr, 0, nullptr, 0); });
}

void irp_pended_dpc(benchmark::State& state) {
    in_application(state, {DRIVER_PATH_bench_pend}, "\\Device\\Pend",
                   [](benchmark::State& s, HANDLE file) { control_loop(s, file, nullptr, 0, nullptr, 0); });
}

void floor_loop(benchmark::State& state, floor_path::Device& device, void* in, std::uint32_t in_length, void* out,
                std::uint32_t out_length) {
    floor_path::File file{&device, 0, {1}};
    const std::uintptr_t handle = floor_path::open(file, any_access);
    floor_path::StatusBlock result;
    for (auto _ : state) floor_path::device_control(handle, &result, control_code, in, in_length, out, out_length);
}

void floor_null_ioctl(benchmark::State& state) {
    floor_path::Device device{&floor_path::null_driver, nullptr, 1, 0};
    floor_loop(state, device, nullptr, 0, nullptr, 0);
}

void floor_echo_64(benchmark::State& state) {
    floor_path::Device device{&floor_path::echo_driver, nullptr, 1, 0};
    char in[64] = {1};
    char out[64];
    floor_loop(state, device, in, sizeof in, out, sizeof out);
}

void floor_filters_4(benchmark::State& state) {
    floor_path::Device bottom{&floor_path::null_driver, nullptr, 1, 0};
    floor_path::FilterDevice filters[4];
    floor_path::Device* below = &bottom;
    for (floor_path::FilterDevice& filter : filters) {
        filter = {{&floor_path::filter_driver, nullptr, below->stack_size + 1, 0}, below};
        below->attached = &filter;
        below = &filter;
    }
    floor_loop(state, bottom, nullptr, 0, nullptr, 0);
}

// A whole life: boot, load, open, one request, close, unload, end.
void machine_cycle(benchmark::State& state) {
    dirql::Host host;
    for (auto _ : state) {
        dirql::Machine machine(host);
        const dirql::Driver driver = machine.load(std::filesystem::path(DRIVER_PATH_bench_null)).value();
        const dirql::Outcome outcome = machine.run([](dirql::Process& process) {
            dirql::File file = process.open("\\Device\\Null").value();
            IO_STATUS_BLOCK result;
            NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &result, control_code, nullptr, 0, nullptr,
                                  0);
        });
        if (!outcome.finished() || machine.unload(driver).value() != dirql::Unload::unloaded) {
            fail(state, "the cycle failed");
            break;
        }
    }
}

void linux_ioctl_enotty(benchmark::State& state) {
    const int file = open("/dev/null", O_RDWR);
    for (auto _ : state) benchmark::DoNotOptimize(ioctl(file, 0x1234, 0));
    close(file);
}

void linux_spawn_true(benchmark::State& state) {
    char path[] = "/bin/true";
    char* arguments[] = {path, nullptr};
    for (auto _ : state) {
        pid_t child = 0;
        if (posix_spawn(&child, path, nullptr, nullptr, arguments, environ) != 0) {
            fail(state, "posix_spawn failed");
            break;
        }
        waitpid(child, nullptr, 0);
    }
}

// Instructions for one iteration, counted by whoever runs this: a file of lines `name count`.
std::map<std::string, double> counted_instructions() {
    std::map<std::string, double> counts;
    const char* path = std::getenv("DIRQL_BENCH_INSTRUCTIONS");
    std::ifstream file(path != nullptr ? path : "");
    std::string name;
    for (double count; file >> name >> count;) counts[name] = count;
    return counts;
}

void add(const std::string& name, benchmark::internal::Function* function) {
    static const std::map<std::string, double> counts = counted_instructions();
    const auto count = counts.find(name);
    set_iterations(benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        function(state);
        if (count != counts.end()) state.counters["instructions"] = count->second;
    }));
}

} // namespace

int main(int argc, char** argv) {
    add("floor/null_ioctl", floor_null_ioctl);
    add("irp/null_ioctl", irp_null_ioctl);
    add("floor/echo_64", floor_echo_64);
    add("irp/echo_64", irp_echo_64);
    add("floor/filters_4", floor_filters_4);
    add("irp/filters_4", irp_filters_4);
    add("irp/pended_dpc", irp_pended_dpc);
    add("machine/cycle", machine_cycle);
    add("linux/ioctl_enotty", linux_ioctl_enotty);
    add("linux/spawn_true", linux_spawn_true);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return any_failed ? 1 : 0;
}
