// SeExports: the accounts and privileges that drivers find here. One table for all machines, of constants.
#include "rtl/sid.hpp"

#include <ntifs.h>

namespace {

using namespace dirql::rtl::sids;

constexpr LUID luid(ULONG number) noexcept { return {number, 0}; }

constexpr SE_EXPORTS table{
    .SeCreateTokenPrivilege = luid(SE_CREATE_TOKEN_PRIVILEGE),
    .SeAssignPrimaryTokenPrivilege = luid(SE_ASSIGNPRIMARYTOKEN_PRIVILEGE),
    .SeLockMemoryPrivilege = luid(SE_LOCK_MEMORY_PRIVILEGE),
    .SeIncreaseQuotaPrivilege = luid(SE_INCREASE_QUOTA_PRIVILEGE),
    .SeUnsolicitedInputPrivilege = luid(0), // there is none any more
    .SeTcbPrivilege = luid(SE_TCB_PRIVILEGE),
    .SeSecurityPrivilege = luid(SE_SECURITY_PRIVILEGE),
    .SeTakeOwnershipPrivilege = luid(SE_TAKE_OWNERSHIP_PRIVILEGE),
    .SeLoadDriverPrivilege = luid(SE_LOAD_DRIVER_PRIVILEGE),
    .SeCreatePagefilePrivilege = luid(SE_CREATE_PAGEFILE_PRIVILEGE),
    .SeIncreaseBasePriorityPrivilege = luid(SE_INC_BASE_PRIORITY_PRIVILEGE),
    .SeSystemProfilePrivilege = luid(SE_SYSTEM_PROFILE_PRIVILEGE),
    .SeSystemtimePrivilege = luid(SE_SYSTEMTIME_PRIVILEGE),
    .SeProfileSingleProcessPrivilege = luid(SE_PROF_SINGLE_PROCESS_PRIVILEGE),
    .SeCreatePermanentPrivilege = luid(SE_CREATE_PERMANENT_PRIVILEGE),
    .SeBackupPrivilege = luid(SE_BACKUP_PRIVILEGE),
    .SeRestorePrivilege = luid(SE_RESTORE_PRIVILEGE),
    .SeShutdownPrivilege = luid(SE_SHUTDOWN_PRIVILEGE),
    .SeDebugPrivilege = luid(SE_DEBUG_PRIVILEGE),
    .SeAuditPrivilege = luid(SE_AUDIT_PRIVILEGE),
    .SeSystemEnvironmentPrivilege = luid(SE_SYSTEM_ENVIRONMENT_PRIVILEGE),
    .SeChangeNotifyPrivilege = luid(SE_CHANGE_NOTIFY_PRIVILEGE),
    .SeRemoteShutdownPrivilege = luid(SE_REMOTE_SHUTDOWN_PRIVILEGE),
    .SeNullSid = null_sid.get(),
    .SeWorldSid = world.get(),
    .SeLocalSid = local.get(),
    .SeCreatorOwnerSid = creator_owner.get(),
    .SeCreatorGroupSid = creator_group.get(),
    .SeNtAuthoritySid = nt_authority.get(),
    .SeDialupSid = dialup.get(),
    .SeNetworkSid = network.get(),
    .SeBatchSid = batch.get(),
    .SeInteractiveSid = interactive.get(),
    .SeLocalSystemSid = local_system.get(),
    .SeAliasAdminsSid = administrators.get(),
    .SeAliasUsersSid = users.get(),
    .SeAliasGuestsSid = guests.get(),
    .SeAliasPowerUsersSid = power_users.get(),
    .SeAliasAccountOpsSid = account_operators.get(),
    .SeAliasSystemOpsSid = system_operators.get(),
    .SeAliasPrintOpsSid = print_operators.get(),
    .SeAliasBackupOpsSid = backup_operators.get(),
    .SeAuthenticatedUsersSid = authenticated_users.get(),
    .SeRestrictedSid = restricted.get(),
    .SeAnonymousLogonSid = anonymous.get(),
    .SeUndockPrivilege = luid(SE_UNDOCK_PRIVILEGE),
    .SeSyncAgentPrivilege = luid(SE_SYNC_AGENT_PRIVILEGE),
    .SeEnableDelegationPrivilege = luid(SE_ENABLE_DELEGATION_PRIVILEGE),
    .SeLocalServiceSid = local_service.get(),
    .SeNetworkServiceSid = network_service.get(),
    .SeManageVolumePrivilege = luid(SE_MANAGE_VOLUME_PRIVILEGE),
    .SeImpersonatePrivilege = luid(SE_IMPERSONATE_PRIVILEGE),
    .SeCreateGlobalPrivilege = luid(SE_CREATE_GLOBAL_PRIVILEGE),
    .SeTrustedCredManAccessPrivilege = luid(SE_TRUSTED_CREDMAN_ACCESS_PRIVILEGE),
    .SeRelabelPrivilege = luid(SE_RELABEL_PRIVILEGE),
    .SeIncreaseWorkingSetPrivilege = luid(SE_INC_WORKING_SET_PRIVILEGE),
    .SeTimeZonePrivilege = luid(SE_TIME_ZONE_PRIVILEGE),
    .SeCreateSymbolicLinkPrivilege = luid(SE_CREATE_SYMBOLIC_LINK_PRIVILEGE),
    .SeIUserSid = iusr.get(),
    .SeUntrustedMandatorySid = untrusted_label.get(),
    .SeLowMandatorySid = low_label.get(),
    .SeMediumMandatorySid = medium_label.get(),
    .SeHighMandatorySid = high_label.get(),
    .SeSystemMandatorySid = system_label.get(),
    .SeOwnerRightsSid = owner_rights.get(),
};

} // namespace

// Under the symbol of the headers' variable, which they declare without const.
extern "C" {
extern __attribute__((visibility("default"))) PSE_EXPORTS const dirql_variable_SeExports asm("SeExports");
PSE_EXPORTS const dirql_variable_SeExports = const_cast<PSE_EXPORTS>(&table);
}
