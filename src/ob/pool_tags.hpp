// Tags of the object manager's pool blocks, as they read in a dump.
#pragma once

#include <ntifs.h>

namespace dirql::ob {

consteval ULONG pool_tag(const char (&text)[5]) {
    return static_cast<ULONG>(text[0]) | static_cast<ULONG>(text[1]) << 8 | static_cast<ULONG>(text[2]) << 16 |
           static_cast<ULONG>(text[3]) << 24;
}

// All of it is nonpaged: objects may go at DISPATCH_LEVEL, and with them their names.
inline constexpr ULONG name_tag = pool_tag("ObNm");
inline constexpr ULONG directory_entry_tag = pool_tag("ObDi");
inline constexpr ULONG handle_table_tag = pool_tag("Obtb");

} // namespace dirql::ob
