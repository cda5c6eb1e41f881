// Structured exception handling, the kernel's half. The drivers' half is <dirql_km/seh.h>: its macros make of each
// __try a frame on a chain; this side searches and unwinds that chain.
//
// On x64 NT finds handlers in tables beside the code and needs no run-time chain. ELF has no such tables for C, so each
// __try links a frame here; what a driver can observe is the same. Raising has two phases:
//   search: each frame's filter runs on top of the raiser, innermost first, so EXCEPTION_CONTINUE_EXECUTION can resume;
//   unwind: the __finally blocks inside the chosen frame run, innermost first, then its handler.
#pragma once

#include <sys/ucontext.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include <dirql_km/seh.h>

struct _EXCEPTION_RECORD;
struct _EXCEPTION_POINTERS;
struct _CONTEXT;

namespace dirql::ke {

/// Told of an exception that no frame of the fiber takes; must not return. `user` is SehState::unhandled_user.
using UnhandledException = void (*)(_EXCEPTION_RECORD* record, _CONTEXT* context, void* user);

/// The default: prints code and address in one line and aborts the process.
[[noreturn]] void abort_unhandled_exception(_EXCEPTION_RECORD* record, _CONTEXT* context, void* user);

struct SehRaise;
struct SehState;

/// Why control comes to the far side of a __try, set by the lander and read by the first thing that runs there.
struct SehLanding {
    enum class Reason : std::uint8_t { filter, handler, finally };
    Reason reason = Reason::handler;
    bool abnormal = false;             ///< AbnormalTermination() of the __finally landed on
    void* resume = nullptr;            ///< __finally run as a subroutine: where its end goes back to
    dirql_seh_frame* target = nullptr; ///< __finally run by an unwind: the frame whose handler comes last
    std::uint32_t code = 0;            ///< and the exception's code
};

/// The codes of exceptions whose handlers are running, so that GetExceptionCode() answers in them.
/// A handler is known by its function's frame address and its lexical depth. Nothing tells when a handler is left, so
/// entries go when code above or before them shows that they are over. The oldest makes room when all are taken.
class HandledExceptions {
public:
    void push(const void* function, int depth, std::uint32_t code) noexcept;
    /// Forgets every handler that cannot be running while code of `function` at `depth` does. The stack grows down, so
    /// these are all handlers of deeper functions, and those of this function that do not enclose the code.
    void forget_over(const void* function, int depth) noexcept;
    /// The code, or 0 where no such handler runs.
    [[nodiscard]] std::uint32_t find(const void* function, int depth) const noexcept;

private:
    struct Entry {
        const void* function;
        int depth;
        std::uint32_t code;
    };
    static constexpr std::size_t kCapacity = 32;
    std::uint32_t count_ = 0;
    Entry entries_[kCapacity];
};

/// All exception state of one fiber (or of one stack of a fiber: see SehChainCut). Fixed size, no resources: it lives
/// inside thread objects and may be dropped at any time together with the stack it speaks of.
/// The base is what drivers' code sees of it: the chain of entered frames, innermost first.
struct SehState : dirql_seh_fiber_state {
    constexpr SehState() noexcept : dirql_seh_fiber_state{nullptr} {}

    UnhandledException unhandled = abort_unhandled_exception;
    void* unhandled_user = nullptr;

    /// A word for the doors (what they nest). Each frame copies it on entry; it is put back when that frame's handler is
    /// landed on, or its __finally by an unwind. So an unwind may skip kernel frames. `door_unwound` (may be null) is
    /// told before, while the stack that is skipped still stands.
    std::uint64_t door_state = 0;
    void (*door_unwound)(std::uint64_t from, std::uint64_t to) = nullptr;

    SehRaise* raises = nullptr; ///< raises in their search phase, innermost first
    SehLanding landing;
    HandledExceptions handled;
};

/// The state that SEH uses on this host thread now. Never inlined: a fiber may move to another host thread between two
/// calls. Before the first exchange it is a state of the host thread's own, so code without a machine works as well.
SehState& current_seh_state() noexcept;

/// The same, inline: for the hot paths of kernel code.
inline SehState& seh_state_of_flow() noexcept {
    SehState* state;
    asm volatile("movq dirql_seh_current@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=&r"(state));
    return state != nullptr ? *state : current_seh_state();
}

/// Makes `next` current; nullptr means the host thread's own state. The fiber switch and the system-service door do this.
/// Like current_processor(), no address is remembered from one time to the next.
inline void set_seh_state(SehState* next) noexcept {
    void* place;
    asm volatile("movq dirql_seh_current@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)"
                 : "=&r"(place)
                 : "r"(next)
                 : "memory");
}

/// The same, and returns what was.
SehState* exchange_seh_state(SehState* next) noexcept;

/// Cuts the exception chain for code that runs on another stack of the same flow (ISR, DPC, a system service on the
/// kernel stack): it sees an empty chain with the same unhandled hook and door state, and no handler outside is found.
/// Frames and raises are told apart by their addresses, so one state must never hold frames of two stacks.
class SehChainCut {
public:
    SehChainCut() noexcept;
    ~SehChainCut() { exchange_seh_state(outer_); }
    SehChainCut(const SehChainCut&) = delete;
    SehChainCut& operator=(const SehChainCut&) = delete;

private:
    SehState state_;
    SehState* outer_;
};

/// For the kernel's own code: raises the status, not continuable, from where it is called. What exports do for drivers.
[[noreturn]] void raise_status(std::int32_t status);

/// The NT exception a host fault stands for. SIGSEGV and SIGBUS are STATUS_ACCESS_VIOLATION with two parameters (0
/// read, 1 write, 8 execute; the address, or ~0 when the processor does not say) or STATUS_DATATYPE_MISALIGNMENT,
/// SIGFPE the integer and floating-point statuses, SIGILL STATUS_ILLEGAL_INSTRUCTION.
_EXCEPTION_RECORD exception_record_from_signal(int signal, const siginfo_t& info, const ucontext_t& machine) noexcept;

/// The lowest address that enter_raise_from_signal() writes on the stack that faulted. A trap door that knows the
/// stack's limit compares first: below the limit is NT's double fault, a stack overflow.
std::uintptr_t raise_stack_floor(const ucontext_t& machine) noexcept;

/// Called by a signal handler for a synchronous fault: edits `machine` so that the return from the handler raises
/// `record` on the stack that faulted, below its red zone. The handler may run on another stack; it must return.
/// A filter sees all registers in its CONTEXT; EXCEPTION_CONTINUE_EXECUTION loads them from there, as the filter left
/// them, and what a CONTEXT does not hold (upper halves of ymm, zmm, masks) as it was at the fault.
void enter_raise_from_signal(ucontext_t& machine, const _EXCEPTION_RECORD& record) noexcept;

} // namespace dirql::ke
