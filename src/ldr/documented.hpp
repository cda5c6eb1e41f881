// What the documentation of the kernel's headers names, whether dirql has it or not: the measure of the export table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace dirql::ldr {

struct Documented {
    static constexpr std::uint8_t no_irql = 0xFF;

    std::string_view name;
    std::string_view header;
    std::string_view image; // "header": a macro or inline function
    std::uint8_t irql_min;
    std::uint8_t irql_max; // no_irql: the document gives none
};

// Sorted by name.
[[nodiscard]] std::span<const Documented> documented();
[[nodiscard]] const Documented* find_documented(std::string_view name);

} // namespace dirql::ldr
