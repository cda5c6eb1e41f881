#include "rtl/bitmap.hpp"

#include "rtl/memory.hpp"

#include <algorithm>
#include <bit>

namespace dirql::rtl {
namespace {

constexpr std::uint32_t from_bit(std::uint32_t bit) { return ~0u << (bit % 32); }       // bits >= bit of its word
constexpr std::uint32_t up_to_bit(std::uint32_t bit) { return ~0u >> (31 - bit % 32); } // bits <= bit of its word

} // namespace

void Bitmap::assign(BitRun run, bool value) noexcept {
    if (run.length == 0) return;
    const std::uint32_t last = run.start + run.length - 1;
    for (std::uint32_t index = run.start / 32; index <= last / 32; ++index) {
        std::uint32_t mask = ~0u;
        if (index == run.start / 32) mask &= from_bit(run.start);
        if (index == last / 32) mask &= up_to_bit(last);
        words_[index] = value ? words_[index] | mask : words_[index] & ~mask;
    }
}

void Bitmap::assign_all(bool value) noexcept {
    fill_memory(words_, value ? 0xFF : 0, (std::size_t{size_} + 31) / 32 * 4);
}

bool Bitmap::all_are(BitRun run, bool value) const noexcept {
    if (run.length == 0 || run.start >= size_ || run.length > size_ - run.start) return false;
    return find(!value, run.start) >= run.start + run.length;
}

std::uint32_t Bitmap::count(bool value) const noexcept {
    std::uint32_t total = 0;
    for (std::uint32_t index = 0; index < size_ / 32; ++index)
        total += static_cast<std::uint32_t>(std::popcount(word(index, value)));
    if (size_ % 32 != 0)
        total += static_cast<std::uint32_t>(std::popcount(word(size_ / 32, value) & up_to_bit(size_ - 1)));
    return total;
}

std::uint32_t Bitmap::find(bool value, std::uint32_t from) const noexcept {
    if (from >= size_) return size_;
    std::uint32_t candidates = word(from / 32, value) & from_bit(from);
    for (std::uint32_t index = from / 32;; candidates = word(index, value)) {
        if (candidates != 0)
            return std::min(size_, index * 32 + static_cast<std::uint32_t>(std::countr_zero(candidates)));
        if (++index > (size_ - 1) / 32) return size_;
    }
}

std::uint32_t Bitmap::find_back(bool value, std::uint32_t from) const noexcept {
    if (size_ == 0) return no_bit;
    from = std::min(from, size_ - 1);
    std::uint32_t candidates = word(from / 32, value) & up_to_bit(from);
    for (std::uint32_t index = from / 32;; candidates = word(index, value)) {
        if (candidates != 0) return index * 32 + 31 - static_cast<std::uint32_t>(std::countl_zero(candidates));
        if (index-- == 0) return no_bit;
    }
}

BitRun Bitmap::next_run(bool value, std::uint32_t from) const noexcept {
    const std::uint32_t start = find(value, from);
    return {start, find(!value, start) - start};
}

std::uint32_t Bitmap::find_run_between(bool value, std::uint32_t length, std::uint32_t from,
                                       std::uint32_t to) const noexcept {
    for (std::uint32_t at = from; at < to;) {
        const BitRun run = next_run(value, at);
        if (run.length == 0 || run.start >= to) return no_bit;
        if (run.length >= length) return run.start;
        at = run.start + run.length;
    }
    return no_bit;
}

std::uint32_t Bitmap::find_run(bool value, std::uint32_t length, std::uint32_t hint) const noexcept {
    if (hint >= size_) hint = 0;
    if (length == 0) return hint & ~7u;
    if (length > size_) return no_bit;
    const std::uint32_t above = find_run_between(value, length, hint, size_);
    return above != no_bit ? above : find_run_between(value, length, 0, hint);
}

} // namespace dirql::rtl
