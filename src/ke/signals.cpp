#include "ke/signals.hpp"

#include "ke/library_code.hpp"
#include "ke/processor.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace dirql::ke {
namespace {

constexpr int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
constexpr int watch_signal = SIGVTALRM;
constexpr std::size_t alternate_stack_size = std::size_t{128} << 10;
constexpr int ticks_without_progress = 4; // the watch ticks this often in the budget
constexpr int host_patience = 8; // host code is told of later, and once: what a driver calls may be host code, too

// Signal dispositions belong to the process, not to a machine: how many host threads are armed, and what stood before.
struct Dispositions {
    std::mutex mutex;
    unsigned armed = 0;
    SignalHandlers handlers{};
    struct sigaction before[NSIG];
};
Dispositions& dispositions() noexcept {
    static Dispositions process_wide;
    return process_wide;
}

void on_watch(int, siginfo_t*, void* context) noexcept;

void take(int signal, void (*handler)(int, siginfo_t*, void*)) noexcept {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, &dispositions().before[signal]);
}

void fault_entry(int signal, siginfo_t* info, void* context) { dispositions().handlers.fault(signal, info, context); }
void watch_entry(int signal, siginfo_t* info, void* context) { on_watch(signal, info, context); }

// One host thread's share: its alternate stack and its CPU-time watch.
class ThreadWatch {
public:
    ThreadWatch() noexcept {
        void* memory = mmap(nullptr, alternate_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stack_.ss_sp = memory == MAP_FAILED ? nullptr : memory;
        stack_.ss_size = alternate_stack_size;
    }
    ~ThreadWatch() {
        if (owner_ == getpid()) timer_delete(timer_);
        if (stack_.ss_sp != nullptr) munmap(stack_.ss_sp, alternate_stack_size);
    }
    ThreadWatch(const ThreadWatch&) = delete;
    ThreadWatch& operator=(const ThreadWatch&) = delete;

    void start(std::uint64_t budget_ns) noexcept {
        if (depth_++ != 0) return;
        sigaltstack(&stack_, &stack_before_);
        last_seen_ = 0;
        idle_ticks_ = 0;
        make_timer();
        set_timer((budget_ns + ticks_without_progress - 1) / ticks_without_progress);
    }
    void stop() noexcept {
        if (--depth_ != 0) return;
        set_timer(0);
        sigaltstack(&stack_before_, nullptr);
    }
    [[nodiscard]] bool running() const noexcept { return depth_ != 0; }
    // For how many ticks has virtual time stood still?
    [[nodiscard]] int ticks_stuck(std::uint64_t now) noexcept {
        idle_ticks_ = now == last_seen_ ? idle_ticks_ + 1 : 0;
        last_seen_ = now;
        return idle_ticks_;
    }

private:
    // A child of fork() has no timers of its parent's.
    void make_timer() noexcept {
        if (owner_ == getpid()) return;
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = watch_signal;
        event.sigev_notify_thread_id = static_cast<pid_t>(syscall(SYS_gettid));
        owner_ = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) == 0 ? getpid() : 0;
    }
    void set_timer(std::uint64_t period_ns) const noexcept {
        if (owner_ == 0) return;
        const timespec period{static_cast<time_t>(period_ns / 1'000'000'000),
                              static_cast<long>(period_ns % 1'000'000'000)};
        const itimerspec setting{period, period};
        timer_settime(timer_, 0, &setting, nullptr);
    }
    stack_t stack_{};
    stack_t stack_before_{};
    timer_t timer_{};
    pid_t owner_ = 0; // the process whose timer it is; 0: there is none
    unsigned depth_ = 0;
    std::uint64_t last_seen_ = 0;
    int idle_ticks_ = 0;
};

ThreadWatch& thread_watch() noexcept {
    thread_local ThreadWatch watch;
    return watch;
}

void on_watch(int, siginfo_t*, void* context) noexcept {
    const Processor* processor = current_processor();
    if (processor == nullptr || !thread_watch().running()) return;
    const int ticks = thread_watch().ticks_stuck(processor->now);
    if (ticks >= ticks_without_progress) dispositions().handlers.no_progress(context, ticks == host_patience);
}

void write_line(const char* text) noexcept {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

void report_host_fault(int signal, const siginfo_t* info, const char* where) noexcept {
    char line[200];
    std::snprintf(line, sizeof line, "dirql: host fault: signal %d %s, address %p; this is not the driver's fault\n",
                  signal, where, info->si_addr);
    write_line(line);
}

} // namespace

void arm_signals(const SignalHandlers& handlers, std::uint64_t cpu_budget_ns) noexcept {
    locate_library_code();
    thread_watch().start(cpu_budget_ns);
    Dispositions& process_wide = dispositions();
    const std::lock_guard lock(process_wide.mutex);
    if (process_wide.armed++ != 0) return;
    process_wide.handlers = handlers;
    for (const int signal : fault_signals) take(signal, fault_entry);
    take(watch_signal, watch_entry);
}

void disarm_signals() noexcept {
    Dispositions& process_wide = dispositions();
    {
        const std::lock_guard lock(process_wide.mutex);
        if (--process_wide.armed == 0) {
            for (const int signal : fault_signals) sigaction(signal, &process_wide.before[signal], nullptr);
        }
    }
    thread_watch().stop(); // the watch's own handler stays: a late tick must not kill the process
}

void report_host_hang(const char* where) noexcept {
    char line[200];
    std::snprintf(line, sizeof line,
                  "dirql: host fault: a budget of CPU time went by %s without a step of the machine; this is not the "
                  "driver's fault\n",
                  where);
    write_line(line);
}

void hand_on(int signal, siginfo_t* info, void* context, const char* where) noexcept {
    if (where != nullptr) report_host_fault(signal, info, where);
    const struct sigaction& before = dispositions().before[signal];
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler == SIG_IGN || before.sa_handler == SIG_DFL) {
        sigaction(signal, &before, nullptr); // the instruction runs again and meets the default
    } else {
        before.sa_handler(signal);
    }
}

} // namespace dirql::ke
