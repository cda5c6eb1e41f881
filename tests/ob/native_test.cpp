// The services by their Nt names, as applications call them: with user memory, and with their handles' rights.
#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ob/services.hpp"
#include "ob/state.hpp"

#include <algorithm>
#include <functional>
#include <initializer_list>

using namespace dirql;
using namespace dirql::test;

namespace {

struct NativeFixture : KernelFixture {
    NativeFixture() : KernelFixture({ob::initialize}) {}
    void in_application(const std::function<void()>& body) {
        ke::Process& process = create_process();
        CHECK(run([&] { REQUIRE(ob::create_handle_table(process)); }).kind == ke::StopKind::none);
        CHECK(run_as_application(process, body).kind == ke::StopKind::none);
    }
};

struct NameAndType {
    UNICODE_STRING name, type;
};

NTSTATUS wait_any(std::initializer_list<HANDLE> handles, WAIT_TYPE type = WaitAny, ULONG count = 0) {
    HANDLE all[2] = {};
    std::copy(handles.begin(), handles.end(), all);
    LARGE_INTEGER at_once{};
    return NtWaitForMultipleObjects(count != 0 ? count : static_cast<ULONG>(handles.size()), all, type, FALSE,
                                    &at_once);
}

} // namespace

TEST_CASE_METHOD(NativeFixture, "an application opens, clears and resets an event, and waits for several") {
    in_application([] {
        HANDLE event = nullptr, same = nullptr, second = nullptr, weak = nullptr;
        LARGE_INTEGER at_once{};
        Attributes named(u"\\BaseNamedObjects\\Bell");
        REQUIRE(NtCreateEvent(&event, EVENT_ALL_ACCESS, named.get(), NotificationEvent, TRUE) == STATUS_SUCCESS);
        REQUIRE(NtOpenEvent(&same, EVENT_ALL_ACCESS, named.get()) == STATUS_SUCCESS);
        REQUIRE(NtOpenEvent(&weak, SYNCHRONIZE, named.get()) == STATUS_SUCCESS);
        CHECK(same != event);
        CHECK(NtWaitForSingleObject(same, FALSE, &at_once) == STATUS_SUCCESS);
        CHECK(NtClearEvent(weak) == STATUS_ACCESS_DENIED);
        CHECK(NtResetEvent(weak, nullptr) == STATUS_ACCESS_DENIED);
        CHECK(NtClearEvent(same) == STATUS_SUCCESS);
        CHECK(NtWaitForSingleObject(event, FALSE, &at_once) == STATUS_TIMEOUT);
        LONG before = 7;
        CHECK(NtSetEvent(event, nullptr) == STATUS_SUCCESS);
        CHECK(NtResetEvent(same, &before) == STATUS_SUCCESS);
        CHECK(before == 1);
        CHECK(NtResetEvent(same, &before) == STATUS_SUCCESS);
        CHECK(before == 0);
        CHECK(NtWaitForSingleObject(event, FALSE, &at_once) == STATUS_TIMEOUT);

        REQUIRE(NtCreateEvent(&second, EVENT_ALL_ACCESS, nullptr, NotificationEvent, TRUE) == STATUS_SUCCESS);
        CHECK(wait_any({event, second}) == STATUS_WAIT_1);
        CHECK(wait_any({event, second}, WaitAll) == STATUS_TIMEOUT);
        CHECK(NtSetEvent(event, nullptr) == STATUS_SUCCESS);
        CHECK(wait_any({event, second}) == STATUS_WAIT_0);
        CHECK(wait_any({event, second}, WaitAll) == STATUS_WAIT_0);
        CHECK(wait_any({event, event}, WaitAll) == STATUS_INVALID_PARAMETER_MIX);
        CHECK(wait_any({event}, static_cast<WAIT_TYPE>(2)) == STATUS_INVALID_PARAMETER_3);
        CHECK(wait_any({event}, WaitAny, MAXIMUM_WAIT_OBJECTS + 1) == STATUS_INVALID_PARAMETER_1);
        CHECK(wait_any({}) == STATUS_INVALID_PARAMETER_1);
        for (const HANDLE handle : {event, same, second, weak}) CHECK(NtClose(handle) == STATUS_SUCCESS);
        CHECK(NtOpenEvent(&same, EVENT_ALL_ACCESS, named.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(NtOpenEvent(&same, SYNCHRONIZE, Attributes(u"\\BaseNamedObjects").get()) == STATUS_OBJECT_TYPE_MISMATCH);
    });
}

TEST_CASE_METHOD(NativeFixture, "an application's directory, and the link in it") {
    in_application([] {
        HANDLE directory = nullptr, same = nullptr, link = nullptr, way = nullptr, blind = nullptr;
        Attributes named(u"\\BaseNamedObjects\\Box");
        CHECK(NtOpenDirectoryObject(&same, DIRECTORY_QUERY, named.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
        REQUIRE(NtCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, named.get()) == STATUS_SUCCESS);
        CHECK(NtCreateDirectoryObject(&same, DIRECTORY_ALL_ACCESS, named.get()) == STATUS_OBJECT_NAME_COLLISION);
        REQUIRE(NtOpenDirectoryObject(&same, DIRECTORY_QUERY, named.get()) == STATUS_SUCCESS);
        REQUIRE(NtOpenDirectoryObject(&blind, DIRECTORY_TRAVERSE, named.get()) == STATUS_SUCCESS);

        alignas(8) char buffer[256];
        ULONG context = 9, needed = 0;
        CHECK(NtQueryDirectoryObject(same, buffer, sizeof buffer, FALSE, TRUE, &context, &needed) ==
              STATUS_NO_MORE_ENTRIES);
        UNICODE_STRING target = unicode(u"\\Device\\Far");
        Attributes inside(u"Way", 0, directory);
        REQUIRE(NtCreateSymbolicLinkObject(&link, SYMBOLIC_LINK_ALL_ACCESS, inside.get(), &target) == STATUS_SUCCESS);
        CHECK(NtQueryDirectoryObject(blind, buffer, sizeof buffer, FALSE, TRUE, &context, &needed) ==
              STATUS_ACCESS_DENIED);
        REQUIRE(NtQueryDirectoryObject(same, buffer, sizeof buffer, FALSE, TRUE, &context, &needed) == STATUS_SUCCESS);
        CHECK(context == 1);
        CHECK(view(reinterpret_cast<NameAndType*>(buffer)->name) == u"Way");
        CHECK(view(reinterpret_cast<NameAndType*>(buffer)->type) == u"SymbolicLink");

        REQUIRE(NtOpenSymbolicLinkObject(&way, SYMBOLIC_LINK_QUERY, inside.get()) == STATUS_SUCCESS);
        CHECK(NtOpenSymbolicLinkObject(&blind, SYMBOLIC_LINK_QUERY, named.get()) == STATUS_OBJECT_TYPE_MISMATCH);
        char16_t room[16];
        UNICODE_STRING result{0, sizeof room, room};
        ULONG length = 0;
        CHECK(NtQuerySymbolicLinkObject(way, &result, &length) == STATUS_SUCCESS);
        CHECK(view(result) == u"\\Device\\Far");
        CHECK(length == target.Length + sizeof(WCHAR));
        result = {0, 4, room};
        CHECK(NtQuerySymbolicLinkObject(way, &result, nullptr) == STATUS_BUFFER_TOO_SMALL);
        CHECK(NtQuerySymbolicLinkObject(directory, &result, nullptr) == STATUS_OBJECT_TYPE_MISMATCH);
        for (const HANDLE handle : {link, way}) CHECK(NtClose(handle) == STATUS_SUCCESS);
        CHECK(NtOpenSymbolicLinkObject(&way, SYMBOLIC_LINK_QUERY, inside.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
    });
}

TEST_CASE_METHOD(NativeFixture, "a permanent object that is made temporary goes with its last handle") {
    const auto stop = run([] {
        HANDLE directory = nullptr;
        Attributes named(u"\\Lasting", OBJ_PERMANENT), plain(u"\\Lasting");
        REQUIRE(NtCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, named.get()) == STATUS_SUCCESS);
        CHECK(NtClose(directory) == STATUS_SUCCESS);
        REQUIRE(NtOpenDirectoryObject(&directory, DELETE, plain.get()) == STATUS_SUCCESS);
        CHECK(NtMakeTemporaryObject(directory) == STATUS_SUCCESS);
        CHECK(NtClose(directory) == STATUS_SUCCESS);
        CHECK(NtOpenDirectoryObject(&directory, DELETE, plain.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(NtMakeTemporaryObject(nullptr) == STATUS_INVALID_HANDLE);
    });
    CHECK(stop.kind == ke::StopKind::none);
    in_application([] {
        HANDLE weak = nullptr;
        REQUIRE(NtOpenDirectoryObject(&weak, DIRECTORY_QUERY, Attributes(u"\\Device").get()) == STATUS_SUCCESS);
        CHECK(NtMakeTemporaryObject(weak) == STATUS_ACCESS_DENIED);
    });
}
