// Tokens: what they say, who acts for whom, and descriptors of new objects.
#include "catch.hpp"
#include "ps/process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "rtl/sddl.hpp"
#include "rtl/sid.hpp"
#include "se/access_check.hpp"
#include "se/assign.hpp"
#include "se/descriptor.hpp"
#include "se/token.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;
namespace sids = dirql::rtl::sids;

namespace {

struct TokenFixture : ProcessFixture {
    void in_kernel(const std::function<void()>& body) {
        const auto stop = run(body);
        CHECK(stop.kind == ke::StopKind::none);
    }
};

std::u16string text_of(PSECURITY_DESCRIPTOR descriptor) {
    std::u16string text(2000, u' ');
    const auto written = rtl::write_sddl(descriptor, 0xF, text.data(), text.size());
    text.resize(NT_SUCCESS(written.status) ? written.needed : 0);
    return text;
}

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

struct Parsed {
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    explicit Parsed(std::u16string_view text) {
        REQUIRE(se::make_descriptor(text, rtl::Sddl::full, &descriptor) == STATUS_SUCCESS);
    }
    ~Parsed() { se::free_descriptor(descriptor); }
    Parsed(const Parsed&) = delete;
    Parsed& operator=(const Parsed&) = delete;
};

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

TEST_CASE_METHOD(TokenFixture, "a new object's descriptor comes from its creator, its parent, its maker's token") {
    in_kernel([&] {
        GENERIC_MAPPING mapping{0x1, 0x2, 0x4, 0x1F};
        SECURITY_SUBJECT_CONTEXT subject;
        SeCaptureSubjectContext(&subject);
        PSECURITY_DESCRIPTOR made = nullptr;
        REQUIRE(SeAssignSecurity(nullptr, nullptr, &made, FALSE, &subject, &mapping, PagedPool) == STATUS_SUCCESS);
        CHECK(text_of(made) == u"O:BAG:SYD:(A;;CCDCLCSWRP;;;SY)(A;;CCLCRC;;;BA)");
        CHECK(SeValidSecurityDescriptor(RtlLengthSecurityDescriptor(made), made));
        CHECK_FALSE(SeValidSecurityDescriptor(RtlLengthSecurityDescriptor(made) - 4, made));
        CHECK(SeDeassignSecurity(&made) == STATUS_SUCCESS);
        CHECK(made == nullptr);

        const Parsed asked(u"O:WDG:WDD:P(A;;GR;;;WD)");
        REQUIRE(SeAssignSecurity(nullptr, asked.descriptor, &made, FALSE, &subject, &mapping, PagedPool) ==
                STATUS_SUCCESS);
        CHECK(text_of(made) == u"O:WDG:WDD:P(A;;CC;;;WD)");
        SeDeassignSecurity(&made);

        const Parsed parent(
            u"O:BUG:BUD:(A;OICI;GA;;;BU)(A;OICIIO;GR;;;CO)(A;OI;0x2;;;WD)(A;CINP;0x4;;;AU)(A;;0x8;;;LS)");
        REQUIRE(SeAssignSecurity(parent.descriptor, nullptr, &made, FALSE, &subject, &mapping, PagedPool) ==
                STATUS_SUCCESS);
        CHECK(text_of(made) == u"O:BAG:SYD:(A;ID;CCDCLCSWRP;;;BU)(A;ID;CC;;;BA)(A;ID;DC;;;WD)");
        SeDeassignSecurity(&made);
        REQUIRE(SeAssignSecurityEx(parent.descriptor, nullptr, &made, nullptr, TRUE,
                                   SEF_DACL_AUTO_INHERIT | SEF_DEFAULT_OWNER_FROM_PARENT, &subject, &mapping,
                                   PagedPool) == STATUS_SUCCESS);
        CHECK(text_of(made) == u"O:BUG:SYD:AI(A;ID;CCDCLCSWRP;;;BU)(A;OICIIOID;GA;;;BU)(A;ID;CC;;;BU)"
                               u"(A;OICIIOID;GR;;;CO)(A;OIIOID;DC;;;WD)(A;ID;LC;;;AU)");
        SeDeassignSecurity(&made);
        SeReleaseSubjectContext(&subject);

        // Asked about and changed.
        const Parsed old(u"O:BAG:SYD:(A;;0x1;;;WD)S:(AU;SA;0x1;;;WD)");
        PSECURITY_DESCRIPTOR changing = old.descriptor;
        alignas(8) std::byte buffer[256];
        ULONG length = 0;
        SECURITY_INFORMATION which = DACL_SECURITY_INFORMATION;
        CHECK(SeQuerySecurityDescriptorInfo(&which, buffer, &length, &changing) == STATUS_BUFFER_TOO_SMALL);
        CHECK(length == 20 + 8 + 20);
        REQUIRE(SeQuerySecurityDescriptorInfo(&which, buffer, &length, &changing) == STATUS_SUCCESS);
        CHECK(text_of(buffer) == u"D:(A;;CC;;;WD)");
        const Parsed change(u"O:LSD:P(A;;GW;;;BU)");
        REQUIRE(SeSetSecurityDescriptorInfo(nullptr, &which, change.descriptor, &changing, PagedPool, &mapping) ==
                STATUS_SUCCESS);
        CHECK(changing != old.descriptor);
        CHECK(text_of(changing) == u"O:BAG:SYD:P(A;;DC;;;BU)S:(AU;SA;CC;;;WD)");
        PSECURITY_DESCRIPTOR twice = changing;
        which = OWNER_SECURITY_INFORMATION;
        REQUIRE(SeSetSecurityDescriptorInfoEx(nullptr, &which, change.descriptor, &twice, SEF_AVOID_OWNER_CHECK,
                                              PagedPool, &mapping) == STATUS_SUCCESS);
        CHECK(text_of(twice) == u"O:LSG:SYD:P(A;;DC;;;BU)S:(AU;SA;CC;;;WD)");
        ExFreePool(twice);
        ExFreePool(changing);
        PSECURITY_DESCRIPTOR absent = nullptr;
        CHECK(SeSetSecurityDescriptorInfo(nullptr, &which, change.descriptor, &absent, PagedPool, &mapping) ==
              STATUS_NO_SECURITY_ON_OBJECT);
        SECURITY_DESCRIPTOR absolute{};
        RtlCreateSecurityDescriptor(&absolute, 1);
        absent = &absolute;
        CHECK(SeSetSecurityDescriptorInfo(nullptr, &which, change.descriptor, &absent, PagedPool, &mapping) ==
              STATUS_BAD_DESCRIPTOR_FORMAT);
    });
}

TEST_CASE_METHOD(TokenFixture, "named objects have descriptors, and applications meet them") {
    const auto name_of = [](const char16_t* text) {
        const std::u16string_view view(text);
        return UNICODE_STRING{static_cast<USHORT>(view.size() * 2), static_cast<USHORT>(view.size() * 2),
                              const_cast<char16_t*>(view.data())};
    };
    HANDLE made = nullptr;
    in_kernel([&] {
        UNICODE_STRING name = name_of(u"\\KernelObjects\\Guarded");
        const Parsed asked(u"O:SYG:SYD:(A;;GA;;;SY)(A;;GR;;;BU)");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, asked.descriptor);
        REQUIRE(ZwCreateEvent(&made, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE) == STATUS_SUCCESS);
        alignas(8) std::byte buffer[256];
        ULONG needed = 0;
        CHECK(ZwQuerySecurityObject(made, DACL_SECURITY_INFORMATION, nullptr, 0, &needed) == STATUS_BUFFER_TOO_SMALL);
        REQUIRE(ZwQuerySecurityObject(made, DACL_SECURITY_INFORMATION, buffer, sizeof buffer, &needed) ==
                STATUS_SUCCESS);
        CHECK(text_of(buffer) == u"D:(A;;0x1f0003;;;SY)(A;;CCRC;;;BU)");
    });
    ke::Process* user = create_process("User");
    REQUIRE(user != nullptr);
    in_kernel([&] { REQUIRE(se::give_token(*user, se::Account::user)); });
    struct Seen {
        NTSTATUS read, write, create, own, set;
    } seen{};
    run_as_application(*user, {[&] {
        UNICODE_STRING name = name_of(u"\\KernelObjects\\Guarded");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        HANDLE handle = nullptr;
        seen.read = NtOpenEvent(&handle, EVENT_QUERY_STATE, &attributes);
        NtClose(handle);
        seen.write = NtOpenEvent(&handle, EVENT_MODIFY_STATE, &attributes);
        name = name_of(u"\\KernelObjects\\Mine");
        seen.create = NtCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
        name = name_of(u"\\BaseNamedObjects\\Mine");
        seen.own = NtCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
        SECURITY_DESCRIPTOR open{};
        open.Revision = 1;
        open.Control = SE_DACL_PRESENT;
        seen.set = NtSetSecurityObject(handle, DACL_SECURITY_INFORMATION, &open);
        NtClose(handle);
    }});
    CHECK(seen.read == STATUS_SUCCESS);
    CHECK(seen.write == STATUS_ACCESS_DENIED);
    CHECK(seen.create == STATUS_ACCESS_DENIED);
    CHECK(seen.own == STATUS_SUCCESS);
    CHECK(seen.set == STATUS_SUCCESS);
    in_kernel([&] {
        PVOID event = nullptr;
        REQUIRE(ObReferenceObjectByHandle(made, 0, nullptr, KernelMode, &event, nullptr) == STATUS_SUCCESS);
        PSECURITY_DESCRIPTOR descriptor = nullptr;
        BOOLEAN allocated = FALSE;
        REQUIRE(ObGetObjectSecurity(event, &descriptor, &allocated) == STATUS_SUCCESS);
        CHECK(descriptor != nullptr);
        ObReleaseObjectSecurity(descriptor, allocated);
        const Parsed open(u"D:(A;;GA;;;WD)");
        CHECK(ZwSetSecurityObject(made, DACL_SECURITY_INFORMATION, open.descriptor) == STATUS_SUCCESS);
        CHECK(ObGetObjectSecurity(user, &descriptor, &allocated) == STATUS_SUCCESS);
        CHECK(allocated);
        ObReleaseObjectSecurity(descriptor, allocated);
        HANDLE unnamed = nullptr;
        PVOID plain = nullptr;
        REQUIRE(ZwCreateEvent(&unnamed, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        REQUIRE(ObReferenceObjectByHandle(unnamed, 0, nullptr, KernelMode, &plain, nullptr) == STATUS_SUCCESS);
        CHECK(ObGetObjectSecurity(plain, &descriptor, &allocated) == STATUS_SUCCESS);
        CHECK(descriptor == nullptr);
        CHECK_FALSE(allocated);
        ObDereferenceObject(plain);
        CHECK(ZwClose(unnamed) == STATUS_SUCCESS);
        ObDereferenceObject(event);
        CHECK(ZwClose(made) == STATUS_SUCCESS);
    });
    dereference(user);
}
