// The tokens of the three kinds of people that a machine knows: the system, an administrator whose program runs elevated, a user.
#include "ob/object.hpp"
#include "rtl/acl.hpp"
#include "rtl/sid.hpp"
#include "se/token.hpp"

#include <utility>

namespace dirql::se {
namespace {

using namespace rtl::sids;

constexpr Privileges all_of(std::initializer_list<ULONG> numbers) noexcept {
    Privileges set = 0;
    for (const ULONG number : numbers) set |= privilege(number);
    return set;
}

constexpr Privileges system_enabled =
    all_of({SE_LOCK_MEMORY_PRIVILEGE, SE_TCB_PRIVILEGE, SE_SYSTEM_PROFILE_PRIVILEGE, SE_PROF_SINGLE_PROCESS_PRIVILEGE,
            SE_INC_BASE_PRIORITY_PRIVILEGE, SE_CREATE_PAGEFILE_PRIVILEGE, SE_CREATE_PERMANENT_PRIVILEGE,
            SE_DEBUG_PRIVILEGE, SE_AUDIT_PRIVILEGE, SE_CHANGE_NOTIFY_PRIVILEGE, SE_IMPERSONATE_PRIVILEGE,
            SE_CREATE_GLOBAL_PRIVILEGE, SE_INC_WORKING_SET_PRIVILEGE, SE_TIME_ZONE_PRIVILEGE,
            SE_CREATE_SYMBOLIC_LINK_PRIVILEGE, SE_DELEGATE_SESSION_USER_IMPERSONATE_PRIVILEGE});
constexpr Privileges system_present =
    system_enabled | all_of({SE_CREATE_TOKEN_PRIVILEGE, SE_ASSIGNPRIMARYTOKEN_PRIVILEGE, SE_INCREASE_QUOTA_PRIVILEGE,
                             SE_SECURITY_PRIVILEGE, SE_TAKE_OWNERSHIP_PRIVILEGE, SE_LOAD_DRIVER_PRIVILEGE,
                             SE_SYSTEMTIME_PRIVILEGE, SE_BACKUP_PRIVILEGE, SE_RESTORE_PRIVILEGE, SE_SHUTDOWN_PRIVILEGE,
                             SE_SYSTEM_ENVIRONMENT_PRIVILEGE, SE_UNDOCK_PRIVILEGE, SE_MANAGE_VOLUME_PRIVILEGE,
                             SE_RELABEL_PRIVILEGE, SE_TRUSTED_CREDMAN_ACCESS_PRIVILEGE});
constexpr Privileges administrator_enabled =
    all_of({SE_CHANGE_NOTIFY_PRIVILEGE, SE_IMPERSONATE_PRIVILEGE, SE_CREATE_GLOBAL_PRIVILEGE});
constexpr Privileges administrator_present =
    administrator_enabled | all_of({SE_INCREASE_QUOTA_PRIVILEGE,
                                    SE_SECURITY_PRIVILEGE,
                                    SE_TAKE_OWNERSHIP_PRIVILEGE,
                                    SE_LOAD_DRIVER_PRIVILEGE,
                                    SE_SYSTEM_PROFILE_PRIVILEGE,
                                    SE_SYSTEMTIME_PRIVILEGE,
                                    SE_PROF_SINGLE_PROCESS_PRIVILEGE,
                                    SE_INC_BASE_PRIORITY_PRIVILEGE,
                                    SE_CREATE_PAGEFILE_PRIVILEGE,
                                    SE_BACKUP_PRIVILEGE,
                                    SE_RESTORE_PRIVILEGE,
                                    SE_SHUTDOWN_PRIVILEGE,
                                    SE_DEBUG_PRIVILEGE,
                                    SE_SYSTEM_ENVIRONMENT_PRIVILEGE,
                                    SE_REMOTE_SHUTDOWN_PRIVILEGE,
                                    SE_UNDOCK_PRIVILEGE,
                                    SE_MANAGE_VOLUME_PRIVILEGE,
                                    SE_INC_WORKING_SET_PRIVILEGE,
                                    SE_TIME_ZONE_PRIVILEGE,
                                    SE_CREATE_SYMBOLIC_LINK_PRIVILEGE,
                                    SE_DELEGATE_SESSION_USER_IMPERSONATE_PRIVILEGE});
constexpr Privileges user_enabled = all_of({SE_CHANGE_NOTIFY_PRIVILEGE});
constexpr Privileges user_present = user_enabled | all_of({SE_SHUTDOWN_PRIVILEGE, SE_UNDOCK_PRIVILEGE,
                                                           SE_INC_WORKING_SET_PRIVILEGE, SE_TIME_ZONE_PRIVILEGE});

constexpr ULONG member = SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED;
constexpr ULONG optional_owner = SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED | SE_GROUP_OWNER;
constexpr ULONG label = SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED;

constexpr auto logon_session = rtl::make_sid(5, 5, 0, 0x1A2B3);

struct Grant {
    ACCESS_MASK mask;
    PSID sid;
};

// The list for objects that it makes without saying who may use them.
template <std::size_t N> struct DefaultList {
    alignas(8) std::byte bytes[sizeof(ACL) + N * (8 + rtl::max_sid_size)];

    explicit DefaultList(const Grant (&grants)[N]) noexcept {
        auto* acl = reinterpret_cast<PACL>(bytes);
        (void)rtl::create_acl(acl, sizeof bytes, ACL_REVISION);
        for (const Grant& grant : grants)
            (void)rtl::add_simple_ace(acl, ACL_REVISION, ACCESS_ALLOWED_ACE_TYPE, 0, grant.mask, grant.sid);
        acl->AclSize = static_cast<USHORT>(rtl::bytes_in_use(*acl));
    }
    [[nodiscard]] const ACL* get() const noexcept { return reinterpret_cast<const ACL*>(bytes); }
};

constexpr ULONG new_process_min = 0x2; // TOKEN_MANDATORY_POLICY_NEW_PROCESS_MIN
constexpr ULONG no_write_up = 0x1;     // TOKEN_MANDATORY_POLICY_NO_WRITE_UP

NTSTATUS make_system(Token** token) noexcept {
    const SID_AND_ATTRIBUTES sids[] = {
        {local_system.get(), 0},     {administrators.get(), optional_owner},
        {world.get(), member},       {authenticated_users.get(), member},
        {system_label.get(), label},
    };
    const DefaultList<2> dacl(
        {{GENERIC_ALL, local_system.get()}, {GENERIC_READ | GENERIC_EXECUTE | READ_CONTROL, administrators.get()}});
    TokenParts parts;
    parts.authentication_id = {0x3E7, 0};
    parts.source = {{'*', 'S', 'Y', 'S', 'T', 'E', 'M', '*'}, {0, 0}};
    parts.policy = no_write_up;
    parts.present = system_present;
    parts.enabled = parts.enabled_by_default = system_enabled;
    parts.sids = sids;
    parts.owner = 1;
    parts.default_dacl = dacl.get();
    return make_token(parts, nullptr, KernelMode, token);
}

TokenParts logged_on() noexcept {
    TokenParts parts;
    parts.authentication_id = {0x1A2C4, 0};
    parts.source = {{'U', 's', 'e', 'r', '3', '2', ' ', ' '}, {0x1A2C5, 0}};
    parts.session = 1;
    parts.policy = no_write_up | new_process_min;
    parts.primary_group = 1;
    return parts;
}

NTSTATUS make_administrator(Token** token) noexcept {
    const SID_AND_ATTRIBUTES sids[] = {
        {computer_admin_user.get(), 0},
        {computer_none.get(), member},
        {world.get(), member},
        {local_account_and_administrator.get(), member},
        {administrators.get(), member | SE_GROUP_OWNER},
        {users.get(), member},
        {interactive.get(), member},
        {console_logon.get(), member},
        {authenticated_users.get(), member},
        {this_organization.get(), member},
        {local_account.get(), member},
        {logon_session.get(), member | SE_GROUP_LOGON_ID},
        {local.get(), member},
        {ntlm_authentication.get(), member},
        {high_label.get(), label},
    };
    const DefaultList<3> dacl({{GENERIC_ALL, administrators.get()},
                               {GENERIC_ALL, local_system.get()},
                               {GENERIC_READ | GENERIC_EXECUTE, logon_session.get()}});
    TokenParts parts = logged_on();
    parts.elevation = TokenElevationTypeFull;
    parts.present = administrator_present;
    parts.enabled = parts.enabled_by_default = administrator_enabled;
    parts.sids = sids;
    parts.owner = 4;
    parts.default_dacl = dacl.get();
    return make_token(parts, nullptr, KernelMode, token);
}

NTSTATUS make_user(Token** token) noexcept {
    const SID_AND_ATTRIBUTES sids[] = {
        {computer_plain_user.get(), 0},
        {computer_none.get(), member},
        {world.get(), member},
        {users.get(), member},
        {interactive.get(), member},
        {console_logon.get(), member},
        {authenticated_users.get(), member},
        {this_organization.get(), member},
        {local_account.get(), member},
        {logon_session.get(), member | SE_GROUP_LOGON_ID},
        {local.get(), member},
        {ntlm_authentication.get(), member},
        {medium_label.get(), label},
    };
    const DefaultList<3> dacl({{GENERIC_ALL, computer_plain_user.get()},
                               {GENERIC_ALL, local_system.get()},
                               {GENERIC_READ | GENERIC_EXECUTE, logon_session.get()}});
    TokenParts parts = logged_on();
    parts.present = user_present;
    parts.enabled = parts.enabled_by_default = user_enabled;
    parts.sids = sids;
    parts.default_dacl = dacl.get();
    return make_token(parts, nullptr, KernelMode, token);
}

} // namespace

NTSTATUS make_account_token(Account account, Token** token) noexcept {
    switch (account) {
    case Account::system: return make_system(token);
    case Account::administrator: return make_administrator(token);
    case Account::user: return make_user(token);
    }
    return STATUS_INVALID_PARAMETER;
}

bool give_token(ke::Process& process, Account account) noexcept {
    Token* token = nullptr;
    if (!NT_SUCCESS(make_account_token(account, &token))) return false;
    drop_token(process);
    process.se = token;
    return true;
}

bool inherit_token(const ke::Process& from, ke::Process& process) noexcept {
    Token* token = nullptr;
    if (!NT_SUCCESS(duplicate(token_of(from.se), TokenPrimary, SecurityAnonymous, false, nullptr, KernelMode, &token)))
        return false;
    drop_token(process);
    process.se = token;
    return true;
}

void drop_token(ke::Process& process) noexcept {
    if (void* token = std::exchange(process.se, nullptr)) ob::dereference(token);
}

} // namespace dirql::se
