// The host's signals: which are taken, for how long, and who had them before.
#pragma once

#include <csignal>
#include <cstdint>

namespace dirql::ke {

struct SignalHandlers {
    void (*fault)(int signal, siginfo_t* info, void* context) noexcept;
    // A budget of CPU time passed while virtual time stood still; called again and again from then on. `tell_of_host`, once:
    // another budget did.
    void (*no_progress)(void* context, bool tell_of_host) noexcept;
};

// Takes SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGTRAP for the process while any host thread is armed, gives this host thread an
// alternate stack, and starts its CPU-time watch. Nests per host thread.
void arm_signals(const SignalHandlers& handlers, std::uint64_t cpu_budget_ns) noexcept;
void disarm_signals() noexcept;

// A fault that is not a machine's: `where` makes it a reported host fault. Goes to the handler that stood before.
void hand_on(int signal, siginfo_t* info, void* context, const char* where) noexcept;

// Host code does not come back. Said on stderr, no more: it may be a test that computes for long.
void report_host_hang(const char* where) noexcept;

} // namespace dirql::ke
