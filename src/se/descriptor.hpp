// Security descriptors of the kernel's own: self-relative blocks of nonpaged pool.
#pragma once

#include "rtl/descriptor.hpp"
#include "rtl/sddl.hpp"

#include <ntifs.h>

#include <string_view>

namespace dirql::se {

// Null when memory is short.
[[nodiscard]] PSECURITY_DESCRIPTOR make_descriptor(const rtl::DescriptorParts& parts,
                                                   POOL_TYPE pool = NonPagedPoolNx) noexcept;
// Of text. What rtl::parse_sddl says of it, or STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS make_descriptor(std::u16string_view sddl, rtl::Sddl how, PSECURITY_DESCRIPTOR* result) noexcept;
// Null is freed, too.
void free_descriptor(PSECURITY_DESCRIPTOR descriptor) noexcept;

// Generic rights in its entries become those of the type that the descriptor is for. Entries that are there to be inherited only
// keep theirs, for objects of other types.
void map_generic_rights(PSECURITY_DESCRIPTOR descriptor, const GENERIC_MAPPING& mapping) noexcept;

} // namespace dirql::se
