// The export table: what a driver can bind to, and nothing else.
//
// It is made of the data files in src/ke/exports, the same that give each export's door its IRQL range. A name that has no
// line there does not exist for drivers.
#pragma once

#include "ldr/elf_image.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace dirql::ldr {

enum class ExportKind : std::uint8_t {
    function,
    data,
    crt,      // the C run-time that drivers use: implemented here, never the host's
    compiler, // what compilers call on their own
    inlined,  // a macro or inline function of the headers: nothing to bind to
};

enum class ExportState : std::uint8_t {
    full,
    partial, // the note says what lacks
};

struct Export {
    std::string_view name;
    std::string_view image; // the NT image that exports it: "ntoskrnl", "hal"
    std::string_view note;
    void* address; // null for ExportKind::inlined
    ExportKind kind;
    ExportState state;
    std::uint8_t irql_min; // where it may be called; data, compiler and C run-time names have no limit
    std::uint8_t irql_max;
};

// Sorted by name.
[[nodiscard]] std::span<const Export> exports();
[[nodiscard]] const Export* find_export(std::string_view name);
// For MmGetSystemRoutineAddress: null for what no image of NT exports, names of the compiler's own among it.
[[nodiscard]] void* find_system_routine(std::string_view name);
// Of each of them, in the same order; null where there is nothing to bind to.
[[nodiscard]] std::span<const void* const> export_addresses();

// Where an undefined name of a plug-in leads.
enum class ImportOrigin : std::uint8_t {
    kernel,    // an export
    sanitizer, // the run-time of a sanitizer, which this process has
    host,      // absent, although the host's C library has such a name: a user-mode function in a driver
    unknown,   // absent
};
[[nodiscard]] ImportOrigin origin_of_import(std::string_view name);

// Resolves the imports of plug-ins: exports, then the sanitizer's run-time where this process has one.
[[nodiscard]] const SymbolResolver& kernel_exports();

} // namespace dirql::ldr
