// The rules of the secure text functions (strcpy_s and its family), once for both widths.
//
// A null or empty target is EINVAL and untouched. A null source, or a result that does not fit, empties the target and
// is EINVAL or ERANGE. No invalid-parameter handler runs: the kernel has none.
#pragma once

#include "rtl/crt.hpp"
#include "rtl/terminated_text.hpp"

namespace dirql::rtl {

template <class Char> errno_t refuse(Char* to, errno_t why) noexcept {
    *to = 0;
    return why;
}

// Writes at most `count` units of `from` behind the `used` units that `to` holds. With count == truncate, what fits.
template <class Char>
errno_t place_text(Char* to, std::size_t room, std::size_t used, const Char* from, std::size_t count) noexcept {
    if (from == nullptr && count != 0) return refuse(to, e_inval);
    const std::size_t fits = room - used - 1;
    const bool cut = count == truncate;
    const std::size_t wanted = cut || count > fits ? fits : count;
    const std::size_t length = count == 0 ? 0 : text_length(from, wanted);
    const bool whole = length < wanted || length == count || from[length] == 0;
    if (!whole && !cut) return refuse(to, e_range);
    move_memory(to + used, from, length * sizeof(Char));
    to[used + length] = 0;
    return whole ? no_error : truncated_text;
}

// strcpy_s and strncpy_s; a plain copy has `count` = unlimited - 1.
template <class Char>
errno_t copy_secure(Char* to, std::size_t room, const Char* from, std::size_t count = unlimited - 1) noexcept {
    if (count == 0 && to == nullptr && room == 0) return no_error;
    if (to == nullptr || room == 0) return e_inval;
    return place_text(to, room, 0, from, count);
}

// strcat_s and strncat_s. A target without terminator is EINVAL.
template <class Char>
errno_t append_secure(Char* to, std::size_t room, const Char* from, std::size_t count = unlimited - 1) noexcept {
    if (count == 0 && to == nullptr && room == 0) return no_error;
    if (to == nullptr || room == 0) return e_inval;
    const std::size_t used = text_length(to, room);
    return used == room ? refuse(to, e_inval) : place_text(to, room, used, from, count);
}

// _strset_s and _strnset_s. With an unlimited count the whole text is set.
template <class Char> errno_t set_secure(Char* to, std::size_t room, Char c, std::size_t count) noexcept {
    if (to == nullptr || room == 0) return e_inval;
    if (text_length(to, room) == room) return refuse(to, e_inval);
    set_text(to, c, count);
    return no_error;
}

template <class Char, class Change> errno_t transform_secure(Char* to, std::size_t room, Change change) noexcept {
    if (to == nullptr) return e_inval;
    if (room == 0 || text_length(to, room) == room) return room == 0 ? e_inval : refuse(to, e_inval);
    transform_text(to, change);
    return no_error;
}

} // namespace dirql::rtl
