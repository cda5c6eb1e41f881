// Searching the chain of frames and unwinding it: the two phases of a raise.
#pragma once

#include "ke/seh.hpp"

#include <ntddk.h>

/// On functions that are left without a return, by an unwind or into another stack. ThreadSanitizer's run-time counts
/// calls against returns and would run out of room.
#if defined(__clang__)
#define DIRQL_SEH_LEFT_OPEN [[clang::disable_sanitizer_instrumentation]]
#else
#define DIRQL_SEH_LEFT_OPEN [[gnu::no_sanitize_thread]]
#endif

namespace dirql::ke {

/// A raise in its search phase. Lives on the raiser's stack.
struct SehRaise {
    const void* place;                       ///< on the stack, below the functions of all frames entered before it
    SehRaise* outer;                         ///< the raise in one of whose filters this one happened
    EXCEPTION_POINTERS pointers;             ///< what GetExceptionInformation() answers
    const dirql_seh_frame* asking = nullptr; ///< the frame whose answer is awaited or just came
    void* resume = nullptr;                  ///< where dirql_seh_answer() takes the answer
    bool passed = false;                     ///< scratch of a nested raise's search: it is beyond `asking`
};

/// Both phases. Returns only when a filter continues execution; the caller then loads the registers of `context`.
DIRQL_SEH_LEFT_OPEN void dispatch_exception(EXCEPTION_RECORD& record, CONTEXT& context);

} // namespace dirql::ke
