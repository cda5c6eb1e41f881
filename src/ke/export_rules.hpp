// The rule of each export as a compile-time constant, made from the data files in exports/.
#pragma once

#include <cstdint>

namespace dirql::ke {

// One exported function: the IRQL range its document gives. `irql_max - irql_min` is folded so that the door's check is one compare.
struct ExportRule {
    const char* name;
    std::uint8_t irql_min;
    std::uint8_t irql_max;
};

namespace export_irql {
inline constexpr std::uint8_t PASSIVE = 0, APC = 1, DISPATCH = 2, DIRQL = 12, HIGH = 15, ANY = 15;
}

namespace rules {
#define DIRQL_EXPORT(Name, Image, Min, Max, State, Note) \
    inline constexpr ExportRule Name{#Name, export_irql::Min, export_irql::Max};
#define DIRQL_CRT(Name)
#define DIRQL_CRT_SYNTHESISED(Name)
#define DIRQL_INLINE(Name, Note)
#define DIRQL_DATA(Name, Note)
#include "ke/exports/all.def"
#undef DIRQL_EXPORT
#undef DIRQL_CRT
#undef DIRQL_CRT_SYNTHESISED
#undef DIRQL_INLINE
#undef DIRQL_DATA
} // namespace rules

} // namespace dirql::ke
