// The two phases of a raise, and the functions that the keywords of <dirql_km/seh.h> call.
//
// One invariant holds all of it together: the chain lists the frames whose bodies are being executed, innermost first.
// A frame leaves the chain before its handler or __finally block runs, so an exception there is for the frames around.
#include "ke/seh_search.hpp"

#include "ke/sanitizer.hpp"
#include "ke/seh_registers.hpp"

#include <cstddef>
#include <functional>

namespace dirql::ke {

namespace {

using Reason = SehLanding::Reason;

/// Tells ASan that stack is discarded from here up to `top`: frames there are left without their epilogues.
void discard_stack(void* top) noexcept {
    auto* low = static_cast<std::byte*>(__builtin_frame_address(0));
    if (low < static_cast<std::byte*>(top)) sanitizer::forget_stack(low, static_cast<std::byte*>(top));
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void land(const dirql_seh_frame& frame) {
    discard_stack(frame.landing[2]);
    dirql_seh_land(frame.landing);
}

/// The stack grows down: a raise was made while the frame's function was already running.
bool raised_under(const SehRaise& raise, const dirql_seh_frame& frame) noexcept {
    return std::less<>{}(raise.place, frame.function);
}

/// Some searches never come to an end, because an unwind to `frame` discards the stack they are on.
void forget_raises_under(SehState& state, const dirql_seh_frame& frame) noexcept {
    while (state.raises != nullptr && raised_under(*state.raises, frame)) state.raises = state.raises->outer;
}

void unwind_doors(SehState& state, std::uint64_t to) noexcept {
    if (state.door_state != to && state.door_unwound != nullptr) state.door_unwound(state.door_state, to);
    state.door_state = to;
}

/// The second phase: lands on the innermost frame that has something to run, either a __finally block inside `target`,
/// whose end comes here again (dirql_seh_finally_end), or at last the target's handler.
[[noreturn]] DIRQL_SEH_LEFT_OPEN void unwind(SehState& state, dirql_seh_frame* target, std::uint32_t code) {
    dirql_seh_frame* frame = state.chain;
    while (frame != target && frame->kind != DIRQL_SEH_FINALLY) frame = frame->outer;
    state.chain = frame->outer;
    unwind_doors(state, frame->door_state);
    forget_raises_under(state, *frame);
    if (frame == target) {
        state.handled.push(frame->function, frame->depth + 1, code);
        state.landing = {.reason = Reason::handler};
    } else {
        state.landing = {.reason = Reason::finally, .abnormal = true, .target = target, .code = code};
    }
    land(*frame);
}

DIRQL_SEH_LEFT_OPEN int ask(SehState& state, SehRaise& raise, const dirql_seh_frame& frame) {
    raise.asking = &frame;
    if (frame.kind != DIRQL_SEH_FILTER) return frame.kind; // a constant
    state.landing = {.reason = Reason::filter};
    return dirql_seh_call_landing(frame.landing, &raise.resume);
}

/// How a nested raise comes by the frames that raises around it have asked already. NT asks them again, with
/// EXCEPTION_NESTED_CALL set. It also asks the frame whose filter failed; a filter that fails each time then ends in a
/// stack overflow. Here that frame is passed over, so the exception arrives at the frames outside of it.
enum class Standing { fresh, nested, failed };

Standing standing_of(const dirql_seh_frame& frame, SehRaise* outer) noexcept {
    auto standing = Standing::fresh;
    for (SehRaise* raise = outer; raise != nullptr; raise = raise->outer) {
        if (raise->asking == &frame) {
            raise->passed = true;
            standing = Standing::failed;
        } else if (standing == Standing::fresh && !raise->passed && raised_under(*raise, frame)) {
            standing = Standing::nested;
        }
    }
    return standing;
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void raise_noncontinuable(EXCEPTION_RECORD& cause) {
    EXCEPTION_RECORD record{};
    record.ExceptionCode = STATUS_NONCONTINUABLE_EXCEPTION;
    record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    record.ExceptionRecord = &cause;
    dirql_seh_raise_record(&record);
    __builtin_unreachable(); // this one is not continued either
}

void set_nested(EXCEPTION_RECORD& record, bool nested) noexcept {
    if (nested) {
        record.ExceptionFlags |= EXCEPTION_NESTED_CALL;
    } else {
        record.ExceptionFlags &= ~static_cast<ULONG>(EXCEPTION_NESTED_CALL);
    }
}

/// The first phase. Returns the frame whose handler it is to be, or null to continue execution.
DIRQL_SEH_LEFT_OPEN dirql_seh_frame* search(SehState& state, SehRaise& raise, EXCEPTION_RECORD& record) {
    for (SehRaise* outer = raise.outer; outer != nullptr; outer = outer->outer) outer->passed = false;
    for (dirql_seh_frame* frame = state.chain; frame != nullptr; frame = frame->outer) {
        if (frame->kind == DIRQL_SEH_FINALLY) continue;
        const Standing standing = standing_of(*frame, raise.outer);
        if (standing == Standing::failed) continue;
        set_nested(record, standing == Standing::nested);
        const int answer = ask(state, raise, *frame);
        if (answer > 0) return frame;
        if (answer < 0 && (record.ExceptionFlags & EXCEPTION_NONCONTINUABLE) != 0) raise_noncontinuable(record);
        if (answer < 0) return nullptr;
    }
    state.unhandled(&record, raise.pointers.ContextRecord, state.unhandled_user);
    __builtin_unreachable();
}

/// Runs a __finally block because its body is left, by whichever way but an unwind. The frame is off the chain.
DIRQL_SEH_LEFT_OPEN void run_finally(SehState& state, const dirql_seh_frame& frame, bool abnormal) {
    state.landing = {.reason = Reason::finally, .abnormal = abnormal};
    dirql_seh_call_landing(frame.landing, &state.landing.resume);
}

DIRQL_SEH_LEFT_OPEN void leave_frame(dirql_seh_frame* frame, bool abnormal) {
    SehState& state = current_seh_state();
    state.chain = frame->outer;
    if (frame->kind == DIRQL_SEH_FINALLY) run_finally(state, *frame, abnormal);
}

/// The raise in whose filter of `function` at `depth` this is called.
const SehRaise* raise_asking(const SehState& state, const void* function, int depth) noexcept {
    const auto asks = [&](const SehRaise& raise) {
        return raise.asking != nullptr && raise.asking->function == function && raise.asking->depth + 1 == depth;
    };
    const SehRaise* raise = state.raises;
    while (raise != nullptr && !asks(*raise)) raise = raise->outer;
    return raise;
}

} // namespace

DIRQL_SEH_LEFT_OPEN void dispatch_exception(EXCEPTION_RECORD& record, CONTEXT& context) {
    SehState& state = current_seh_state();
    SehRaise raise{.place = __builtin_frame_address(0), .outer = state.raises, .pointers = {&record, &context}};
    state.raises = &raise;
    if (dirql_seh_frame* target = search(state, raise, record)) unwind(state, target, record.ExceptionCode);
    state.raises = raise.outer;
}

} // namespace dirql::ke

using namespace dirql::ke;

void** dirql_seh_enter(dirql_seh_frame* frame, const void* function, int depth) {
    SehState& state = current_seh_state();
    state.handled.forget_over(function, depth);
    frame->outer = state.chain;
    frame->function = function;
    frame->depth = depth;
    frame->door_state = state.door_state;
    state.chain = frame;
    return frame->landing;
}

DIRQL_SEH_LEFT_OPEN void dirql_seh_leave(dirql_seh_frame** guard) {
    dirql_seh_frame* frame = *guard;
    *guard = nullptr;
    leave_frame(frame, false);
}

DIRQL_SEH_LEFT_OPEN void dirql_seh_abandon(dirql_seh_frame** guard) {
    if (*guard != nullptr) leave_frame(*guard, true);
}

int dirql_seh_asked(void) { return current_seh_state().landing.reason == Reason::filter; }

DIRQL_SEH_LEFT_OPEN void dirql_seh_answer(int disposition) {
    void* resume = current_seh_state().raises->resume;
    discard_stack(resume);
    dirql_seh_return(resume, disposition);
}

dirql_seh_finally dirql_seh_finally_begin(void) {
    const SehLanding& landing = current_seh_state().landing;
    return {landing.abnormal, landing.code, landing.resume, landing.target};
}

DIRQL_SEH_LEFT_OPEN void dirql_seh_finally_end(const dirql_seh_finally* block) {
    if (block->resume == nullptr) unwind(current_seh_state(), block->target, block->code);
    discard_stack(block->resume);
    dirql_seh_return(block->resume, 0);
}

unsigned dirql_seh_code(const void* function, int depth) {
    const SehState& state = current_seh_state();
    if (const SehRaise* raise = raise_asking(state, function, depth))
        return raise->pointers.ExceptionRecord->ExceptionCode;
    return state.handled.find(function, depth);
}

EXCEPTION_POINTERS* dirql_seh_pointers(const void* function, int depth) {
    const SehRaise* raise = raise_asking(current_seh_state(), function, depth);
    return raise != nullptr ? const_cast<EXCEPTION_POINTERS*>(&raise->pointers) : nullptr;
}
