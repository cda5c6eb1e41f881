// Which documented rule an export called at a wrong IRQL has broken: cold, for the report alone.
#pragma once

#include "ke/export_rules.hpp"

#include <cstdint>

namespace dirql::ke {

// What Driver Verifier stops with. `subject`: its document gives the address of a lock or an IRP as the third parameter.
struct IrqlRule {
    std::uint32_t code;    // the bug check: 0xC4, or 0xC9 of the I/O verifier
    std::uint32_t subcode; // its first parameter
    const char* document;
    bool subject;
};

// Where the verifier has a code for one function, or its rules name it, that; else the rule for others of its kind.
[[nodiscard]] IrqlRule broken_irql_rule(const ExportRule& rule) noexcept;

} // namespace dirql::ke
