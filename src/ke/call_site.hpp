// What a call instruction calls, read off the code before a return address: how a stack tells by which export a driver
// has entered the kernel, whatever the compiler has made of the kernel.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace dirql::ke {

namespace detail {

// Of an operand at `bytes`, whose instruction ends at `end`.
inline std::uint64_t relative_target(std::uint64_t end, const std::uint8_t* bytes) noexcept {
    std::int32_t displacement;
    std::memcpy(&displacement, bytes, sizeof displacement);
    return end + static_cast<std::uint64_t>(std::int64_t{displacement});
}

template <class Copy> std::uint64_t pointer_at(std::uint64_t address, const Copy& copy) noexcept {
    std::uint64_t pointer = 0;
    return copy(&pointer, address, sizeof pointer) ? pointer : 0;
}

// Of a stub of the linkage table: endbr64 and a bnd prefix may stand before its `jmp *entry(%rip)`. Else 0.
template <class Copy> std::uint64_t target_behind_stub(std::uint64_t stub, const Copy& copy) noexcept {
    std::array<std::uint8_t, 16> code{};
    if (!copy(code.data(), stub, code.size())) return 0;
    constexpr std::array<std::uint8_t, 4> endbr64 = {0xF3, 0x0F, 0x1E, 0xFA};
    std::size_t at = std::equal(endbr64.begin(), endbr64.end(), code.begin()) ? endbr64.size() : 0;
    if (code[at] == 0xF2) ++at;
    if (code[at] != 0xFF || code[at + 1] != 0x25) return 0;
    return pointer_at(relative_target(stub + at + 6, &code[at + 2]), copy);
}

} // namespace detail

// Both a direct call's target and, where that is a stub of the linkage table, what the stub leads to. 0: there is none.
struct CallTarget {
    std::uint64_t direct = 0;
    std::uint64_t behind_stub = 0;
};

// Does a call instruction end where this address begins? `copy` as below.
template <class Copy> bool follows_call(std::uint64_t address, const Copy& copy) noexcept {
    std::array<std::uint8_t, 7> code{};
    if (!copy(code.data(), address - code.size(), code.size())) return false;
    if (code[2] == 0xE8) return true;
    // call *operand, by the length that its ModRM byte gives; the addressing forms of registers 4 and 5 are longer.
    const auto calls = [&](std::size_t length) { return code[7 - length] == 0xFF && (code[8 - length] >> 3 & 7) == 2; };
    const auto form = [&](std::size_t length) { return code[8 - length] >> 6; };
    const auto base = [&](std::size_t length) { return code[8 - length] & 7; };
    return (calls(2) && (form(2) == 3 || (form(2) == 0 && base(2) != 4 && base(2) != 5))) ||
           (calls(3) && ((form(3) == 1 && base(3) != 4) || (form(3) == 0 && base(3) == 4))) ||
           (calls(4) && form(4) == 1 && base(4) == 4) ||
           (calls(6) && ((form(6) == 2 && base(6) != 4) || (form(6) == 0 && base(6) == 5))) ||
           (calls(7) && ((form(7) == 2 || form(7) == 0) && base(7) == 4));
}

// `copy(void* to, std::uint64_t from, std::size_t bytes)` reads memory that may be anything; false when it cannot.
template <class Copy> CallTarget call_target(std::uint64_t return_address, const Copy& copy) noexcept {
    std::array<std::uint8_t, 6> code{}; // the bytes before it
    if (!copy(code.data(), return_address - code.size(), code.size())) return {};
    if (code[0] == 0xFF && code[1] == 0x15)
        return {detail::pointer_at(detail::relative_target(return_address, &code[2]), copy), 0};
    if (code[1] != 0xE8) return {};
    const std::uint64_t target = detail::relative_target(return_address, &code[2]);
    return {target, detail::target_behind_stub(target, copy)};
}

} // namespace dirql::ke
