// Which debug messages are shown.
#pragma once

#include <cstdint>

namespace dirql::rtl {

// The filter masks of one machine, as it boots.
struct DebugFilter {
    static constexpr std::uint32_t default_component = 101; // DPFLTR_DEFAULT_ID
    static constexpr std::uint32_t last_component = 0x9C;   // DPFLTR_ENDOFTABLE_ID - 1

    std::uint32_t system_mask = 1;                  // Kd_WIN2000_Mask: errors of every component
    std::uint32_t default_mask = ~std::uint32_t{0}; // Kd_DEFAULT_Mask
    std::uint32_t other_mask = 0;                   // of each other component

    // All ones stands for the default component.
    [[nodiscard]] constexpr bool knows(std::uint32_t component) const noexcept {
        return component <= last_component || component == ~std::uint32_t{0};
    }

    // A level below 32 is the number of a bit, any other is a mask.
    [[nodiscard]] constexpr bool shows(std::uint32_t component, std::uint32_t level) const noexcept {
        if (!knows(component)) return false;
        const bool is_default = component == default_component || component == ~std::uint32_t{0};
        const std::uint32_t bits = level < 32 ? std::uint32_t{1} << level : level;
        return (bits & (system_mask | (is_default ? default_mask : other_mask))) != 0;
    }
};

} // namespace dirql::rtl
