// The answer of a service that is asked for a class of information: where it goes, and what is told when it is too short.
#pragma once

#include "ex/pool.hpp"
#include "ke/user_memory.hpp"

#include <algorithm>
#include <string_view>

namespace dirql::ob {

struct Answer {
    PVOID to;
    ULONG length;
    PULONG needed; // ReturnLength, null where the caller does not want it
    KPROCESSOR_MODE mode;

    [[nodiscard]] NTSTATUS say_needed(std::size_t size) const noexcept {
        return ke::copy_out_if_wanted(needed, static_cast<ULONG>(size), mode);
    }

    // Of exactly its size, else STATUS_INFO_LENGTH_MISMATCH. ReturnLength is that of an answer.
    template <class T> [[nodiscard]] NTSTATUS give(const T& value) const noexcept {
        if (length != sizeof value) return STATUS_INFO_LENGTH_MISMATCH;
        const NTSTATUS status = ke::copy_out(static_cast<T*>(to), value, mode);
        return NT_SUCCESS(status) ? say_needed(sizeof value) : status;
    }

    // Of a variable length: ReturnLength says how long, also where it does not fit and STATUS_INFO_LENGTH_MISMATCH is the status.
    // The information's `name` is this text, which stands behind it with a terminator.
    template <class T>
    [[nodiscard]] NTSTATUS give_named(T information, UNICODE_STRING T::*name, std::u16string_view text) const noexcept {
        const auto bytes = static_cast<USHORT>(text.size() * sizeof(WCHAR));
        const ULONG size = sizeof information + bytes + sizeof(WCHAR);
        NTSTATUS status = say_needed(size);
        if (!NT_SUCCESS(status)) return status;
        if (length < size) return STATUS_INFO_LENGTH_MISMATCH;
        auto* characters = reinterpret_cast<PWSTR>(static_cast<T*>(to) + 1);
        information.*name = {bytes, static_cast<USHORT>(bytes + sizeof(WCHAR)), characters};
        status = ke::copy_out(static_cast<T*>(to), information, mode);
        if (NT_SUCCESS(status) && bytes != 0) status = ke::copy_bytes_out(characters, text.data(), bytes, mode);
        constexpr WCHAR end = 0;
        return NT_SUCCESS(status) ? ke::copy_out(characters + text.size(), end, mode) : status;
    }

    // The same of what `fill(buffer, size)` makes in pool memory of `room` bytes, zeroed: it returns a status, with `size` what
    // it took, or would take where that is a status of lengths.
    template <class Fill> [[nodiscard]] NTSTATUS give_from_pool(ULONG room, Fill fill) const noexcept {
        void* buffer = ex::allocate_pool(PagedPool, std::max<ULONG>(room, 1), ex::pool_tag("ObAn"), ex::Fill::zero);
        if (buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        ULONG size = 0;
        NTSTATUS status = fill(buffer, size);
        const bool known = NT_SUCCESS(status) || status == STATUS_BUFFER_TOO_SMALL ||
                           status == STATUS_INFO_LENGTH_MISMATCH || status == STATUS_BUFFER_OVERFLOW;
        if (NT_SUCCESS(status)) status = ke::copy_bytes_out(to, buffer, std::min(size, room), mode);
        if (known && !NT_SUCCESS(say_needed(size))) status = STATUS_ACCESS_VIOLATION;
        ex::free_pool(buffer, 0);
        return status;
    }
};

} // namespace dirql::ob
