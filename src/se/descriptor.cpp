#include "se/descriptor.hpp"

#include "ex/pool.hpp"
#include "rtl/acl.hpp"

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeSd");

void map_list(PACL acl, const GENERIC_MAPPING& mapping) noexcept {
    if (acl == nullptr) return;
    const ACE_HEADER* ace = rtl::first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = rtl::next_ace(ace)) {
        if ((ace->AceFlags & INHERIT_ONLY_ACE) != 0 || rtl::view_of(*ace).sid == nullptr) continue;
        auto& mask = reinterpret_cast<ACCESS_ALLOWED_ACE*>(const_cast<ACE_HEADER*>(ace))->Mask;
        mask = rtl::map_generic(mask, mapping);
    }
}

} // namespace

PSECURITY_DESCRIPTOR make_descriptor(const rtl::DescriptorParts& parts, POOL_TYPE pool) noexcept {
    void* block = ex::allocate_pool(pool, rtl::relative_size(parts), tag, ex::Fill::none);
    if (block != nullptr) rtl::write_relative(parts, block);
    return block;
}

NTSTATUS make_descriptor(std::u16string_view sddl, rtl::Sddl how, PSECURITY_DESCRIPTOR* result) noexcept {
    const rtl::SddlResult measured = rtl::parse_sddl(sddl, how, nullptr, 0);
    if (measured.status != STATUS_BUFFER_TOO_SMALL) return measured.status;
    void* block = ex::allocate_pool(NonPagedPoolNx, measured.needed, tag, ex::Fill::none);
    if (block == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    const rtl::SddlResult made = rtl::parse_sddl(sddl, how, block, measured.needed);
    if (NT_SUCCESS(made.status)) {
        *result = block;
    } else {
        free_descriptor(block);
    }
    return made.status;
}

void free_descriptor(PSECURITY_DESCRIPTOR descriptor) noexcept {
    if (descriptor != nullptr) ex::free_pool(descriptor, 0);
}

void map_generic_rights(PSECURITY_DESCRIPTOR descriptor, const GENERIC_MAPPING& mapping) noexcept {
    const rtl::DescriptorParts parts = rtl::parts_of(descriptor);
    map_list(parts.dacl, mapping);
    map_list(parts.sacl, mapping);
}

} // namespace dirql::se
