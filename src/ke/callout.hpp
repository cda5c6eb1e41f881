// The callout door: every call from the kernel into driver code passes here.
//
// It holds what must be the same afterwards against what it was before: the IRQL, the thread's critical and guarded regions, the
// number of spin locks held. The return is a preemption point. When tracing is on it records the call.
#pragma once

#include "ke/clock.hpp"
#include "ke/machine.hpp"
#include "ke/processor.hpp"
#include "ke/thread.hpp"

#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

namespace dirql::ke {

enum class CalloutKind : std::uint8_t {
    driver_entry,
    dispatch,
    fast_io,
    completion,
    cancel,
    start_io,
    dpc,
    timer,
    work_item,
    reinitialize,
    unload,
    system_thread,
    other,
};

// What a reader of a report or a trace wants to know about the call.
struct CalloutSite {
    CalloutKind kind;
    const void* routine;
    PDEVICE_OBJECT device = nullptr;
    PIRP irp = nullptr;
};

// The state that driver code must leave as it found it: one word, to be kept in a register across the call.
class CalloutState {
public:
    explicit CalloutState(const Processor* processor) noexcept
        : word_(processor->irql | std::uint64_t{processor->held.count} << 8 |
                std::uint64_t{regions_of(*processor->current)} << 32) {}

    bool operator==(const CalloutState&) const noexcept = default;
    [[nodiscard]] KIRQL irql() const noexcept { return static_cast<KIRQL>(word_); }
    [[nodiscard]] std::uint32_t held() const noexcept { return static_cast<std::uint32_t>(word_) >> 8; }
    [[nodiscard]] std::uint32_t regions() const noexcept { return static_cast<std::uint32_t>(word_ >> 32); }

    // Both disable counts as one word.
    static std::uint32_t regions_of(const Thread& thread) noexcept {
        std::uint32_t both;
        static_assert(offsetof(Thread, special_apc_disable) == offsetof(Thread, kernel_apc_disable) + 2);
        std::memcpy(&both, &thread.kernel_apc_disable, sizeof both);
        return both;
    }

private:
    std::uint64_t word_;
};

[[noreturn, gnu::cold]] void callout_violation(const CalloutSite& site, CalloutState before) noexcept;
// Work is out of budget (see begin_work). Stops the machine: at DISPATCH_LEVEL and above with bug check 0x133, below as a stall.
[[noreturn, gnu::cold]] void callout_budget_exceeded(Processor& processor) noexcept;

// The return from driver code. Returns the processor that the caller is on afterwards.
inline Processor* leave_callout(Processor* processor) noexcept { return charge(processor, cost::callout); }

// Dispatch and completion routines, DriverEntry and Unload are recorded by io, which knows more of them.
void trace_callout_entry(const CalloutSite& site) noexcept;
// `status`: null when the routine returns none.
void trace_callout_exit(const CalloutSite& site, const NTSTATUS* status) noexcept;

// What the cold paths are given by reference is copied there, so that the hot path keeps it in registers.
// NT's own headers give routines of one type as another: an IoDpcRoutine (IoInitializeDpcRequest) is called as a DPC routine.
#ifdef __clang__
#define DIRQL_CALLS_ANY_ROUTINE __attribute__((no_sanitize("function")))
#else
#define DIRQL_CALLS_ANY_ROUTINE
#endif

// The door without its trace, for callers that record more than it would. `processor` is the current one, before and after.
template <class Function, class... Arguments>
DIRQL_CALLS_ANY_ROUTINE inline auto checked_callout(Processor*& processor, const CalloutSite& site, Function function,
                                                    Arguments... arguments) noexcept {
    const CalloutState before(processor);
    const auto check = [&] {
        processor = current_processor();
        if (CalloutState(processor) != before) [[unlikely]]
            callout_violation(CalloutSite(site), before);
        processor = leave_callout(processor);
    };
    if constexpr (std::is_void_v<std::invoke_result_t<Function, Arguments...>>) {
        function(arguments...);
        check();
    } else {
        const auto result = function(arguments...);
        check();
        return result;
    }
}

template <class Function, class... Arguments>
[[gnu::cold, gnu::noinline]] auto traced_callout(const CalloutSite& site, Function function,
                                                 Arguments... arguments) noexcept {
    using Result = std::invoke_result_t<Function, Arguments...>;
    Processor* processor = current_processor();
    trace_callout_entry(site);
    if constexpr (std::is_void_v<Result>) {
        checked_callout(processor, site, function, arguments...);
        trace_callout_exit(site, nullptr);
    } else {
        const Result result = checked_callout(processor, site, function, arguments...);
        if constexpr (std::is_same_v<Result, NTSTATUS>) {
            trace_callout_exit(site, &result);
        } else {
            trace_callout_exit(site, nullptr);
        }
        return result;
    }
}

// Calls driver code.
template <class Function, class... Arguments>
inline auto callout(const CalloutSite& site, Function function, Arguments... arguments) noexcept {
    Processor* processor = current_processor();
    if (processor->trace_on != 0) [[unlikely]]
        return traced_callout(CalloutSite(site), function, arguments...);
    return checked_callout(processor, site, function, arguments...);
}

inline void callout_dpc(Processor&, PKDEFERRED_ROUTINE routine, PKDPC dpc, void* context, void* argument1,
                        void* argument2) noexcept {
    const CalloutSite site{CalloutKind::dpc, reinterpret_cast<const void*>(routine)};
    callout(site, routine, dpc, context, argument1, argument2);
}

} // namespace dirql::ke
