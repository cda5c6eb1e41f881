// A half-open range of addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dirql::ldr {

struct AddressRange {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;

    [[nodiscard]] constexpr std::size_t size() const noexcept { return end - begin; }
    [[nodiscard]] constexpr bool empty() const noexcept { return begin == end; }
    [[nodiscard]] constexpr bool contains(std::uintptr_t address) const noexcept {
        return address - begin < end - begin;
    }
    [[nodiscard]] bool contains(const void* address) const noexcept {
        return contains(reinterpret_cast<std::uintptr_t>(address));
    }

    friend constexpr bool operator==(const AddressRange&, const AddressRange&) = default;
};

} // namespace dirql::ldr
