// The security descriptor definition language: descriptors as text, both ways.
//
//   O:owner G:group D:flags(type;flags;rights;object;inherited object;account)... S:flags(...)
//
// Accounts are S-1-... or two letters. The language knows conditions, attributes and policies in entries, too, whose binary forms
// are not made here: STATUS_NOT_SUPPORTED.
#pragma once

#include "rtl/sid.hpp"

#include <ntifs.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace dirql::rtl {

enum class Sddl {
    full,
    // What IoCreateDeviceSecure takes: "D:" with or without P, then entries that allow, without flags or GUIDs.
    device_object,
};

struct SddlResult {
    NTSTATUS status;
    std::size_t needed; // bytes, or characters, of the whole result
};

// Makes a self-relative descriptor. STATUS_INVALID_PARAMETER for text that is none, STATUS_NONE_MAPPED for an account of a domain
// that there is not, STATUS_NOT_SUPPORTED, STATUS_BUFFER_TOO_SMALL (then `needed` says what would do). `to` is aligned to 4 bytes.
[[nodiscard]] SddlResult parse_sddl(std::u16string_view text, Sddl how, void* to, std::size_t room) noexcept;

// The parts that `which` names (OWNER_SECURITY_INFORMATION ...), without terminator. The descriptor is valid.
// STATUS_BUFFER_TOO_SMALL, STATUS_NOT_SUPPORTED.
[[nodiscard]] SddlResult write_sddl(const void* descriptor, SECURITY_INFORMATION which, char16_t* to,
                                    std::size_t room) noexcept;

// Names of the language. Two letters, upper case, each.
namespace sddl {
struct Name {
    char16_t text[3];
    ULONG value;

    [[nodiscard]] constexpr std::u16string_view view() const noexcept { return text; }
};
enum class Account { unknown, unmapped, known };
// What two letters mean, in either case.
[[nodiscard]] Account find_account(std::u16string_view text, SidBuffer& sid) noexcept;
// Null when the account has no letters.
[[nodiscard]] const char16_t* letters_of(const void* sid) noexcept;

[[nodiscard]] std::optional<UCHAR> ace_type(std::u16string_view text) noexcept;
[[nodiscard]] std::u16string_view name_of_ace_type(UCHAR type) noexcept; // empty: none
[[nodiscard]] std::optional<ULONG> ace_flag(std::u16string_view text) noexcept;
[[nodiscard]] std::optional<ACCESS_MASK> right(std::u16string_view text, bool label) noexcept;
[[nodiscard]] std::u16string_view name_of_ace_flag(ULONG bit) noexcept;
// The name of a whole mask, and of one bit.
[[nodiscard]] std::u16string_view name_of_mask(ACCESS_MASK mask) noexcept;
[[nodiscard]] std::u16string_view name_of_right(ACCESS_MASK bit, bool label) noexcept;
} // namespace sddl

} // namespace dirql::rtl
