#include "rtl/memory.hpp"

#include <bit>
#include <cstdint>
#include <emmintrin.h>

// Every path below loads a block whole before it stores it, which is what makes overlap harmless in the short paths.

namespace dirql::rtl {
namespace {

template <class Word> struct __attribute__((packed, may_alias)) Unaligned { Word value; };

template <class Word> [[gnu::always_inline]] inline Word load(const unsigned char* at) {
    return reinterpret_cast<const Unaligned<Word>*>(at)->value;
}

template <class Word> [[gnu::always_inline]] inline void store(unsigned char* at, Word value) {
    reinterpret_cast<Unaligned<Word>*>(at)->value = value;
}

[[gnu::always_inline]] inline __m128i load16(const unsigned char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

[[gnu::always_inline]] inline void store16(unsigned char* at, __m128i value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value);
}

// Two words that meet or overlap in the middle cover every size from one word to two.
template <class Word>
[[gnu::always_inline]] inline void move_ends(unsigned char* to, const unsigned char* from, std::size_t size) {
    const Word head = load<Word>(from);
    const Word tail = load<Word>(from + size - sizeof(Word));
    store(to, head);
    store(to + size - sizeof(Word), tail);
}

void move_below_16(unsigned char* to, const unsigned char* from, std::size_t size) {
    if (size >= 8) return move_ends<std::uint64_t>(to, from, size);
    if (size >= 4) return move_ends<std::uint32_t>(to, from, size);
    if (size >= 2) return move_ends<std::uint16_t>(to, from, size);
    if (size == 1) *to = *from;
}

// Four blocks at a time, then one at a time. The last is read first: copying into lower addresses may overwrite it.
void move_forward(unsigned char* to, const unsigned char* from, std::size_t size) {
    const __m128i tail = load16(from + size - 16);
    unsigned char* const last = to + size - 16;
    for (; last - to >= 48; to += 64, from += 64) {
        const __m128i a = load16(from), b = load16(from + 16), c = load16(from + 32), d = load16(from + 48);
        store16(to, a);
        store16(to + 16, b);
        store16(to + 32, c);
        store16(to + 48, d);
    }
    for (; to < last; to += 16, from += 16) store16(to, load16(from));
    store16(last, tail);
}

void move_backward(unsigned char* to, const unsigned char* from, std::size_t size) {
    const __m128i head = load16(from);
    for (; size >= 64; size -= 64) {
        const unsigned char* const end = from + size;
        const __m128i a = load16(end - 16), b = load16(end - 32), c = load16(end - 48), d = load16(end - 64);
        store16(to + size - 16, a);
        store16(to + size - 32, b);
        store16(to + size - 48, c);
        store16(to + size - 64, d);
    }
    for (; size > 16; size -= 16) store16(to + size - 16, load16(from + size - 16));
    store16(to, head);
}

void fill_below_16(unsigned char* at, unsigned char value, std::size_t size) {
    const std::uint64_t word = value * 0x0101010101010101u;
    const auto fill_ends = [&]<class Word>(Word part) {
        store(at, part);
        store(at + size - sizeof(Word), part);
    };
    if (size >= 8) return fill_ends(word);
    if (size >= 4) return fill_ends(static_cast<std::uint32_t>(word));
    if (size >= 2) return fill_ends(static_cast<std::uint16_t>(word));
    if (size == 1) *at = value;
}

// The first difference in a range of one to two words.
template <class Word> std::size_t equal_ends(const unsigned char* left, const unsigned char* right, std::size_t size) {
    if (const Word head = load<Word>(left) ^ load<Word>(right))
        return static_cast<unsigned>(std::countr_zero(head)) / 8;
    const std::size_t rest = size - sizeof(Word);
    const Word tail = load<Word>(left + rest) ^ load<Word>(right + rest);
    return tail == 0 ? size : rest + static_cast<unsigned>(std::countr_zero(tail)) / 8;
}

// Which of 16 bytes differ, as bits.
unsigned differences(const unsigned char* left, const unsigned char* right) {
    return 0xFFFFu ^ static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(load16(left), load16(right))));
}

std::size_t equal_below_16(const unsigned char* left, const unsigned char* right, std::size_t size) {
    if (size >= 8) return equal_ends<std::uint64_t>(left, right, size);
    if (size >= 4) return equal_ends<std::uint32_t>(left, right, size);
    std::size_t same = 0;
    while (same < size && left[same] == right[same]) ++same;
    return same;
}

// From this size on the processor's own string instructions win over a loop of blocks.
constexpr std::size_t string_instruction_size = 2048;

} // namespace

void move_memory(void* to, const void* from, std::size_t size) noexcept {
    auto* target = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    if (size < 16) return move_below_16(target, source, size);
    // One unsigned compare: the target begins inside the source exactly when the distance is below the size.
    const auto distance = reinterpret_cast<std::uintptr_t>(target) - reinterpret_cast<std::uintptr_t>(source);
    if (distance < size) return move_backward(target, source, size);
    if (size < string_instruction_size) return move_forward(target, source, size);
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
}

void fill_memory(void* at, unsigned char value, std::size_t size) noexcept {
    auto* target = static_cast<unsigned char*>(at);
    if (size < 16) return fill_below_16(target, value, size);
    if (size >= string_instruction_size) {
        asm volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(value) : "memory");
        return;
    }
    const __m128i block = _mm_set1_epi8(static_cast<char>(value));
    unsigned char* const last = target + size - 16;
    for (; last - target >= 48; target += 64)
        for (unsigned i = 0; i < 64; i += 16) store16(target + i, block);
    for (; target < last; target += 16) store16(target, block);
    store16(last, block);
}

std::size_t equal_bytes(const void* left, const void* right, std::size_t size) noexcept {
    const auto* first = static_cast<const unsigned char*>(left);
    const auto* second = static_cast<const unsigned char*>(right);
    if (size < 16) return equal_below_16(first, second, size);
    std::size_t done = 0;
    for (; done + 16 < size; done += 16)
        if (const unsigned mask = differences(first + done, second + done))
            return done + static_cast<unsigned>(std::countr_zero(mask));
    done = size - 16; // the last block overlaps what is known to agree
    const unsigned mask = differences(first + done, second + done);
    return mask == 0 ? size : done + static_cast<unsigned>(std::countr_zero(mask));
}

} // namespace dirql::rtl
