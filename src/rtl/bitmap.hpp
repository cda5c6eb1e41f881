// Bitmaps of 32-bit words: bit i is bit i % 32 of word i / 32. Searches and counts go word by word.
#pragma once

#include <cstdint>

namespace dirql::rtl {

inline constexpr std::uint32_t no_bit = 0xFFFFFFFF;

// Bits [start, start + length).
struct BitRun {
    std::uint32_t start;
    std::uint32_t length;
};

// A view of a driver's bitmap. Ranges handed in must lie inside it, but for what a function says.
class Bitmap {
public:
    Bitmap(std::uint32_t* words, std::uint32_t size) noexcept : words_(words), size_(size) {}

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] bool test(std::uint32_t bit) const noexcept { return words_[bit / 32] >> (bit % 32) & 1; }

    void assign(BitRun run, bool value) noexcept;
    void assign_all(bool value) noexcept; // also the bits behind the end in the last word

    // True when all bits of the run have the value; false for an empty run and one that leaves the bitmap.
    [[nodiscard]] bool all_are(BitRun run, bool value) const noexcept;

    [[nodiscard]] std::uint32_t count(bool value) const noexcept;

    // The first bit at or after `from` that has the value; size() when there is none.
    [[nodiscard]] std::uint32_t find(bool value, std::uint32_t from) const noexcept;

    // The last bit at or before `from` that has the value; no_bit when there is none.
    [[nodiscard]] std::uint32_t find_back(bool value, std::uint32_t from) const noexcept;

    // The run of the value that begins with the first such bit at or after `from`; length 0 when there is none.
    [[nodiscard]] BitRun next_run(bool value, std::uint32_t from) const noexcept;

    // The start of `length` successive bits of the value: from `hint` up, then from the bottom; no_bit when there are
    // none. A hint beyond the end is 0, and so is the answer to a length of 0 up to alignment: the hint's byte.
    [[nodiscard]] std::uint32_t find_run(bool value, std::uint32_t length, std::uint32_t hint) const noexcept;

private:
    [[nodiscard]] std::uint32_t find_run_between(bool value, std::uint32_t length, std::uint32_t from,
                                                 std::uint32_t to) const noexcept;

    // Word `index` with the sought bits as ones.
    [[nodiscard]] std::uint32_t word(std::uint32_t index, bool value) const noexcept {
        return value ? words_[index] : ~words_[index];
    }

    std::uint32_t* words_;
    std::uint32_t size_;
};

} // namespace dirql::rtl
