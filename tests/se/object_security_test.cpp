// Descriptors of objects: where a new one's comes from, and who is let in by it.
#include "support/names.hpp"
#include "token_fixture.hpp"

#include "se/token.hpp"

using namespace dirql;
using namespace dirql::test;

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
    HANDLE made = nullptr;
    in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\KernelObjects\\Guarded");
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
        UNICODE_STRING name = unicode(u"\\KernelObjects\\Guarded");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        HANDLE handle = nullptr;
        seen.read = NtOpenEvent(&handle, EVENT_QUERY_STATE, &attributes);
        NtClose(handle);
        seen.write = NtOpenEvent(&handle, EVENT_MODIFY_STATE, &attributes);
        name = unicode(u"\\KernelObjects\\Mine");
        seen.create = NtCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
        name = unicode(u"\\BaseNamedObjects\\Mine");
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
