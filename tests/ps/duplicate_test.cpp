// Duplicates and the rights of what they are made from.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "rtl/sddl.hpp"
#include "se/descriptor.hpp"
#include "support/names.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

// Stands for files and devices.
constinit const ob::ObjectType self_kept_type{
    .name = u"SelfKept",
    .index = ob::TypeIndex::test,
    .mapping = ob::standard_mapping(1, 2, 0, 0x1F0003),
    .valid_access = 0x1F0003,
    .security = [](ob::SecurityRequest&) noexcept -> NTSTATUS { return STATUS_NOT_SUPPORTED; },
};

ACCESS_MASK access_of(HANDLE handle) {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    if (!NT_SUCCESS(ob::reference_by_handle(handle, 0, nullptr, KernelMode, &body, &information))) return 0;
    ob::dereference(body);
    return information.GrantedAccess;
}

NTSTATUS duplicate(HANDLE source, ACCESS_MASK access, HANDLE* made) {
    return ZwDuplicateObject(NtCurrentProcess(), source, NtCurrentProcess(), made, access, 0, 0);
}

} // namespace

TEST_CASE_METHOD(ProcessFixture, "a type that keeps its security itself gives duplicates no more than the source has") {
    const auto stop = run([] {
        void* body = nullptr;
        REQUIRE(ob::create_object(self_kept_type, nullptr, KernelMode, 8, &body) == STATUS_SUCCESS);
        HANDLE source = nullptr;
        REQUIRE(ob::insert_object(body, SYNCHRONIZE | READ_CONTROL | 1, &source) == STATUS_SUCCESS);
        HANDLE made = nullptr;
        CHECK(duplicate(source, 2, &made) == STATUS_ACCESS_DENIED);
        CHECK(duplicate(source, GENERIC_WRITE, &made) == STATUS_ACCESS_DENIED);
        CHECK(duplicate(source, GENERIC_ALL, &made) == STATUS_ACCESS_DENIED);
        CHECK(duplicate(source, ACCESS_SYSTEM_SECURITY, &made) == STATUS_ACCESS_DENIED);
        REQUIRE(duplicate(source, GENERIC_READ, &made) == STATUS_SUCCESS);
        CHECK(access_of(made) == (READ_CONTROL | 1));
        ZwClose(made);
        REQUIRE(duplicate(source, 0, &made) == STATUS_SUCCESS);
        CHECK(access_of(made) == 0);
        ZwClose(made);
        ZwClose(source);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ProcessFixture, "more than the source has is an open: the kernel may, applications are checked") {
    ke::Process* process = create_process();
    REQUIRE(process != nullptr);
    void* body = nullptr;
    HANDLE handle = nullptr;
    auto stop = run([&] {
        PSECURITY_DESCRIPTOR guard = nullptr;
        REQUIRE(se::make_descriptor(u"O:SYG:SYD:(A;;GA;;;SY)(A;;0x2;;;WD)", rtl::Sddl::full, &guard) == STATUS_SUCCESS);
        UNICODE_STRING name = test::unicode(u"\\KernelObjects\\Duplicated");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, guard);
        HANDLE event = nullptr;
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE) == STATUS_SUCCESS);
        se::free_descriptor(guard);
        REQUIRE(ob::reference_by_handle(event, 0, nullptr, KernelMode, &body) == STATUS_SUCCESS);
        ZwClose(event);
        REQUIRE(ob::create_handle(*process, body, EVENT_QUERY_STATE, 0, ob::OpenReason::open, &handle) ==
                STATUS_SUCCESS);
        HANDLE source = nullptr;
        HANDLE made = nullptr;
        REQUIRE(ob::create_handle(*machine().system_process, body, EVENT_QUERY_STATE, 0, ob::OpenReason::open,
                                  &source) == STATUS_SUCCESS);
        REQUIRE(duplicate(source, EVENT_ALL_ACCESS, &made) == STATUS_SUCCESS);
        CHECK(access_of(made) == EVENT_ALL_ACCESS);
        ZwClose(made);
        ZwClose(source);
    });
    CHECK(stop.kind == ke::StopKind::none);
    struct Seen {
        NTSTATUS same, more, allowed, all;
    } seen{};
    stop = run_as_application(*process, {[&] {
        const HANDLE self = NtCurrentProcess();
        HANDLE made = nullptr;
        seen.same = NtDuplicateObject(self, handle, self, &made, EVENT_QUERY_STATE, 0, 0);
        seen.more = NtDuplicateObject(self, handle, self, &made, SYNCHRONIZE, 0, 0);
        seen.allowed = NtDuplicateObject(self, handle, self, &made, EVENT_MODIFY_STATE, 0, 0);
        seen.all = NtDuplicateObject(self, handle, self, &made, GENERIC_ALL, 0, 0);
    }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(seen.same == STATUS_SUCCESS);
    CHECK(seen.more == STATUS_ACCESS_DENIED);
    CHECK(seen.allowed == STATUS_SUCCESS);
    CHECK(seen.all == STATUS_ACCESS_DENIED);
    dereference(body);
    dereference(process);
}
