// Security descriptors in both forms: absolute (pointers) and self-relative (offsets).
#pragma once

#include <ntifs.h>

#include <cstddef>

namespace dirql::rtl {

// What a descriptor says, whatever its form. A list that is present and null is a null list; one that is not present is
// null too.
struct DescriptorParts {
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    PSID owner = nullptr;
    PSID group = nullptr;
    PACL sacl = nullptr;
    PACL dacl = nullptr;

    [[nodiscard]] bool dacl_present() const noexcept { return (control & SE_DACL_PRESENT) != 0; }
    [[nodiscard]] bool sacl_present() const noexcept { return (control & SE_SACL_PRESENT) != 0; }
};

[[nodiscard]] inline bool is_self_relative(const void* descriptor) noexcept {
    return (static_cast<const SECURITY_DESCRIPTOR*>(descriptor)->Control & SE_SELF_RELATIVE) != 0;
}
[[nodiscard]] DescriptorParts parts_of(const void* descriptor) noexcept;

// The descriptor's memory is trusted.
[[nodiscard]] bool valid_descriptor(const void* descriptor) noexcept;
// A self-relative one of which nothing is trusted: all lies inside of `bytes`, aligned, and is valid. What `required` names must
// be there.
[[nodiscard]] bool valid_relative_descriptor(const void* descriptor, std::size_t bytes,
                                             SECURITY_INFORMATION required) noexcept;

// In the form that it has: for an absolute one header and parts, as if they lay behind it.
[[nodiscard]] std::size_t length_of_descriptor(const void* descriptor) noexcept;

// As one self-relative block.
[[nodiscard]] std::size_t relative_size(const DescriptorParts& parts) noexcept;
void write_relative(const DescriptorParts& parts, void* block) noexcept;

[[nodiscard]] constexpr std::size_t round_to_long(std::size_t bytes) noexcept { return (bytes + 3) & ~std::size_t{3}; }

} // namespace dirql::rtl
