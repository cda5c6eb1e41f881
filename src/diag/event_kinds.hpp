// How events pair up.
#pragma once

#include "diag/event.hpp"

namespace dirql::diag {

[[nodiscard]] constexpr bool begins_call(EventKind kind) noexcept {
    return kind == EventKind::irp_call || kind == EventKind::irp_completion || kind == EventKind::service_entry ||
           kind == EventKind::callout_entry;
}

[[nodiscard]] constexpr bool ends_call(EventKind kind) noexcept {
    return kind == EventKind::irp_return || kind == EventKind::irp_completion_return ||
           kind == EventKind::service_exit || kind == EventKind::callout_exit;
}

// An IRP's: its memory may have been another IRP's before.
[[nodiscard]] constexpr bool begins_life(EventKind kind) noexcept {
    return kind == EventKind::irp_allocated || kind == EventKind::irp_initialized || kind == EventKind::irp_reused;
}

// The kind that begins what this one ends.
[[nodiscard]] constexpr EventKind beginning_of(EventKind end) noexcept {
    switch (end) {
    case EventKind::irp_return: return EventKind::irp_call;
    case EventKind::irp_completion_return: return EventKind::irp_completion;
    case EventKind::service_exit: return EventKind::service_entry;
    case EventKind::callout_exit: return EventKind::callout_entry;
    default: return end;
    }
}

} // namespace dirql::diag
