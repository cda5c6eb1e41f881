#include "se/system_list.hpp"

#include "ex/pool.hpp"
#include "rtl/acl.hpp"
#include "rtl/memory.hpp"

#include <algorithm>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeSl");

template <class Visit> void each(const ACL* list, Visit visit) noexcept {
    if (list == nullptr) return;
    const ACE_HEADER* ace = rtl::first_ace(*list);
    for (unsigned i = 0; i < list->AceCount; ++i, ace = rtl::next_ace(ace)) visit(*ace);
}

// The entries of one side.
struct Side {
    const ACL* list;
    bool labels;
    std::size_t bytes = 0;
    USHORT count = 0;

    Side(const ACL* of, bool label_side) noexcept : list(of), labels(label_side) {
        each(list, [&](const ACE_HEADER& ace) {
            if (is_label(ace) != labels) return;
            bytes += ace.AceSize;
            ++count;
        });
    }
    [[nodiscard]] bool all() const noexcept { return list != nullptr && count == list->AceCount; }
    std::byte* copy(std::byte* to) const noexcept {
        each(list, [&](const ACE_HEADER& ace) {
            if (is_label(ace) != labels) return;
            rtl::move_memory(to, &ace, ace.AceSize);
            to += ace.AceSize;
        });
        return to;
    }
};

UCHAR revision_of(const ACL* list) noexcept { return list == nullptr ? UCHAR{ACL_REVISION} : list->AclRevision; }

} // namespace

const ACE_HEADER* label_of(const ACL* list) noexcept {
    const ACE_HEADER* label = nullptr;
    each(list, [&](const ACE_HEADER& ace) {
        const bool counts = is_label(ace) && (ace.AceFlags & INHERIT_ONLY_ACE) == 0;
        if (label == nullptr && counts && rtl::view_of(ace).sid != nullptr) label = &ace;
    });
    return label;
}

ULONG level_of(PSID label) noexcept {
    const SID& sid = rtl::sid_of(label);
    const ULONG* levels = sid.SubAuthority;
    return sid.SubAuthorityCount == 0 ? 0 : levels[sid.SubAuthorityCount - 1];
}

SystemList::~SystemList() {
    if (own_) ex::free_pool(list_, tag);
}

NTSTATUS SystemList::join(PACL audit, PACL labels) noexcept {
    const Side rest(audit, false);
    const Side label(labels, true);
    if (audit == labels || (label.count == 0 && rest.all())) {
        list_ = audit;
        return STATUS_SUCCESS;
    }
    if (rest.count == 0 && (label.count == 0 || label.all())) {
        list_ = label.count == 0 ? nullptr : labels;
        return STATUS_SUCCESS;
    }
    return join_copied(audit, labels);
}

NTSTATUS SystemList::join_copied(PACL audit, PACL labels) noexcept {
    const Side rest(audit, false);
    const Side label(labels, true);
    const std::size_t bytes = sizeof(ACL) + rest.bytes + label.bytes;
    if (bytes > MAXUSHORT - 3) return STATUS_INVALID_SECURITY_DESCR;
    auto* made = static_cast<PACL>(ex::allocate_pool(NonPagedPoolNx, bytes, tag, ex::Fill::none));
    if (made == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    *made = {std::max(revision_of(audit), revision_of(labels)), 0, static_cast<USHORT>(bytes),
             static_cast<USHORT>(rest.count + label.count), 0};
    label.copy(rest.copy(reinterpret_cast<std::byte*>(made + 1)));
    list_ = made;
    own_ = true;
    return STATUS_SUCCESS;
}

LabelList::LabelList(ACCESS_MASK policy, PSID level) noexcept {
    (void)rtl::create_acl(get(), sizeof bytes_, ACL_REVISION);
    (void)rtl::add_simple_ace(get(), ACL_REVISION, SYSTEM_MANDATORY_LABEL_ACE_TYPE, 0, policy, level);
    get()->AclSize = static_cast<USHORT>(rtl::bytes_in_use(*get()));
}

} // namespace dirql::se
