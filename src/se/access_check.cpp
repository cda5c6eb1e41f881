#include "se/access_check.hpp"

#include "ex/pool.hpp"
#include "ke/exports/se.hpp"
#include "rtl/acl.hpp"
#include "rtl/sid.hpp"
#include "se/system_list.hpp"

#include <bit>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SePr");
constexpr ULONG no_write_up = 0x1;

enum class Effect { none, allow, deny };

// Entries with a condition: what cannot be decided does not allow, and does deny. Entries for a part of an object say nothing
// about the whole of it.
Effect effect_of(const rtl::AceView& ace) noexcept {
    if (ace.sid == nullptr || (ace.header->AceFlags & INHERIT_ONLY_ACE) != 0 || ace.object_type != nullptr)
        return Effect::none;
    const bool conditional = rtl::round_to_long(ace.end_of_sid) < ace.header->AceSize;
    switch (ace.header->AceType) {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE: return Effect::allow;
    case ACCESS_ALLOWED_CALLBACK_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE: return conditional ? Effect::none : Effect::allow;
    case ACCESS_DENIED_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE: return Effect::deny;
    default: return Effect::none;
    }
}

template <class Visit> void each_ace(const ACL* acl, Visit visit) noexcept {
    if (acl == nullptr) return;
    const ACE_HEADER* ace = rtl::first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = rtl::next_ace(ace)) visit(rtl::view_of(*ace));
}

// What integrity forbids. An object without a label is one of medium level that those below may not write to.
ACCESS_MASK forbidden_by_label(const rtl::DescriptorParts& object, const Token& token,
                               const GENERIC_MAPPING& mapping) noexcept {
    if ((token.policy & no_write_up) == 0) return 0;
    ULONG level = 0x2000;
    ACCESS_MASK policy = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP;
    if (const ACE_HEADER* ace = label_of(object.sacl)) {
        const rtl::AceView view = rtl::view_of(*ace);
        level = level_of(view.sid);
        policy = view.mask;
    }
    const SID_AND_ATTRIBUTES* label = token.label();
    if ((label == nullptr ? 0 : level_of(label->Sid)) >= level) return 0;
    ACCESS_MASK allowed = SYNCHRONIZE | MAXIMUM_ALLOWED;
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_READ_UP) == 0) allowed |= mapping.GenericRead;
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP) == 0) allowed |= mapping.GenericExecute;
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_WRITE_UP) == 0) return 0;
    return ~allowed;
}

class Check {
public:
    Check(const AccessQuestion& question, const Token& token) noexcept
        : mapping_(*question.mapping), token_(token), parts_(rtl::parts_of(question.descriptor)),
          maximum_((question.desired & MAXIMUM_ALLOWED) != 0),
          remaining_(question.desired & ~ACCESS_MASK{MAXIMUM_ALLOWED} & ~question.previously),
          granted_(question.previously) {}

    AccessAnswer run() noexcept {
        owner_ = parts_.owner != nullptr && has_sid(token_, parts_.owner, false) &&
                 (token_.restricted_count == 0 || has_restricted_sid(token_, parts_.owner));
        if (!ask_privileges()) return {STATUS_PRIVILEGE_NOT_HELD, 0, 0};
        forbidden_ = forbidden_by_label(parts_, token_, mapping_);
        if ((remaining_ & forbidden_) != 0) return {STATUS_ACCESS_DENIED, 0, 0};
        if (parts_.dacl == nullptr) return without_list();
        if (owner_ && !says_owner_rights()) take(READ_CONTROL | WRITE_DAC);
        if (maximum_) return take_maximum();
        const bool all = walk(false) && (token_.restricted_count == 0 || walk(true));
        return all ? AccessAnswer{STATUS_SUCCESS, granted_ | wanted_, used_} : AccessAnswer{STATUS_ACCESS_DENIED, 0, 0};
    }

private:
    // What is asked for and may be had by what the token is, lists aside.
    void take(ACCESS_MASK rights) noexcept {
        const ACCESS_MASK taken = (maximum_ ? rights : remaining_ & rights) & ~forbidden_;
        granted_ |= taken;
        remaining_ &= ~taken;
    }

    bool ask_privileges() noexcept {
        if ((remaining_ & ACCESS_SYSTEM_SECURITY) != 0) {
            if (!token_.has_enabled(privilege(SE_SECURITY_PRIVILEGE))) return false;
            use(SE_SECURITY_PRIVILEGE, ACCESS_SYSTEM_SECURITY);
        }
        if ((remaining_ & WRITE_OWNER) != 0 && token_.has_enabled(privilege(SE_TAKE_OWNERSHIP_PRIVILEGE)))
            use(SE_TAKE_OWNERSHIP_PRIVILEGE, WRITE_OWNER);
        return true;
    }
    void use(ULONG number, ACCESS_MASK right) noexcept {
        used_ |= privilege(number);
        granted_ |= right;
        remaining_ &= ~right;
    }

    AccessAnswer without_list() const noexcept {
        const ACCESS_MASK all = maximum_ ? mapping_.GenericAll & ~forbidden_ : 0;
        return {STATUS_SUCCESS, granted_ | remaining_ | all, used_};
    }

    [[nodiscard]] bool says_owner_rights() const noexcept {
        bool says = false;
        each_ace(parts_.dacl, [&](const rtl::AceView& ace) {
            says = says || (effect_of(ace) != Effect::none && rtl::equal_sids(ace.sid, rtl::sids::owner_rights.get()));
        });
        return says;
    }

    [[nodiscard]] bool applies(PSID sid, bool deny, bool restricted) const noexcept {
        if (owner_ && rtl::equal_sids(sid, rtl::sids::owner_rights.get())) return true;
        return restricted ? has_restricted_sid(token_, sid) : has_sid(token_, sid, deny);
    }

    // Entry after entry: the first that names a right decides it.
    bool walk(bool restricted) noexcept {
        ACCESS_MASK left = remaining_;
        bool denied = false;
        each_ace(parts_.dacl, [&](const rtl::AceView& ace) {
            const Effect effect = effect_of(ace);
            if (denied || left == 0 || effect == Effect::none) return;
            if (!applies(ace.sid, effect == Effect::deny, restricted)) return;
            if (effect == Effect::allow) {
                left &= ~ace.mask;
            } else {
                denied = (left & ace.mask) != 0;
            }
        });
        if (denied || left != 0) return false;
        wanted_ = remaining_;
        return true;
    }

    ACCESS_MASK allowed(bool restricted) const noexcept {
        ACCESS_MASK allow = 0;
        ACCESS_MASK deny = 0;
        each_ace(parts_.dacl, [&](const rtl::AceView& ace) {
            const Effect effect = effect_of(ace);
            if (effect == Effect::none || !applies(ace.sid, effect == Effect::deny, restricted)) return;
            if (effect == Effect::allow) {
                allow |= ace.mask & ~deny;
            } else {
                deny |= ace.mask & ~allow;
            }
        });
        return allow;
    }

    AccessAnswer take_maximum() const noexcept {
        ACCESS_MASK all = allowed(false);
        if (token_.restricted_count != 0) all &= allowed(true);
        all &= ~forbidden_;
        if ((remaining_ & ~all) != 0 || (all | granted_) == 0) return {STATUS_ACCESS_DENIED, 0, 0};
        return {STATUS_SUCCESS, granted_ | all, used_};
    }

    const GENERIC_MAPPING& mapping_;
    const Token& token_;
    rtl::DescriptorParts parts_;
    bool maximum_;
    bool owner_ = false;
    ACCESS_MASK remaining_;
    ACCESS_MASK granted_;
    ACCESS_MASK forbidden_ = 0;
    ACCESS_MASK wanted_ = 0;
    Privileges used_ = 0;
};

// Code of the kernel may all that there is.
AccessAnswer for_kernel(const AccessQuestion& question) noexcept {
    ACCESS_MASK granted = (question.desired & ~ACCESS_MASK{MAXIMUM_ALLOWED}) | question.previously;
    if ((question.desired & MAXIMUM_ALLOWED) != 0) granted |= question.mapping->GenericAll;
    return {STATUS_SUCCESS, granted, 0};
}

// The privileges that were used, for who asked to hear of them. Null without memory; none is used without one.
PPRIVILEGE_SET make_set(Privileges used) noexcept {
    const auto count = static_cast<ULONG>(std::popcount(used));
    if (count == 0) return nullptr;
    auto* set = static_cast<PPRIVILEGE_SET>(ex::allocate_pool(
        PagedPool, sizeof(PRIVILEGE_SET) + (count - 1) * sizeof(LUID_AND_ATTRIBUTES), tag, ex::Fill::zero));
    if (set == nullptr) return nullptr;
    set->PrivilegeCount = count;
    LUID_AND_ATTRIBUTES* next = set->Privilege;
    for (; used != 0; used &= used - 1)
        *next++ = {{static_cast<ULONG>(std::countr_zero(used)), 0}, SE_PRIVILEGE_USED_FOR_ACCESS};
    return set;
}

} // namespace

AccessAnswer check_access(const AccessQuestion& question) noexcept {
    if (question.mode == KernelMode) return for_kernel(question);
    if (question.descriptor == nullptr) return {STATUS_ACCESS_DENIED, 0, 0};
    const Token* token = effective_token(*question.subject);
    if (token == nullptr) return {STATUS_BAD_IMPERSONATION_LEVEL, 0, 0};
    if (question.desired == 0) {
        return question.previously == 0 ? AccessAnswer{STATUS_ACCESS_DENIED, 0, 0}
                                        : AccessAnswer{STATUS_SUCCESS, question.previously, 0};
    }
    return Check(question, *token).run();
}

bool check_privileges(PRIVILEGE_SET& required, const Token* token) noexcept {
    ULONG held = 0;
    LUID_AND_ATTRIBUTES* each = required.Privilege;
    for (ULONG i = 0; i < required.PrivilegeCount; ++i) {
        const Privileges wanted = privilege_of(each[i].Luid);
        if (token == nullptr || wanted == 0 || !token->has_enabled(wanted)) continue;
        each[i].Attributes |= SE_PRIVILEGE_USED_FOR_ACCESS;
        ++held;
    }
    return (required.Control & PRIVILEGE_SET_ALL_NECESSARY) != 0 ? held == required.PrivilegeCount : held != 0;
}

bool check_privilege(const LUID& luid, KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) return true;
    SECURITY_SUBJECT_CONTEXT subject;
    ke::Thread* thread = ke::current_thread();
    capture_subject(thread, *thread->process, subject);
    const Token* token = effective_token(subject);
    const Privileges wanted = privilege_of(luid);
    const bool held = token != nullptr && wanted != 0 && token->has_enabled(wanted);
    release_subject(subject);
    return held;
}

} // namespace dirql::se

using namespace dirql;

extern "C" {

BOOLEAN NTAPI SeAccessCheck(PSECURITY_DESCRIPTOR SecurityDescriptor, PSECURITY_SUBJECT_CONTEXT SubjectSecurityContext,
                            BOOLEAN SubjectContextLocked, ACCESS_MASK DesiredAccess,
                            ACCESS_MASK PreviouslyGrantedAccess, PPRIVILEGE_SET* Privileges,
                            PGENERIC_MAPPING GenericMapping, KPROCESSOR_MODE AccessMode, PACCESS_MASK GrantedAccess,
                            PNTSTATUS AccessStatus) {
    DIRQL_DOOR(SeAccessCheck);
    UNREFERENCED_PARAMETER(SubjectContextLocked);
    const se::AccessAnswer answer = se::check_access({SecurityDescriptor, SubjectSecurityContext, DesiredAccess,
                                                      PreviouslyGrantedAccess, GenericMapping, AccessMode});
    *GrantedAccess = answer.granted;
    *AccessStatus = answer.status;
    if (Privileges != nullptr) {
        *Privileges = se::make_set(answer.used);
        if (answer.used != 0 && *Privileges == nullptr) {
            *GrantedAccess = 0;
            *AccessStatus = STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    return NT_SUCCESS(*AccessStatus);
}

VOID NTAPI SeFreePrivileges(PPRIVILEGE_SET Privileges) {
    DIRQL_DOOR(SeFreePrivileges);
    ex::free_pool(Privileges, 0);
}

BOOLEAN NTAPI SeSinglePrivilegeCheck(LUID PrivilegeValue, KPROCESSOR_MODE PreviousMode) {
    DIRQL_DOOR(SeSinglePrivilegeCheck);
    return se::check_privilege(PrivilegeValue, PreviousMode);
}

BOOLEAN NTAPI SeCheckPrivilegedObject(LUID PrivilegeValue, HANDLE ObjectHandle, ACCESS_MASK DesiredAccess,
                                      KPROCESSOR_MODE PreviousMode) {
    DIRQL_DOOR(SeCheckPrivilegedObject);
    UNREFERENCED_PARAMETER(ObjectHandle); // they are what an audit would tell
    UNREFERENCED_PARAMETER(DesiredAccess);
    return se::check_privilege(PrivilegeValue, PreviousMode);
}

BOOLEAN NTAPI SePrivilegeCheck(PPRIVILEGE_SET RequiredPrivileges, PSECURITY_SUBJECT_CONTEXT SubjectContext,
                               KPROCESSOR_MODE AccessMode) {
    DIRQL_DOOR(SePrivilegeCheck);
    return AccessMode == KernelMode || se::check_privileges(*RequiredPrivileges, se::effective_token(*SubjectContext));
}
}
