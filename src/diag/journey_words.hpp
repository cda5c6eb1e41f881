// The sentences of a journey.
#pragma once

#include "diag/recorder.hpp"

#include <string>
#include <string_view>

namespace dirql::diag {

// What surrounds the record that is put into words.
struct Circumstances {
    const Record* around =
        nullptr; // the record that began the call in which it happened, or, of an end, the call that ends
    const Record* first_call = nullptr; // the first call of a driver with this IRP
};

// One event as a sentence without its full stop: "-> \Driver\echo is called for \Device\Echo". Empty: nothing to say.
[[nodiscard]] std::string in_words(const Record& record, const Circumstances& where);

// Who runs in the call that this record began: "\Driver\echo", "the DPC routine", "the application".
[[nodiscard]] std::string who_runs(const Record* begin);

} // namespace dirql::diag
