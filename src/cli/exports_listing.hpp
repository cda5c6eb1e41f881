// The export table as `dirql exports` prints it: NAME STATE IMAGE MIN..MAX NOTE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dirql::cli {

struct Listing {
    std::string_view name;
    std::string_view state; // full, inline, partial, absent
    std::string_view image; // of NT; "header" for what is compiled into the driver, "compiler" for what compilers call
    std::uint8_t irql_min;
    std::uint8_t irql_max;
    std::string note;
};

// What dirql has under this name, or what the WDK documents and dirql lacks. Without a name: nobody knows it.
[[nodiscard]] Listing listing_of(std::string_view name);

// One line, with its end.
[[nodiscard]] std::string line_of(const Listing& listing);

} // namespace dirql::cli
