#include "se/assign.hpp"

#include "ex/pool.hpp"
#include "rtl/acl.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"
#include "se/descriptor.hpp"
#include "se/system_list.hpp"

#include <iterator>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeAc");
constexpr SECURITY_INFORMATION system_parts = SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;

// A list under construction: first it is measured, then it is made.
class ListWriter {
public:
    explicit ListWriter(PACL to) noexcept : to_(to) {
        if (to_ != nullptr) *to_ = {ACL_REVISION, 0, 0, 0, 0};
    }

    // The entry as it is, but for flags, mask and SID.
    void add(const rtl::AceView& ace, UCHAR flags, ACCESS_MASK mask, PSID sid) noexcept {
        const auto before =
            static_cast<std::size_t>(static_cast<std::byte*>(ace.sid) - reinterpret_cast<const std::byte*>(ace.header));
        const std::size_t tail = ace.header->AceSize - ace.end_of_sid;
        const std::size_t length = rtl::length_of_sid(sid);
        const std::size_t size = before + length + tail;
        if (to_ != nullptr) {
            std::byte* at = reinterpret_cast<std::byte*>(to_) + used_;
            rtl::move_memory(at, ace.header, before);
            rtl::move_memory(at + before, sid, length);
            rtl::move_memory(at + before + length, reinterpret_cast<const std::byte*>(ace.header) + ace.end_of_sid,
                             tail);
            auto& header = *reinterpret_cast<ACCESS_ALLOWED_ACE*>(at);
            header.Header.AceFlags = flags;
            header.Header.AceSize = static_cast<USHORT>(size);
            header.Mask = mask;
            ++to_->AceCount;
            if (rtl::is_object_ace(header.Header.AceType)) to_->AclRevision = ACL_REVISION_DS;
        }
        used_ += size;
        ++count_;
    }
    void finish() noexcept { to_->AclSize = static_cast<USHORT>(used_); }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] unsigned count() const noexcept { return count_; }

private:
    PACL to_;
    std::size_t used_ = sizeof(ACL);
    unsigned count_ = 0;
};

struct Heirs {
    PSID owner;
    PSID group;
    bool container;
    const GENERIC_MAPPING* mapping;
};

PSID heir_of(PSID sid, const Heirs& heirs) noexcept {
    if (rtl::equal_sids(sid, rtl::sids::creator_owner.get())) return heirs.owner;
    if (rtl::equal_sids(sid, rtl::sids::creator_group.get())) return heirs.group;
    return sid;
}

// What a child gets of one entry: an effective one where it is for children of its kind, and one that is passed on.
void inherit(ListWriter& list, const rtl::AceView& ace, const Heirs& heirs) noexcept {
    const UCHAR flags = ace.header->AceFlags;
    const bool effective = (flags & (heirs.container ? CONTAINER_INHERIT_ACE : OBJECT_INHERIT_ACE)) != 0;
    const UCHAR kept = flags & (SUCCESSFUL_ACCESS_ACE_FLAG | FAILED_ACCESS_ACE_FLAG | CRITICAL_ACE_FLAG);
    const bool passed_on = heirs.container && (flags & NO_PROPAGATE_INHERIT_ACE) == 0 &&
                           (flags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE)) != 0;
    const UCHAR passing =
        static_cast<UCHAR>(kept | INHERITED_ACE | (flags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE)));
    PSID heir = heir_of(ace.sid, heirs);
    const ACCESS_MASK mapped = rtl::map_generic(ace.mask, *heirs.mapping);
    if (effective && passed_on && heir == ace.sid && mapped == ace.mask) {
        list.add(ace, passing, mapped, heir); // one does for both
        return;
    }
    if (effective) list.add(ace, static_cast<UCHAR>(kept | INHERITED_ACE), mapped, heir);
    if (passed_on) list.add(ace, static_cast<UCHAR>(passing | INHERIT_ONLY_ACE), ace.mask, ace.sid);
}

template <class Visit> void each(const ACL* acl, Visit visit) noexcept {
    if (acl == nullptr) return;
    const ACE_HEADER* ace = rtl::first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = rtl::next_ace(ace)) {
        const rtl::AceView view = rtl::view_of(*ace);
        if (view.sid != nullptr) visit(view);
    }
}

// A list of the creator's, with effective entries' rights mapped; `own_only` leaves out what was inherited once.
void copy_explicit(ListWriter& list, const ACL* from, const Heirs& heirs, bool own_only) noexcept {
    each(from, [&](const rtl::AceView& ace) {
        if (own_only && (ace.header->AceFlags & INHERITED_ACE) != 0) return;
        const bool effective = (ace.header->AceFlags & INHERIT_ONLY_ACE) == 0;
        const ACCESS_MASK mask = effective ? rtl::map_generic(ace.mask, *heirs.mapping) : ace.mask;
        list.add(ace, ace.header->AceFlags, mask, effective ? heir_of(ace.sid, heirs) : ace.sid);
    });
}

void inherit_all(ListWriter& list, const ACL* parent, const Heirs& heirs) noexcept {
    each(parent, [&](const rtl::AceView& ace) { inherit(list, ace, heirs); });
}

// Where a list of a new object comes from.
struct ListPlan {
    bool present = false;
    bool null = false; // present, and everybody may everything
    const ACL* own = nullptr;
    bool own_only = false;
    const ACL* parent = nullptr;
    USHORT control = 0;
};

struct ListKind {
    USHORT present, defaulted, is_protected, auto_inherited;
    ULONG auto_inherit;
};
constexpr ListKind dacl_kind{SE_DACL_PRESENT, SE_DACL_DEFAULTED, SE_DACL_PROTECTED, SE_DACL_AUTO_INHERITED,
                             SEF_DACL_AUTO_INHERIT};
constexpr ListKind sacl_kind{SE_SACL_PRESENT, SE_SACL_DEFAULTED, SE_SACL_PROTECTED, SE_SACL_AUTO_INHERITED,
                             SEF_SACL_AUTO_INHERIT};

bool anything_to_inherit(const ACL* parent, const Heirs& heirs) noexcept {
    ListWriter list(nullptr);
    inherit_all(list, parent, heirs);
    return list.count() != 0;
}

ListPlan plan(const ListKind& kind, const rtl::DescriptorParts& asked, const ACL* asked_list, const ACL* parent,
              const ACL* fallback, const Heirs& heirs, ULONG flags) noexcept {
    ListPlan result;
    const bool automatic = (flags & kind.auto_inherit) != 0;
    const bool heritage = anything_to_inherit(parent, heirs);
    const bool present = (asked.control & kind.present) != 0;
    const bool defaulted = (asked.control & kind.defaulted) != 0;
    if (present && !(defaulted && heritage)) {
        const bool is_protected = (asked.control & kind.is_protected) != 0;
        result = {true,
                  asked_list == nullptr,
                  asked_list,
                  automatic,
                  automatic && !is_protected ? parent : nullptr,
                  static_cast<USHORT>(asked.control & (kind.is_protected | kind.defaulted))};
    } else if (heritage) {
        result = {true, false, nullptr, false, parent, 0};
    } else if (fallback != nullptr) {
        result = {true, false, fallback, false, nullptr, kind.defaulted};
    }
    if (result.present) result.control |= kind.present;
    if (result.present && automatic) result.control |= kind.auto_inherited;
    return result;
}

// The list in a block of pool, or null for none.
NTSTATUS build(const ListPlan& plan, const Heirs& heirs, PACL* result) noexcept {
    *result = nullptr;
    if (!plan.present || plan.null) return STATUS_SUCCESS;
    const auto write = [&](ListWriter& list) {
        copy_explicit(list, plan.own, heirs, plan.own_only);
        inherit_all(list, plan.parent, heirs);
    };
    ListWriter measured(nullptr);
    write(measured);
    if (measured.used() > MAXUSHORT - 3) return STATUS_INVALID_SECURITY_DESCR;
    auto* acl = static_cast<PACL>(ex::allocate_pool(NonPagedPoolNx, measured.used(), tag, ex::Fill::none));
    if (acl == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    ListWriter list(acl);
    write(list);
    list.finish();
    *result = acl;
    return STATUS_SUCCESS;
}

void drop(PACL acl) noexcept {
    if (acl != nullptr) ex::free_pool(acl, tag);
}

rtl::DescriptorParts parts_or_none(const void* descriptor) noexcept {
    return descriptor == nullptr ? rtl::DescriptorParts{} : rtl::parts_of(descriptor);
}

NTSTATUS check_allowed(const AssignQuestion& question, const rtl::DescriptorParts& asked) noexcept {
    if (question.mode == KernelMode) return STATUS_SUCCESS;
    if (asked.sacl != nullptr && (question.flags & SEF_AVOID_PRIVILEGE_CHECK) == 0 &&
        !question.token->has_enabled(privilege(SE_SECURITY_PRIVILEGE))) {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    if (asked.owner != nullptr && (question.flags & SEF_AVOID_OWNER_CHECK) == 0 &&
        !may_own(*question.token, asked.owner))
        return STATUS_INVALID_OWNER;
    return STATUS_SUCCESS;
}

NTSTATUS add_label(const AssignQuestion& question, PACL sacl, SystemList& result) noexcept {
    const SID_AND_ATTRIBUTES* level = question.token->label();
    if (question.label_policy == 0 || level == nullptr || label_of(sacl) != nullptr) return result.join(sacl, sacl);
    LabelList label(question.label_policy, level->Sid);
    return result.join_copied(sacl, label.get());
}

PSID first_of(PSID asked, PSID parent, bool from_parent, PSID own) noexcept {
    if (asked != nullptr) return asked;
    return from_parent && parent != nullptr ? parent : own;
}

} // namespace

bool may_own(const Token& token, PSID owner) noexcept {
    if (rtl::equal_sids(token.user(), owner) || token.has_enabled(privilege(SE_RESTORE_PRIVILEGE))) return true;
    for (ULONG i = 1; i < token.sid_count; ++i) {
        constexpr ULONG wanted = SE_GROUP_OWNER | SE_GROUP_ENABLED;
        if ((token.sids[i].Attributes & wanted) == wanted && rtl::equal_sids(token.sids[i].Sid, owner)) return true;
    }
    return false;
}

NTSTATUS assign(const AssignQuestion& question, PSECURITY_DESCRIPTOR* result) noexcept {
    const rtl::DescriptorParts asked = parts_or_none(question.asked);
    const rtl::DescriptorParts parent = parts_or_none(question.parent);
    NTSTATUS status = check_allowed(question, asked);
    if (!NT_SUCCESS(status)) return status;
    const Token& token = *question.token;
    rtl::DescriptorParts made;
    made.owner = first_of(asked.owner, parent.owner, (question.flags & SEF_DEFAULT_OWNER_FROM_PARENT) != 0,
                          token.sids[token.owner].Sid);
    made.group = first_of(asked.group, parent.group, (question.flags & SEF_DEFAULT_GROUP_FROM_PARENT) != 0,
                          token.sids[token.primary_group].Sid);
    const Heirs heirs{made.owner, made.group, question.container, question.mapping};
    const ListPlan dacl = plan(dacl_kind, asked, asked.dacl, parent.dacl, token.default_dacl, heirs, question.flags);
    const ListPlan sacl = plan(sacl_kind, asked, asked.sacl, parent.sacl, nullptr, heirs, question.flags);
    PACL built = nullptr;
    SystemList labelled;
    status = build(dacl, heirs, &made.dacl);
    if (NT_SUCCESS(status)) status = build(sacl, heirs, &built);
    if (NT_SUCCESS(status)) status = add_label(question, built, labelled);
    if (NT_SUCCESS(status)) {
        made.sacl = labelled.get();
        made.control = static_cast<USHORT>(dacl.control | sacl.control);
        if (made.sacl != nullptr) made.control |= SE_SACL_PRESENT;
        *result = make_descriptor(made, question.pool);
        if (*result == nullptr) status = STATUS_INSUFFICIENT_RESOURCES;
    }
    drop(made.dacl);
    drop(built);
    return status;
}

NTSTATUS change(const void* old, SECURITY_INFORMATION which, const void* changes, const GENERIC_MAPPING& mapping,
                POOL_TYPE pool, PSECURITY_DESCRIPTOR* result) noexcept {
    rtl::DescriptorParts parts = rtl::parts_of(old);
    const rtl::DescriptorParts from = rtl::parts_of(changes);
    const auto take_control = [&](USHORT bits) {
        parts.control = static_cast<USHORT>((parts.control & ~bits) | (from.control & bits));
    };
    if ((which & OWNER_SECURITY_INFORMATION) != 0) {
        if (from.owner == nullptr) return STATUS_INVALID_OWNER;
        parts.owner = from.owner;
        take_control(SE_OWNER_DEFAULTED);
    }
    if ((which & GROUP_SECURITY_INFORMATION) != 0) {
        if (from.group == nullptr) return STATUS_INVALID_PRIMARY_GROUP;
        parts.group = from.group;
        take_control(SE_GROUP_DEFAULTED);
    }
    if ((which & DACL_SECURITY_INFORMATION) != 0) {
        parts.dacl = from.dacl;
        take_control(SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED);
        parts.control |= SE_DACL_PRESENT;
    }
    SystemList system;
    if ((which & system_parts) != 0) {
        const bool audit = (which & SACL_SECURITY_INFORMATION) != 0;
        const bool label = (which & LABEL_SECURITY_INFORMATION) != 0;
        const NTSTATUS status = system.join(audit ? from.sacl : parts.sacl, label ? from.sacl : parts.sacl);
        if (!NT_SUCCESS(status)) return status;
        parts.sacl = system.get();
        if (audit) take_control(SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED);
        if (parts.sacl != nullptr) parts.control |= SE_SACL_PRESENT;
    }
    PSECURITY_DESCRIPTOR made = make_descriptor(parts, pool);
    if (made == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    map_generic_rights(made, mapping);
    *result = made;
    return STATUS_SUCCESS;
}

NTSTATUS query(const void* descriptor, SECURITY_INFORMATION which, void* buffer, ULONG* length) noexcept {
    const rtl::DescriptorParts from = parts_or_none(descriptor);
    rtl::DescriptorParts parts;
    if ((which & OWNER_SECURITY_INFORMATION) != 0) {
        parts.owner = from.owner;
        parts.control |= from.control & SE_OWNER_DEFAULTED;
    }
    if ((which & GROUP_SECURITY_INFORMATION) != 0) {
        parts.group = from.group;
        parts.control |= from.control & SE_GROUP_DEFAULTED;
    }
    if ((which & DACL_SECURITY_INFORMATION) != 0) {
        parts.dacl = from.dacl;
        parts.control |= from.control & (SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_PROTECTED |
                                         SE_DACL_AUTO_INHERITED | SE_DACL_AUTO_INHERIT_REQ);
    }
    SystemList system;
    if ((which & system_parts) != 0) {
        const bool audit = (which & SACL_SECURITY_INFORMATION) != 0;
        const bool label = (which & LABEL_SECURITY_INFORMATION) != 0;
        const NTSTATUS status = system.join(audit ? from.sacl : nullptr, label ? from.sacl : nullptr);
        if (!NT_SUCCESS(status)) return status;
        parts.sacl = system.get();
        if (audit) {
            parts.control |= from.control & (SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED |
                                             SE_SACL_AUTO_INHERIT_REQ);
        }
        if (parts.sacl != nullptr || (audit && from.sacl == nullptr)) parts.control |= from.control & SE_SACL_PRESENT;
    }
    const auto needed = static_cast<ULONG>(rtl::relative_size(parts));
    const bool fits = *length >= needed;
    *length = needed;
    if (!fits) return STATUS_BUFFER_TOO_SMALL;
    rtl::write_relative(parts, buffer);
    return STATUS_SUCCESS;
}

ACCESS_MASK rights_to_query(SECURITY_INFORMATION which) noexcept {
    constexpr SECURITY_INFORMATION readable = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
                                              DACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    return ((which & readable) != 0 ? ACCESS_MASK{READ_CONTROL} : 0) |
           ((which & SACL_SECURITY_INFORMATION) != 0 ? ACCESS_MASK{ACCESS_SYSTEM_SECURITY} : 0);
}

ACCESS_MASK rights_to_set(SECURITY_INFORMATION which) noexcept {
    constexpr SECURITY_INFORMATION owners =
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    return ((which & owners) != 0 ? ACCESS_MASK{WRITE_OWNER} : 0) |
           ((which & DACL_SECURITY_INFORMATION) != 0 ? ACCESS_MASK{WRITE_DAC} : 0) |
           ((which & SACL_SECURITY_INFORMATION) != 0 ? ACCESS_MASK{ACCESS_SYSTEM_SECURITY} : 0);
}

} // namespace dirql::se
