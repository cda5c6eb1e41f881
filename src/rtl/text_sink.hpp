// The end of every formatted text: a bounded buffer that goes on counting when it is full and writes no terminator.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace dirql::rtl {

inline constexpr std::size_t unbounded = SIZE_MAX;

template <class Char> class TextSink {
public:
    TextSink(Char* buffer, std::size_t capacity) noexcept : buffer_(buffer), capacity_(capacity) {}

    void put(Char c) noexcept {
        if (length_ < capacity_) buffer_[length_] = c;
        ++length_;
    }

    // `count` times `c`. What does not fit is only counted, so an absurd field width costs nothing.
    void repeat(Char c, std::size_t count) noexcept {
        const std::size_t room = capacity_ - stored();
        for (std::size_t i = 0; i < std::min(room, count); ++i) buffer_[length_ + i] = c;
        length_ += count;
    }

    // Units asked for, stored or not.
    [[nodiscard]] std::size_t length() const noexcept { return length_; }
    [[nodiscard]] std::size_t stored() const noexcept { return std::min(length_, capacity_); }
    [[nodiscard]] bool truncated() const noexcept { return length_ > capacity_; }

private:
    Char* buffer_;
    std::size_t capacity_;
    std::size_t length_ = 0;
};

} // namespace dirql::rtl
