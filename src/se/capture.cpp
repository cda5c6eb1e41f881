#include "se/capture.hpp"

#include "ex/pool.hpp"
#include "ke/user_memory.hpp"
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/sid.hpp"
#include "se/descriptor.hpp"

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeSc");

// One list of the caller's, or null.
class CapturedList {
public:
    CapturedList() = default;
    ~CapturedList() {
        if (list_ != nullptr) ex::free_pool(list_, tag);
    }
    CapturedList(const CapturedList&) = delete;
    CapturedList& operator=(const CapturedList&) = delete;

    [[nodiscard]] NTSTATUS capture(const ACL* from, KPROCESSOR_MODE mode) noexcept {
        if (from == nullptr) return STATUS_SUCCESS;
        ACL header;
        NTSTATUS status = ke::copy_in(header, from, mode);
        if (!NT_SUCCESS(status)) return status;
        if (header.AclSize < sizeof(ACL)) return STATUS_INVALID_ACL;
        list_ = static_cast<PACL>(ex::allocate_pool(PagedPool, header.AclSize, tag, ex::Fill::none));
        if (list_ == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        status = ke::copy_bytes_in(list_, from, header.AclSize, mode);
        if (!NT_SUCCESS(status)) return status;
        return rtl::valid_acl_within(list_, header.AclSize) ? STATUS_SUCCESS : STATUS_INVALID_ACL;
    }
    [[nodiscard]] PACL get() const noexcept { return list_; }

private:
    PACL list_ = nullptr;
};

NTSTATUS capture_sid(const void* from, KPROCESSOR_MODE mode, rtl::SidBuffer& to, PSID& part) noexcept {
    part = nullptr;
    if (from == nullptr) return STATUS_SUCCESS;
    NTSTATUS status = ke::copy_bytes_in(to.bytes, from, rtl::sid_size(0), mode);
    if (!NT_SUCCESS(status)) return status;
    if (!rtl::valid_sid(to.get())) return STATUS_INVALID_SID;
    const std::size_t length = to.size();
    status = ke::copy_bytes_in(to.bytes, from, length, mode);
    if (!NT_SUCCESS(status)) return status;
    part = to.get();
    return rtl::valid_sid_within(part, length) ? STATUS_SUCCESS : STATUS_INVALID_SID;
}

template <class T> T* at(const void* base, ULONG offset) noexcept {
    if (offset == 0) return nullptr;
    return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(base) + offset);
}

// The header in absolute form, whatever form it had. None of its pointers is followed here.
NTSTATUS capture_header(const void* from, KPROCESSOR_MODE mode, SECURITY_DESCRIPTOR& header) noexcept {
    SECURITY_DESCRIPTOR_RELATIVE relative;
    NTSTATUS status = ke::copy_in(relative, static_cast<const SECURITY_DESCRIPTOR_RELATIVE*>(from), mode);
    if (!NT_SUCCESS(status)) return status;
    if (relative.Revision != SECURITY_DESCRIPTOR_REVISION) return STATUS_UNKNOWN_REVISION;
    if ((relative.Control & SE_SELF_RELATIVE) == 0)
        return ke::copy_in(header, static_cast<const SECURITY_DESCRIPTOR*>(from), mode);
    header = {relative.Revision,
              relative.Sbz1,
              relative.Control,
              at<void>(from, relative.Owner),
              at<void>(from, relative.Group),
              at<ACL>(from, relative.Sacl),
              at<ACL>(from, relative.Dacl)};
    return STATUS_SUCCESS;
}

} // namespace

NTSTATUS capture_descriptor(const void* descriptor, KPROCESSOR_MODE mode, PSECURITY_DESCRIPTOR* captured) noexcept {
    SECURITY_DESCRIPTOR header;
    NTSTATUS status = capture_header(descriptor, mode, header);
    if (!NT_SUCCESS(status)) return status;
    rtl::DescriptorParts parts;
    parts.control = header.Control;
    rtl::SidBuffer owner;
    rtl::SidBuffer group;
    CapturedList dacl;
    CapturedList sacl;
    status = capture_sid(header.Owner, mode, owner, parts.owner);
    if (NT_SUCCESS(status)) status = capture_sid(header.Group, mode, group, parts.group);
    if (NT_SUCCESS(status) && parts.dacl_present()) status = dacl.capture(header.Dacl, mode);
    if (NT_SUCCESS(status) && parts.sacl_present()) status = sacl.capture(header.Sacl, mode);
    if (!NT_SUCCESS(status)) return status;
    parts.dacl = dacl.get();
    parts.sacl = sacl.get();
    *captured = make_descriptor(parts);
    return *captured == nullptr ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

} // namespace dirql::se
