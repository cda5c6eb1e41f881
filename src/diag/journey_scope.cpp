#include "diag/journey_scope.hpp"

namespace dirql::diag {
namespace {

// Calls that last as long as their thread or driver: they are around everything and say nothing.
bool says_something(const Record& begin) noexcept {
    if (begin.kind != EventKind::callout_entry) return true;
    return begin.text != "system thread" && begin.text != "DriverEntry" && begin.text != "Unload";
}

// The end of a request comes in an APC: the calls around it are whatever the thread was doing.
bool comes_by_apc(EventKind kind) noexcept { return kind == EventKind::irp_finished || kind == EventKind::irp_freed; }

bool same_routine(const Record& a, const Record& b) noexcept { return a.image == b.image && a.offset == b.offset; }

bool is_wait(EventKind kind) noexcept { return kind == EventKind::wait_begin || kind == EventKind::wait_end; }

} // namespace

JourneyScope::JourneyScope(const Records& records, const CallTree& calls, std::uint32_t irp)
    : all_(records), calls_(calls), irp_(irp), records_in_(records.size()), calls_in_(calls.size()) {
    take_own();
    take_causes();
    take_circumstances();
}

void JourneyScope::take_own() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (all_[i].irp != irp_) continue;
        records_in_[i] = true;
        if (!comes_by_apc(all_[i].kind)) take_calls_around(i);
    }
}

void JourneyScope::take_calls_around(std::size_t index) {
    for (std::size_t c = calls_.around(index); c != CallTree::none; c = calls_.parent(c)) {
        const CallTree::Call& call = calls_.call(c);
        if (calls_in_[c] || !says_something(all_[call.begin])) continue;
        calls_in_[c] = true;
        records_in_[call.begin] = true;
        if (call.end != CallTree::none) records_in_[call.end] = true;
    }
}

// What brought a DPC of the journey about, and the APC that brought the end.
void JourneyScope::take_causes() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (!records_in_[i]) continue;
        if (all_[i].kind == EventKind::callout_entry && all_[i].text == "DPC") take_cause_of_dpc(i);
        if (all_[i].kind == EventKind::irp_finished) take_apc_before(i);
    }
}

void JourneyScope::take_cause_of_dpc(std::size_t begin) {
    for (std::size_t i = begin; i-- != 0;) {
        if (all_[i].kind != EventKind::dpc_queued || !same_routine(all_[i], all_[begin])) continue;
        records_in_[i] = true;
        if (i != 0 && all_[i - 1].kind == EventKind::timer_expired && same_routine(all_[i - 1], all_[begin]))
            records_in_[i - 1] = true;
        return;
    }
}

void JourneyScope::take_apc_before(std::size_t index) {
    for (std::size_t i = index; i-- != 0;) {
        if (all_[i].moment.thread != all_[index].moment.thread) continue;
        if (all_[i].kind == EventKind::apc_delivered) records_in_[i] = true;
        return;
    }
}

// What a driver prints, and where a thread waits, while it has to do with the IRP.
void JourneyScope::take_circumstances() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        const EventKind kind = all_[i].kind;
        if (!has_call(calls_.around(i))) continue;
        const bool in_service = all_[calls_.call(calls_.around(i)).begin].kind == EventKind::service_entry;
        const bool by_driver = kind == EventKind::debug_print || kind == EventKind::dpc_queued;
        if (is_wait(kind) || kind == EventKind::bug_check || (by_driver && !in_service)) records_in_[i] = true;
    }
}

} // namespace dirql::diag
