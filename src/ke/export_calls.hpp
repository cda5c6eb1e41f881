// Which exports were called, for the test that finds those that nobody calls. Only in builds made with DIRQL_COUNT_EXPORTS (the one
// under AddressSanitizer is); in all others there is nothing of this.
#pragma once

#include "ke/export_rules.hpp"

#ifdef DIRQL_COUNT_EXPORTS

#include <atomic>

namespace dirql::ke {

struct ExportCalls {
    const char* name;
    std::atomic<std::uint64_t> count;
    ExportCalls* next; // of those that were called
};

// Of the process, not of a machine: what all its machines called is written down at its end, one name and number a line, into a
// file of its own in the directory that the environment variable DIRQL_EXPORT_CALLS names.
void remember_calls(ExportCalls& calls) noexcept;

template <const ExportRule& Rule> inline constinit ExportCalls calls_of{Rule.name, {}, nullptr};

template <const ExportRule& Rule> inline void count_call() noexcept {
    if (calls_of<Rule>.count.fetch_add(1, std::memory_order_relaxed) == 0) remember_calls(calls_of<Rule>);
}

} // namespace dirql::ke

// For an exported function that has no door: another export's it goes through, or it is too small for one.
#define DIRQL_CALLED(Name) ::dirql::ke::count_call<::dirql::ke::rules::Name>()

#else

#define DIRQL_CALLED(Name) static_cast<void>(0)

#endif
