// Each allocation that a function of security makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "se/token.hpp"

#include <wdmsec.h>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr SECURITY_INFORMATION owner_group_list =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

// Absolute: an owner, a group, and a list of one entry.
struct Descriptor {
    explicit Descriptor(ACCESS_MASK mask = GENERIC_ALL) {
        CHECK(RtlCreateAcl(list(), sizeof bytes, ACL_REVISION) == STATUS_SUCCESS);
        CHECK(RtlAddAccessAllowedAce(list(), ACL_REVISION, mask, SeExports->SeWorldSid) == STATUS_SUCCESS);
        CHECK(RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
        CHECK(RtlSetDaclSecurityDescriptor(&descriptor, TRUE, list(), FALSE) == STATUS_SUCCESS);
        CHECK(RtlSetOwnerSecurityDescriptor(&descriptor, SeExports->SeAliasAdminsSid, FALSE) == STATUS_SUCCESS);
        CHECK(RtlSetGroupSecurityDescriptor(&descriptor, SeExports->SeLocalSystemSid, FALSE) == STATUS_SUCCESS);
    }
    PACL list() { return reinterpret_cast<PACL>(bytes); }

    SECURITY_DESCRIPTOR descriptor{};
    alignas(8) char bytes[64]{};
};

HANDLE own_token(const LowMemory& memory) {
    HANDLE token = nullptr;
    return memory.ok(ZwOpenProcessTokenEx(NtCurrentProcess(), TOKEN_ALL_ACCESS, OBJ_KERNEL_HANDLE, &token)) ? token
                                                                                                            : nullptr;
}

void adjust(const LowMemory& memory, HANDLE token, ULONG attributes) {
    TOKEN_PRIVILEGES privileges{1, {{{SE_SECURITY_PRIVILEGE, 0}, attributes}}};
    (void)memory.ok(NtAdjustPrivilegesToken(token, FALSE, &privileges, 0, nullptr, nullptr));
}

} // namespace

TEST_CASE("what tokens say, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        PACCESS_TOKEN token = PsReferencePrimaryToken(PsInitialSystemProcess);
        for (const TOKEN_INFORMATION_CLASS which :
             {TokenUser, TokenGroups, TokenPrivileges, TokenOwner, TokenPrimaryGroup, TokenDefaultDacl, TokenSource,
              TokenStatistics}) {
            PVOID information = nullptr;
            const bool got = memory.ok(SeQueryInformationToken(token, which, &information));
            CHECK(got == (information != nullptr));
            if (got) ExFreePool(information);
        }
        TOKEN_GROUPS disabled{1, {{SeExports->SeAliasAdminsSid, 0}}};
        TOKEN_GROUPS restricting{1, {{SeExports->SeRestrictedSid, 0}}};
        PACCESS_TOKEN filtered = nullptr;
        if (memory.ok(SeFilterToken(token, DISABLE_MAX_PRIVILEGE, &disabled, nullptr, &restricting, &filtered)))
            ObDereferenceObject(filtered);
        PsDereferencePrimaryToken(token);
        HANDLE handle = own_token(memory);
        if (handle == nullptr) return;
        alignas(8) char buffer[512];
        ULONG length = 0;
        (void)memory.ok(ZwQueryInformationToken(handle, TokenGroups, buffer, sizeof buffer, &length));
        adjust(memory, handle, SE_PRIVILEGE_ENABLED);
        adjust(memory, handle, 0);
        PRIVILEGE_SET required{1, PRIVILEGE_SET_ALL_NECESSARY, {{{SE_DEBUG_PRIVILEGE, 0}, 0}}};
        BOOLEAN held = FALSE;
        if (memory.ok(NtPrivilegeCheck(handle, &required, &held))) CHECK(held);
        SECURITY_QUALITY_OF_SERVICE quality{sizeof quality, SecurityImpersonation, SECURITY_STATIC_TRACKING, TRUE};
        OBJECT_ATTRIBUTES attributes = named(nullptr);
        attributes.SecurityQualityOfService = &quality;
        HANDLE copy = nullptr;
        if (memory.ok(ZwDuplicateToken(handle, 0, &attributes, TRUE, TokenImpersonation, &copy))) ZwClose(copy);
        ZwClose(handle);
    });
    CHECK(made >= 20);
}

TEST_CASE("clients, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        SECURITY_QUALITY_OF_SERVICE quality{sizeof quality, SecurityImpersonation, SECURITY_STATIC_TRACKING, TRUE};
        SECURITY_CLIENT_CONTEXT client{};
        if (!memory.ok(SeCreateClientSecurity(PsGetCurrentThread(), &quality, FALSE, &client))) return;
        if (memory.ok(SeImpersonateClientEx(&client, nullptr), STATUS_NO_MEMORY)) {
            HANDLE token = nullptr;
            if (memory.ok(ZwOpenThreadTokenEx(NtCurrentThread(), TOKEN_ALL_ACCESS, TRUE, OBJ_KERNEL_HANDLE, &token)))
                ZwClose(token);
            SECURITY_SUBJECT_CONTEXT subject;
            SeCaptureSubjectContext(&subject);
            SECURITY_CLIENT_CONTEXT second{};
            if (memory.ok(SeCreateClientSecurityFromSubjectContext(&subject, &quality, FALSE, &second)))
                ObDereferenceObject(second.ClientToken);
            SeReleaseSubjectContext(&subject);
            PsRevertToSelf();
        }
        ObDereferenceObject(client.ClientToken);
    });
    CHECK(made >= 8);
}

// A user's process may be the system only to look at: the token is copied.
TEST_CASE("a client that a server may not become, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        const se::Account user = se::Account::user;
        ps::ProcessStart start{"User"};
        start.account = &user;
        ke::Process* process = nullptr;
        if (!memory.ok(ps::create_process(ke::current_machine(), start, process))) return;
        HANDLE handle = nullptr;
        if (memory.ok(ObOpenObjectByPointer(process, OBJ_KERNEL_HANDLE, nullptr, PROCESS_ALL_ACCESS, *PsProcessType,
                                            KernelMode, &handle))) {
            static NTSTATUS status;
            status = STATUS_PENDING;
            HANDLE thread = nullptr;
            const auto server = [](PVOID) {
                PACCESS_TOKEN token = PsReferencePrimaryToken(PsInitialSystemProcess);
                status = PsImpersonateClient(PsGetCurrentThread(), token, FALSE, FALSE, SecurityImpersonation);
                PsRevertToSelf();
                PsDereferencePrimaryToken(token);
            };
            if (memory.ok(
                    PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, nullptr, handle, nullptr, server, nullptr))) {
                (void)ZwWaitForSingleObject(thread, FALSE, nullptr);
                ZwClose(thread);
                (void)memory.ok(status, STATUS_NO_MEMORY);
            }
            ZwClose(handle);
        }
        ob::close_all_handles(*process);
        ob::dereference(process);
    });
    CHECK(made >= 9);
}

TEST_CASE("descriptors that drivers make, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static GENERIC_MAPPING mapping{1, 2, 4, 7};
        SECURITY_SUBJECT_CONTEXT subject;
        SeCaptureSubjectContext(&subject);
        Descriptor asked;
        PSECURITY_DESCRIPTOR descriptor = nullptr;
        if (memory.ok(
                SeAssignSecurity(nullptr, &asked.descriptor, &descriptor, FALSE, &subject, &mapping, PagedPool))) {
            Descriptor other(2);
            SECURITY_INFORMATION which = DACL_SECURITY_INFORMATION;
            PSECURITY_DESCRIPTOR before = descriptor;
            if (memory.ok(SeSetSecurityDescriptorInfo(nullptr, &which, &other.descriptor, &descriptor, PagedPool,
                                                      &mapping))) {
                CHECK(before != descriptor);
                ExFreePool(before);
            } else {
                CHECK(before == descriptor);
            }
            PSECURITY_DESCRIPTOR child = nullptr;
            if (memory.ok(SeAssignSecurityEx(descriptor, nullptr, &child, nullptr, TRUE, SEF_DACL_AUTO_INHERIT,
                                             &subject, &mapping, NonPagedPool)))
                SeDeassignSecurity(&child);
            CHECK(child == nullptr);
            SeDeassignSecurity(&descriptor);
        }
        SeReleaseSubjectContext(&subject);
    });
    CHECK(made >= 5);
}

TEST_CASE("privileges that an access check used, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        HANDLE token = own_token(memory);
        if (token == nullptr) return;
        TOKEN_PRIVILEGES enable{1, {{{SE_SECURITY_PRIVILEGE, 0}, SE_PRIVILEGE_ENABLED}}};
        if (memory.ok(NtAdjustPrivilegesToken(token, FALSE, &enable, 0, nullptr, nullptr))) {
            static GENERIC_MAPPING mapping{1, 2, 4, 7};
            Descriptor descriptor(7);
            SECURITY_SUBJECT_CONTEXT subject;
            SeCaptureSubjectContext(&subject);
            PPRIVILEGE_SET used = nullptr;
            ACCESS_MASK granted = 0;
            NTSTATUS status = STATUS_PENDING;
            const bool allowed = SeAccessCheck(&descriptor.descriptor, &subject, FALSE, 1 | ACCESS_SYSTEM_SECURITY, 0,
                                               &used, &mapping, UserMode, &granted, &status) != FALSE;
            CHECK(memory.ok(status) == allowed);
            CHECK(allowed == (used != nullptr));
            CHECK(granted == (allowed ? 1 | ACCESS_SYSTEM_SECURITY : 0));
            if (used != nullptr) SeFreePrivileges(used);
            SeReleaseSubjectContext(&subject);
            adjust(memory, token, 0);
        }
        ZwClose(token);
    });
    CHECK(made >= 3);
}

TEST_CASE("descriptors of objects, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        Descriptor given;
        UNICODE_STRING name = unicode(u"\\LowSecure");
        OBJECT_ATTRIBUTES attributes = named(&name);
        attributes.SecurityDescriptor = &given.descriptor;
        HANDLE event = nullptr;
        HANDLE files[2] = {open_low(memory, OBJ_KERNEL_HANDLE),
                           open_low(memory, OBJ_KERNEL_HANDLE, u"\\Device\\Low\\f")};
        (void)memory.ok(ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE));
        for (HANDLE handle : {event, files[0], files[1]}) {
            if (handle == nullptr) continue;
            Descriptor changed;
            alignas(8) char buffer[512];
            ULONG length = 0;
            (void)memory.ok(ZwQuerySecurityObject(handle, owner_group_list, buffer, sizeof buffer, &length));
            (void)memory.ok(ZwSetSecurityObject(handle, DACL_SECURITY_INFORMATION, &changed.descriptor));
            PVOID object = nullptr;
            CHECK(ObReferenceObjectByHandle(handle, 0, nullptr, KernelMode, &object, nullptr) == STATUS_SUCCESS);
            PSECURITY_DESCRIPTOR own = nullptr;
            BOOLEAN allocated = FALSE;
            if (memory.ok(ObGetObjectSecurity(object, &own, &allocated))) ObReleaseObjectSecurity(own, allocated);
            ObDereferenceObject(object);
            ZwClose(handle);
        }
    });
    CHECK(made >= 25);
}

TEST_CASE("devices that are secured by text, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING name = unicode(u"\\Device\\LowSecure");
        PDEVICE_OBJECT device = nullptr;
        if (memory.ok(IoCreateDeviceSecure(low_driver(), 8, &name, FILE_DEVICE_UNKNOWN, 0, FALSE,
                                           &SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R, nullptr, &device)))
            IoDeleteDevice(device);
        else
            CHECK(device == nullptr);
        if (memory.ok(IoCreateDevice(low_driver(), 8, nullptr, FILE_DEVICE_DISK, FILE_AUTOGENERATED_DEVICE_NAME, FALSE,
                                     &device)))
            IoDeleteDevice(device);
    });
    CHECK(made >= 8);
}

TEST_CASE("SIDs and their text, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        SID_IDENTIFIER_AUTHORITY authority{{0, 0, 0, 0, 0, 5}};
        PSID sid = nullptr;
        if (!memory.ok(RtlAllocateAndInitializeSid(&authority, 2, 32, 544, 0, 0, 0, 0, 0, 0, &sid), STATUS_NO_MEMORY))
            return;
        UNICODE_STRING text{};
        if (memory.ok(RtlConvertSidToUnicodeString(&text, sid, TRUE), STATUS_NO_MEMORY)) RtlFreeUnicodeString(&text);
        CHECK(text.Buffer == nullptr);
        RtlFreeSid(sid);
    });
    CHECK(made == 2);
}
