#include "host.hpp"

#include "ke/seh.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <mutex>
#include <utility>

namespace seh_test {

namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t signal_stack_size = 64 * 1024;

std::mutex failures_lock;
std::vector<std::string> failures;

thread_local std::string notes;
thread_local void (*preempting_callout)() = nullptr;

void on_fault(int signal, siginfo_t* info, void* context) {
    auto& machine = *static_cast<ucontext_t*>(context);
    dirql::ke::enter_raise_from_signal(machine, dirql::ke::exception_record_from_signal(signal, *info, machine));
}

char* map_page(int protection, int flags, int file) {
    return static_cast<char*>(mmap(nullptr, page_size, protection, flags, file, 0));
}

} // namespace

std::vector<std::string> take_failures() {
    const std::lock_guard guard(failures_lock);
    return std::exchange(failures, {});
}

FaultSignals::FaultSignals() {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &before_[i]);
}

FaultSignals::~FaultSignals() {
    for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

AlternateStack::AlternateStack() : memory_(new char[signal_stack_size]) {
    const stack_t stack{.ss_sp = memory_.get(), .ss_flags = 0, .ss_size = signal_stack_size};
    sigaltstack(&stack, &before_);
}

AlternateStack::~AlternateStack() { sigaltstack(&before_, nullptr); }

Preemption::Preemption(void (*callout)()) { preempting_callout = callout; }

Preemption::~Preemption() { preempting_callout = nullptr; }

} // namespace seh_test

using namespace seh_test;

void seh_failed(const char* condition, const char* file, int line) {
    const std::lock_guard guard(failures_lock);
    failures.push_back(std::string(file) + ":" + std::to_string(line) + ": " + condition);
}

void seh_note(const char* event) { notes += event; }

int seh_notes_are(const char* expected) { return std::exchange(notes, {}) == expected; }

// What the linker makes of __sanitizer_cov_trace_pc in the checks.
extern "C" void __wrap___sanitizer_cov_trace_pc();
void __wrap___sanitizer_cov_trace_pc() {
    if (auto* callout = std::exchange(preempting_callout, nullptr)) {
        callout();
        preempting_callout = callout;
    }
}

char* seh_closed_page(void) { return map_page(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

void seh_open_page(char* page) { mprotect(page, page_size, PROT_READ | PROT_WRITE); }

void seh_free_page(char* page) { munmap(page, page_size); }

char* seh_page_of_empty_file(void) {
    const int file = memfd_create("empty", 0);
    char* page = map_page(PROT_READ, MAP_PRIVATE, file);
    close(file);
    return page;
}
