// What the export door checks. The rules themselves are made family by family: `ke/exports/<family>.hpp`, of
// `ke/exports/<family>.def`, so that a line more in one family compiles that family again and no other.
#pragma once

#include <cstdint>

namespace dirql::ke {

// One exported function: the IRQL range its document gives.
struct ExportRule {
    const char* name;
    std::uint8_t irql_min;
    std::uint8_t irql_max;
};

namespace export_irql {
inline constexpr std::uint8_t PASSIVE = 0, APC = 1, DISPATCH = 2, DIRQL = 12, HIGH = 15, ANY = 15;
}

} // namespace dirql::ke
