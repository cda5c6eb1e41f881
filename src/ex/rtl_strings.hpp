// What the exported string functions share: views of counted strings and the storage of converted ones.
#pragma once

#include "rtl/counted_text.hpp"

#include <ntifs.h>

#include <string_view>

namespace dirql::ex {

inline constexpr ULONG string_tag = 0x67727453; // "Strg"

template <class String> using UnitOf = std::remove_pointer_t<decltype(String::Buffer)>;

// The text of a UNICODE_STRING or STRING.
template <class String> [[nodiscard]] auto view(const String* string) noexcept {
    using Unit = UnitOf<String>;
    return std::basic_string_view<Unit>(string->Buffer, string->Length / sizeof(Unit));
}

[[nodiscard]] inline rtl::Case case_of(BOOLEAN case_insensitive) noexcept {
    return case_insensitive ? rtl::Case::ignored : rtl::Case::sensitive;
}

enum class Terminator : bool { absent, present };

// Gives `destination` room for `length` bytes of text: a block of paged pool when `allocate` is set, else the buffer it
// brought. Only on success is it changed; its text and terminator are then the caller's to write.
//   STATUS_INVALID_PARAMETER_2   the result is longer than a counted string can be
//   STATUS_BUFFER_OVERFLOW       the caller's buffer is too small
//   STATUS_NO_MEMORY
template <class String>
[[nodiscard]] NTSTATUS make_room(String* destination, ULONG length, Terminator terminator, BOOLEAN allocate) noexcept {
    const ULONG size = length + (terminator == Terminator::present ? sizeof(UnitOf<String>) : 0);
    if (size > MAXUSHORT) return STATUS_INVALID_PARAMETER_2;
    if (!allocate && size > destination->MaximumLength) return STATUS_BUFFER_OVERFLOW;
    if (allocate) {
        void* const block = size == 0 ? nullptr : ExAllocatePoolWithTag(PagedPool, size, string_tag);
        if (block == nullptr && size != 0) return STATUS_NO_MEMORY;
        destination->Buffer = static_cast<UnitOf<String>*>(block);
        destination->MaximumLength = static_cast<USHORT>(size);
    }
    destination->Length = static_cast<USHORT>(length);
    return STATUS_SUCCESS;
}

// Frees what make_room allocated and forgets it.
template <class String> void free_string(String* string) noexcept {
    if (string->Buffer == nullptr) return;
    ExFreePoolWithTag(string->Buffer, 0);
    *string = {};
}

} // namespace dirql::ex
