// The entries of one directory.
#pragma once

#include "ob/namespace.hpp"
#include "rtl/counted_text.hpp"

#include <string_view>

namespace dirql::ob {

[[nodiscard]] inline rtl::Case case_rule(ULONG attributes) noexcept {
    return (attributes & OBJ_CASE_INSENSITIVE) != 0 ? rtl::Case::ignored : rtl::Case::sensitive;
}

// Null when there is none. No reference is added.
[[nodiscard]] ObjectHeader* find_entry(const Directory& directory, std::u16string_view name, rtl::Case how) noexcept;

// The name is not there yet. The entry references the object, and the object's name info the directory. False when memory is
// short.
[[nodiscard]] bool insert_entry(Directory& directory, std::u16string_view name, ObjectHeader& object) noexcept;

// Takes the object and its name out: two references fewer.
void remove_entry(ObjectHeader& object) noexcept;

} // namespace dirql::ob
