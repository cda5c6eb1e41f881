// The export door: the first line of every function that drivers call.
//
// It checks the documented IRQL range (one compare), charges virtual time and is a preemption point. It sits in ke, below its
// table of addresses in ldr, because every layer's exports pass it.
#pragma once

#include "ke/clock.hpp"
#include "ke/export_calls.hpp"
#include "ke/export_rules.hpp"
#include "ke/processor.hpp"

namespace dirql::ke {

// Bug check: the export was called at an IRQL that its document does not allow. `subject`: the lock or IRP it was called with, where
// the bug check has a parameter for that.
[[gnu::cold, gnu::noinline]] void irql_violation(const ExportRule& rule, Processor* processor,
                                                 const void* subject) noexcept;
[[gnu::cold, gnu::noinline]] void trace_export(const ExportRule& rule, Processor* processor) noexcept;

// Returns the current processor; null outside of a machine.
template <const ExportRule& Rule> inline Processor* export_door(const void* subject = nullptr) noexcept {
#ifdef DIRQL_COUNT_EXPORTS
    count_call<Rule>();
#endif
    Processor* processor = current_processor();
    if (processor == nullptr) [[unlikely]]
        return nullptr; // host code may use what needs no machine
    if constexpr (Rule.irql_min != 0 || Rule.irql_max != export_irql::ANY) {
        const auto above = static_cast<std::uint8_t>(processor->irql - Rule.irql_min);
        if (above > Rule.irql_max - Rule.irql_min) [[unlikely]]
            irql_violation(Rule, processor, subject);
    }
    return charge(processor, cost::export_call);
}

} // namespace dirql::ke

#define DIRQL_DOOR_OF(Name, subject) ::dirql::ke::export_door<::dirql::ke::rules::Name>(subject)
#define DIRQL_DOOR(Name) ::dirql::ke::export_door<::dirql::ke::rules::Name>()
