// Recording an event from a door: one predictable branch when tracing is off.
#pragma once

#include "diag/event.hpp"
#include "ke/processor.hpp"

namespace dirql::diag {

// Adds the time, the thread, the processor and the IRQL, and hands the event to the machine's recorder.
[[gnu::cold, gnu::noinline]] void record(const Event& event) noexcept;

} // namespace dirql::diag

// DIRQL_TRACE(kind, .field = value...): the fields of diag::Event, in their order.
#define DIRQL_TRACE(Kind, ...) DIRQL_TRACE_ON(::dirql::ke::current_processor(), Kind __VA_OPT__(, ) __VA_ARGS__)

// The same for a door that holds its processor already.
#define DIRQL_TRACE_ON(Processor, Kind, ...) \
    do { \
        if ((Processor)->trace_on != 0) [[unlikely]] \
            ::dirql::diag::record({.kind = ::dirql::diag::EventKind::Kind __VA_OPT__(, ) __VA_ARGS__}); \
    } while (false)
