// Tokens: what they say, who acts for whom, and the services for them.
#include "token_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "rtl/sid.hpp"
#include "se/access_check.hpp"
#include "se/assign.hpp"
#include "se/token.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;
namespace sids = dirql::rtl::sids;

namespace {

se::Token* make(se::Account account) {
    se::Token* token = nullptr;
    REQUIRE(se::make_account_token(account, &token) == STATUS_SUCCESS);
    return token;
}

template <class T> T* query(PACCESS_TOKEN token, TOKEN_INFORMATION_CLASS which) {
    PVOID information = nullptr;
    REQUIRE(SeQueryInformationToken(token, which, &information) == STATUS_SUCCESS);
    return static_cast<T*>(information);
}

} // namespace

TEST_CASE_METHOD(TokenFixture, "what tokens say of themselves") {
    in_kernel([&] {
        PACCESS_TOKEN system = PsReferencePrimaryToken(PsInitialSystemProcess);
        REQUIRE(system != nullptr);
        CHECK(SeTokenType(system) == TokenPrimary);
        CHECK(SeTokenIsAdmin(system));
        CHECK_FALSE(SeTokenIsRestricted(system));
        auto* user = query<TOKEN_USER>(system, TokenUser);
        CHECK(RtlEqualSid(user->User.Sid, SeExports->SeLocalSystemSid));
        ExFreePool(user);
        LUID id{};
        CHECK(SeQueryAuthenticationIdToken(system, &id) == STATUS_SUCCESS);
        CHECK((id.LowPart == 0x3E7 && id.HighPart == 0));
        PsDereferencePrimaryToken(system);

        se::Token* admin = make(se::Account::administrator);
        auto* groups = query<TOKEN_GROUPS>(admin, TokenGroups);
        CHECK(groups->GroupCount == 14);
        bool administrators = false;
        for (ULONG i = 0; i < groups->GroupCount; ++i)
            administrators = administrators || RtlEqualSid((&groups->Groups[0] + i)->Sid, SeExports->SeAliasAdminsSid);
        CHECK(administrators);
        ExFreePool(groups);
        auto* owner = query<TOKEN_OWNER>(admin, TokenOwner);
        CHECK(RtlEqualSid(owner->Owner, SeExports->SeAliasAdminsSid));
        ExFreePool(owner);
        auto* group = query<TOKEN_PRIMARY_GROUP>(admin, TokenPrimaryGroup);
        CHECK(RtlEqualSid(group->PrimaryGroup, sids::computer_none.get()));
        ExFreePool(group);
        auto* dacl = query<TOKEN_DEFAULT_DACL>(admin, TokenDefaultDacl);
        CHECK(dacl->DefaultDacl->AceCount == 3);
        ExFreePool(dacl);
        auto* source = query<TOKEN_SOURCE>(admin, TokenSource);
        CHECK(source->SourceName[0] == 'U');
        ExFreePool(source);
        auto* statistics = query<TOKEN_STATISTICS>(admin, TokenStatistics);
        CHECK(statistics->GroupCount == 14);
        CHECK(statistics->TokenType == TokenPrimary);
        ExFreePool(statistics);
        auto* privileges = query<TOKEN_PRIVILEGES>(admin, TokenPrivileges);
        CHECK(privileges->PrivilegeCount == 24);
        ExFreePool(privileges);
        ULONG level = 0;
        CHECK(SeQueryInformationToken(admin, TokenIntegrityLevel, reinterpret_cast<PPVOID>(&level)) == STATUS_SUCCESS);
        CHECK(level == 0x3000);
        ULONG session = 0;
        CHECK(SeQuerySessionIdToken(admin, &session) == STATUS_SUCCESS);
        CHECK(session == 1);
        PVOID none = nullptr;
        CHECK(SeQueryInformationToken(admin, TokenImpersonationLevel, &none) == STATUS_INVALID_PARAMETER);
        CHECK(SeQueryInformationToken(admin, MaxTokenInfoClass, &none) == STATUS_INVALID_INFO_CLASS);

        se::Token* plain = make(se::Account::user);
        CHECK_FALSE(SeTokenIsAdmin(plain));
        // Of the administrator's, what a filter leaves.
        TOKEN_GROUPS disable{1, {{SeExports->SeAliasAdminsSid, 0}}};
        TOKEN_GROUPS second{1, {{SeExports->SeRestrictedSid, 0}}};
        PACCESS_TOKEN filtered = nullptr;
        CHECK(SeFilterToken(admin, 0x80, nullptr, nullptr, nullptr, &filtered) == STATUS_INVALID_PARAMETER);
        REQUIRE(SeFilterToken(admin, DISABLE_MAX_PRIVILEGE, &disable, nullptr, &second, &filtered) == STATUS_SUCCESS);
        CHECK_FALSE(SeTokenIsAdmin(filtered));
        CHECK(SeTokenIsRestricted(filtered));
        CHECK(se::token_of(filtered).present == se::privilege(SE_CHANGE_NOTIFY_PRIVILEGE));
        ObDereferenceObject(filtered);
        ob::dereference(plain);
        ob::dereference(admin);
    });
    CHECK(SeExports->SeDebugPrivilege.LowPart == SE_DEBUG_PRIVILEGE);
}

TEST_CASE_METHOD(TokenFixture, "privileges are asked of who acts") {
    in_kernel([&] {
        const LUID debug = SeExports->SeDebugPrivilege;
        const LUID backup = SeExports->SeBackupPrivilege;
        CHECK(SeSinglePrivilegeCheck(debug, UserMode)); // the system's token
        CHECK_FALSE(SeSinglePrivilegeCheck(backup, UserMode));
        CHECK(SeSinglePrivilegeCheck(backup, KernelMode));
        CHECK_FALSE(SeSinglePrivilegeCheck({debug.LowPart, 1}, UserMode));
        CHECK(SeCheckPrivilegedObject(debug, nullptr, 0, UserMode));
        CHECK_FALSE(SeCheckPrivilegedObject(backup, nullptr, 0, UserMode));
        SECURITY_SUBJECT_CONTEXT subject;
        SeCaptureSubjectContextEx(PsGetCurrentThread(), PsGetCurrentProcess(), &subject);
        struct {
            PRIVILEGE_SET set;
            LUID_AND_ATTRIBUTES more;
        } two{{2, PRIVILEGE_SET_ALL_NECESSARY, {{debug, 0}}}, {backup, 0}};
        CHECK_FALSE(SePrivilegeCheck(&two.set, &subject, UserMode));
        CHECK(two.set.Privilege[0].Attributes == SE_PRIVILEGE_USED_FOR_ACCESS);
        CHECK(two.more.Attributes == 0);
        CHECK(SePrivilegeCheck(&two.set, &subject, KernelMode));
        two.set.Control = 0;
        CHECK(SePrivilegeCheck(&two.set, &subject, UserMode));
        SeReleaseSubjectContext(&subject);
    });
}

TEST_CASE_METHOD(TokenFixture, "a thread acts for a client until it reverts") {
    in_kernel([&] {
        se::Token* user = make(se::Account::user);
        BOOLEAN copy = FALSE;
        BOOLEAN effective = FALSE;
        SECURITY_IMPERSONATION_LEVEL level = SecurityAnonymous;
        CHECK(PsReferenceImpersonationToken(PsGetCurrentThread(), &copy, &effective, &level) == nullptr);
        REQUIRE(PsImpersonateClient(PsGetCurrentThread(), user, TRUE, FALSE, SecurityImpersonation) == STATUS_SUCCESS);
        CHECK_FALSE(SeSinglePrivilegeCheck(SeExports->SeDebugPrivilege, UserMode));
        PACCESS_TOKEN client = PsReferenceImpersonationToken(PsGetCurrentThread(), &copy, &effective, &level);
        CHECK(client == user);
        CHECK((copy && !effective && level == SecurityImpersonation));
        PsDereferenceImpersonationToken(client);

        // A server takes what its client lets it have.
        SECURITY_QUALITY_OF_SERVICE quality{sizeof quality, SecurityDelegation, SECURITY_STATIC_TRACKING, FALSE};
        SECURITY_CLIENT_CONTEXT context{};
        CHECK(SeCreateClientSecurity(PsGetCurrentThread(), &quality, FALSE, &context) ==
              STATUS_BAD_IMPERSONATION_LEVEL);
        quality.ImpersonationLevel = SecurityIdentification;
        REQUIRE(SeCreateClientSecurity(PsGetCurrentThread(), &quality, FALSE, &context) == STATUS_SUCCESS);
        CHECK(context.ClientToken != user); // a copy
        CHECK(SeTokenType(context.ClientToken) == TokenImpersonation);
        PsRevertToSelf();
        CHECK(SeSinglePrivilegeCheck(SeExports->SeDebugPrivilege, UserMode));
        REQUIRE(SeImpersonateClientEx(&context, nullptr) == STATUS_SUCCESS);
        CHECK_FALSE(SeSinglePrivilegeCheck(SeExports->SeChangeNotifyPrivilege, UserMode)); // looking at is not being
        PsRevertToSelf();
        SeDeleteClientSecurity(&context);

        quality = {sizeof quality, SecurityImpersonation, SECURITY_DYNAMIC_TRACKING, FALSE};
        SECURITY_SUBJECT_CONTEXT subject{};
        subject.PrimaryToken = user;
        REQUIRE(SeCreateClientSecurityFromSubjectContext(&subject, &quality, FALSE, &context) == STATUS_SUCCESS);
        CHECK(context.ClientToken == user);
        SeImpersonateClient(&context, PsGetCurrentThread());
        CHECK_FALSE(SeSinglePrivilegeCheck(SeExports->SeDebugPrivilege, UserMode));
        REQUIRE(PsImpersonateClient(PsGetCurrentThread(), nullptr, FALSE, FALSE, SecurityAnonymous) == STATUS_SUCCESS);
        CHECK(SeSinglePrivilegeCheck(SeExports->SeDebugPrivilege, UserMode));
        SeDeleteClientSecurity(&context);
        CHECK(ob::header_of(user).pointer_count == 1);
        ob::dereference(user);
    });
}

TEST_CASE_METHOD(TokenFixture, "services for tokens") {
    in_kernel([&] {
        HANDLE handle = nullptr;
        REQUIRE(ZwOpenProcessTokenEx(NtCurrentProcess(), TOKEN_ALL_ACCESS, OBJ_KERNEL_HANDLE, &handle) ==
                STATUS_SUCCESS);
        HANDLE none = nullptr;
        CHECK(ZwOpenThreadTokenEx(NtCurrentThread(), TOKEN_QUERY, TRUE, OBJ_KERNEL_HANDLE, &none) == STATUS_NO_TOKEN);
        CHECK(ZwOpenProcessTokenEx(handle, TOKEN_QUERY, OBJ_KERNEL_HANDLE, &none) == STATUS_OBJECT_TYPE_MISMATCH);
        ULONG needed = 0;
        CHECK(ZwQueryInformationToken(handle, TokenUser, nullptr, 0, &needed) == STATUS_BUFFER_TOO_SMALL);
        alignas(8) std::byte buffer[128];
        REQUIRE(needed <= sizeof buffer);
        REQUIRE(ZwQueryInformationToken(handle, TokenUser, buffer, needed, &needed) == STATUS_SUCCESS);
        CHECK(RtlEqualSid(reinterpret_cast<PTOKEN_USER>(buffer)->User.Sid, SeExports->SeLocalSystemSid));

        SECURITY_QUALITY_OF_SERVICE quality{sizeof quality, SecurityIdentification, SECURITY_STATIC_TRACKING, FALSE};
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        attributes.SecurityQualityOfService = &quality;
        HANDLE copy = nullptr;
        CHECK(ZwDuplicateToken(handle, 0, &attributes, FALSE, static_cast<TOKEN_TYPE>(3), &copy) ==
              STATUS_INVALID_PARAMETER);
        REQUIRE(ZwDuplicateToken(handle, TOKEN_ALL_ACCESS, &attributes, FALSE, TokenImpersonation, &copy) ==
                STATUS_SUCCESS);
        quality.ImpersonationLevel = SecurityImpersonation;
        HANDLE higher = nullptr;
        CHECK(ZwDuplicateToken(copy, 0, &attributes, FALSE, TokenImpersonation, &higher) ==
              STATUS_BAD_IMPERSONATION_LEVEL);

        TOKEN_PRIVILEGES wanted{1, {{SeExports->SeBackupPrivilege, SE_PRIVILEGE_ENABLED}}};
        TOKEN_PRIVILEGES previous{};
        CHECK(NtAdjustPrivilegesToken(copy, FALSE, nullptr, 0, nullptr, nullptr) == STATUS_INVALID_PARAMETER);
        CHECK(NtAdjustPrivilegesToken(copy, FALSE, &wanted, 4, &previous, &needed) == STATUS_BUFFER_TOO_SMALL);
        CHECK(needed == sizeof previous);
        REQUIRE(NtAdjustPrivilegesToken(copy, FALSE, &wanted, sizeof previous, &previous, &needed) == STATUS_SUCCESS);
        CHECK((previous.PrivilegeCount == 1 && previous.Privileges[0].Attributes == 0));
        PRIVILEGE_SET set{1, PRIVILEGE_SET_ALL_NECESSARY, {{SeExports->SeBackupPrivilege, 0}}};
        BOOLEAN held = FALSE;
        REQUIRE(NtPrivilegeCheck(copy, &set, &held) == STATUS_SUCCESS);
        CHECK(held);
        REQUIRE(NtPrivilegeCheck(handle, &set, &held) == STATUS_SUCCESS);
        CHECK_FALSE(held);                                                // the copy's own business
        wanted.Privileges[0].Luid.LowPart = SE_REMOTE_SHUTDOWN_PRIVILEGE; // which the system does not have
        CHECK(NtAdjustPrivilegesToken(copy, FALSE, &wanted, 0, nullptr, nullptr) == STATUS_NOT_ALL_ASSIGNED);
        CHECK(NtAdjustPrivilegesToken(copy, TRUE, nullptr, 0, nullptr, nullptr) == STATUS_SUCCESS);
        REQUIRE(NtPrivilegeCheck(copy, &set, &held) == STATUS_SUCCESS);
        CHECK_FALSE(held);

        // A client's token that is opened by a copy.
        se::Token* user = make(se::Account::user);
        REQUIRE(PsImpersonateClient(PsGetCurrentThread(), user, TRUE, FALSE, SecurityImpersonation) == STATUS_SUCCESS);
        HANDLE client = nullptr;
        REQUIRE(ZwOpenThreadTokenEx(NtCurrentThread(), TOKEN_QUERY, TRUE, OBJ_KERNEL_HANDLE, &client) ==
                STATUS_SUCCESS);
        PVOID body = nullptr;
        REQUIRE(ObReferenceObjectByHandle(client, TOKEN_QUERY, *SeTokenObjectType, KernelMode, &body, nullptr) ==
                STATUS_SUCCESS);
        CHECK(body != user);
        CHECK(RtlEqualSid(se::token_of(body).user(), user->user()));
        ObDereferenceObject(body);
        REQUIRE(PsImpersonateClient(PsGetCurrentThread(), user, TRUE, FALSE, SecurityAnonymous) == STATUS_SUCCESS);
        CHECK(NtOpenThreadToken(NtCurrentThread(), TOKEN_QUERY, TRUE, &none) == STATUS_CANT_OPEN_ANONYMOUS);
        PsRevertToSelf();
        ob::dereference(user);
        for (HANDLE each : {handle, copy, client}) CHECK(ZwClose(each) == STATUS_SUCCESS);
    });
}
