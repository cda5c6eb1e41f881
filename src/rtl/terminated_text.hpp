// Null-terminated text of either width: what the C run-time functions are made of. No bounds but the caller's.
#pragma once

#include "rtl/memory.hpp"

#include <cstddef>
#include <type_traits>

namespace dirql::rtl {

inline constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

template <class Char> [[nodiscard]] std::size_t text_length(const Char* text) noexcept {
    const Char* end = text;
    while (*end != 0) ++end;
    return static_cast<std::size_t>(end - text);
}

// The length, or `limit` when no terminator stands in the first `limit` units; nothing behind them is read.
template <class Char> [[nodiscard]] std::size_t text_length(const Char* text, std::size_t limit) noexcept {
    std::size_t length = 0;
    while (length < limit && text[length] != 0) ++length;
    return length;
}

// Copies with the terminator; returns the address of the copied terminator.
template <class Char> Char* copy_text(Char* to, const Char* from) noexcept {
    while ((*to = *from) != 0) {
        ++to;
        ++from;
    }
    return to;
}

// Copies at most `count` units and always terminates: `to` has room for count + 1.
template <class Char> void copy_text(Char* to, const Char* from, std::size_t count) noexcept {
    for (; count != 0 && *from != 0; --count) *to++ = *from++;
    *to = 0;
}

template <class Char> [[nodiscard]] int unit_value(Char c) noexcept {
    return static_cast<std::make_unsigned_t<Char>>(c);
}

template <class Char> struct Identity {
    constexpr Char operator()(Char c) const noexcept { return c; }
};

// The difference of the first pair of units that differ after `key`, looking at no more than `limit` pairs.
template <class Char, class Key = Identity<Char>>
[[nodiscard]] int compare_terminated(const Char* left, const Char* right, std::size_t limit, Key key = {}) noexcept {
    for (; limit != 0; --limit, ++left, ++right) {
        const int difference = unit_value(key(*left)) - unit_value(key(*right));
        if (difference != 0 || *left == 0) return difference;
    }
    return 0;
}

// The first `c`, which may be the terminator itself; null when there is none.
template <class Char> [[nodiscard]] const Char* find_unit(const Char* text, Char c) noexcept {
    for (; *text != c; ++text)
        if (*text == 0) return nullptr;
    return text;
}

template <class Char> [[nodiscard]] const Char* find_last_unit(const Char* text, Char c) noexcept {
    const Char* found = nullptr;
    for (;; ++text) {
        if (*text == c) found = text;
        if (*text == 0) return found;
    }
}

template <class Char> [[nodiscard]] const Char* find_text(const Char* text, const Char* wanted) noexcept {
    const std::size_t length = text_length(wanted);
    for (;; ++text) {
        if (compare_terminated(text, wanted, length) == 0) return text;
        if (*text == 0) return nullptr;
    }
}

// The length of the leading part whose units are (`inside`) or are not in `set`.
template <class Char> [[nodiscard]] std::size_t span_of(const Char* text, const Char* set, bool inside) noexcept {
    std::size_t length = 0;
    while (text[length] != 0 && (find_unit(set, text[length]) != nullptr) == inside) ++length;
    return length;
}

// The first unit that is in `set`; null when there is none.
template <class Char> [[nodiscard]] const Char* find_any(const Char* text, const Char* set) noexcept {
    text += span_of(text, set, false);
    return *text != 0 ? text : nullptr;
}

// strncpy's copy: exactly `count` units are written, zeros behind the text, no terminator when it fills them.
template <class Char> Char* copy_padded(Char* to, const Char* from, std::size_t count) noexcept {
    std::size_t i = 0;
    for (; i < count && from[i] != 0; ++i) to[i] = from[i];
    fill_memory(to + i, 0, (count - i) * sizeof(Char));
    return to;
}

template <class Char, class Change> Char* transform_text(Char* text, Change change) noexcept {
    for (Char* at = text; *at != 0; ++at) *at = change(*at);
    return text;
}

template <class Char> Char* set_text(Char* text, Char c, std::size_t count) noexcept {
    for (Char* at = text; count != 0 && *at != 0; --count) *at++ = c;
    return text;
}

template <class Char> Char* reverse_text(Char* text) noexcept {
    Char* first = text;
    for (Char* last = text + text_length(text); first < last && first < --last; ++first) {
        const Char c = *first;
        *first = *last;
        *last = c;
    }
    return text;
}

// strtok_s: cuts the next token out of `text`, or out of `*rest` when `text` is null. Null when none is left.
template <class Char> Char* next_token(Char* text, const Char* delimiters, Char** rest) noexcept {
    Char* const token = (text ? text : *rest) + span_of(text ? text : *rest, delimiters, true);
    Char* const end = token + span_of(token, delimiters, false);
    *rest = end;
    if (*end != 0) *(*rest)++ = 0;
    return end != token ? token : nullptr;
}

} // namespace dirql::rtl
