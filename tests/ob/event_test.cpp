#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ke/sanitizer.hpp"
#include "ob/event.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

struct EventFixture : KernelFixture {
    EventFixture() : KernelFixture({ob::initialize}) {}
    ke::Process& application() {
        ke::Process& process = create_process();
        run([&] { REQUIRE(ob::create_handle_table(process)); });
        return process;
    }
};

LARGE_INTEGER no_time{};

} // namespace

TEST_CASE_METHOD(EventFixture, "an event by handle: set, wait, reset") {
    const auto stop = run([&] {
        HANDLE event = nullptr;
        LONG previous = -1;
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(event, FALSE, &no_time) == STATUS_TIMEOUT);
        CHECK(ZwSetEvent(event, &previous) == STATUS_SUCCESS);
        CHECK(previous == 0);
        CHECK(ZwWaitForSingleObject(event, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(event, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(ZwResetEvent(event, &previous) == STATUS_SUCCESS);
        CHECK(previous == 1);
        CHECK(ZwWaitForSingleObject(event, FALSE, &no_time) == STATUS_TIMEOUT);
        ZwSetEvent(event, nullptr);
        CHECK(ZwClearEvent(event) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(event, FALSE, &no_time) == STATUS_TIMEOUT);
        ZwClose(event);
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, SynchronizationEvent, TRUE) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(event, FALSE, &no_time) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(event, FALSE, &no_time) == STATUS_TIMEOUT);
        ZwClose(event);
        if constexpr (!ke::sanitizer::
                          slow_build) { // to sanitizers, a value outside its enumeration is a mistake of ours
            CHECK(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, static_cast<EVENT_TYPE>(2), TRUE) ==
                  STATUS_INVALID_PARAMETER);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(EventFixture, "one thread waits by handle for what another sets by name") {
    NTSTATUS waited = -1;
    NTSTATUS opened = -1;
    const auto stop =
        run({[&] {
                 HANDLE event = nullptr;
                 (void)ZwCreateEvent(&event, EVENT_ALL_ACCESS, Attributes(u"\\BaseNamedObjects\\Go").get(),
                                     NotificationEvent, FALSE);
                 waited = ZwWaitForSingleObject(event, FALSE, nullptr);
                 ZwClose(event);
             },
             [&] {
                 LARGE_INTEGER later;
                 later.QuadPart = -10'000;
                 KeDelayExecutionThread(KernelMode, FALSE, &later);
                 HANDLE event = nullptr;
                 opened = ZwOpenEvent(&event, EVENT_MODIFY_STATE, Attributes(u"\\BaseNamedObjects\\Go").get());
                 ZwSetEvent(event, nullptr);
                 ZwClose(event);
             }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(waited == STATUS_SUCCESS);
    CHECK(opened == STATUS_SUCCESS);
}

TEST_CASE_METHOD(EventFixture, "waiting for several handles") {
    const auto stop = run([&] {
        HANDLE event[2];
        for (HANDLE& e : event)
            REQUIRE(ZwCreateEvent(&e, EVENT_ALL_ACCESS, nullptr, SynchronizationEvent, FALSE) == STATUS_SUCCESS);
        CHECK(ZwWaitForMultipleObjects(2, event, WaitAny, FALSE, &no_time) == STATUS_TIMEOUT);
        ZwSetEvent(event[1], nullptr);
        CHECK(ZwWaitForMultipleObjects(2, event, WaitAll, FALSE, &no_time) == STATUS_TIMEOUT);
        CHECK(ZwWaitForMultipleObjects(2, event, WaitAny, FALSE, &no_time) == STATUS_WAIT_1);
        HANDLE twice[] = {event[0], event[0]};
        CHECK(ZwWaitForMultipleObjects(2, twice, WaitAll, FALSE, &no_time) == STATUS_INVALID_PARAMETER_MIX);
        CHECK(ZwWaitForMultipleObjects(0, event, WaitAny, FALSE, &no_time) == STATUS_INVALID_PARAMETER_1);
        CHECK(ZwWaitForMultipleObjects(2, event, static_cast<WAIT_TYPE>(7), FALSE, &no_time) ==
              STATUS_INVALID_PARAMETER_3);
        HANDLE one_bad[] = {event[0], reinterpret_cast<HANDLE>(0x4444)};
        CHECK(ZwWaitForMultipleObjects(2, one_bad, WaitAny, FALSE, &no_time) == STATUS_INVALID_HANDLE);
        for (const HANDLE e : event) ZwClose(e);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(EventFixture, "what cannot be waited for is signalled always") {
    const auto stop = run([&] {
        HANDLE directory = nullptr;
        REQUIRE(ZwOpenDirectoryObject(&directory, DIRECTORY_QUERY, Attributes(u"\\Device").get()) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(directory, FALSE, nullptr) == STATUS_SUCCESS);
        ZwClose(directory);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(EventFixture, "an application's rights and pointers are checked") {
    ke::Process& process = application();
    NTSTATUS modify = 0, wait = 0, bad_result = 0, bad_attributes = 0, bad_name = 0, kernel_address = 0, permanent = 0;
    const auto stop = run_as_application(process, [&] {
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_MODIFY_STATE, nullptr, NotificationEvent, TRUE);
        wait = NtWaitForSingleObject(event, FALSE, &no_time);
        HANDLE only_wait = nullptr;
        NtCreateEvent(&only_wait, SYNCHRONIZE, nullptr, NotificationEvent, FALSE);
        modify = NtSetEvent(only_wait, nullptr);
        bad_result =
            NtCreateEvent(reinterpret_cast<PHANDLE>(0x10), EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        bad_attributes = NtCreateEvent(&event, EVENT_ALL_ACCESS, reinterpret_cast<POBJECT_ATTRIBUTES>(0x10),
                                       NotificationEvent, FALSE);
        Attributes attributes(u"\\x");
        attributes.get()->ObjectName->Buffer = reinterpret_cast<PWCH>(0x10);
        bad_name = NtCreateEvent(&event, EVENT_ALL_ACCESS, attributes.get(), NotificationEvent, FALSE);
        kernel_address = NtSetEvent(event, reinterpret_cast<PLONG>(ke::halves().system));
        permanent = NtCreateEvent(&event, EVENT_ALL_ACCESS, Attributes(u"\\BaseNamedObjects\\p", OBJ_PERMANENT).get(),
                                  NotificationEvent, FALSE);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(wait == STATUS_ACCESS_DENIED);
    CHECK(modify == STATUS_ACCESS_DENIED);
    CHECK(bad_result == STATUS_ACCESS_VIOLATION);
    CHECK(bad_attributes == STATUS_ACCESS_VIOLATION);
    CHECK(bad_name == STATUS_ACCESS_VIOLATION);
    CHECK(kernel_address == STATUS_ACCESS_VIOLATION);
    CHECK(permanent == STATUS_PRIVILEGE_NOT_HELD);
}

TEST_CASE_METHOD(EventFixture, "IoCreateNotificationEvent makes a signalled event, or opens the one that there is") {
    const auto stop = run([&] {
        UNICODE_STRING name = unicode(u"\\BaseNamedObjects\\Ready");
        HANDLE first = nullptr;
        HANDLE second = nullptr;
        const PKEVENT made = IoCreateNotificationEvent(&name, &first);
        REQUIRE(made != nullptr);
        CHECK(KeReadStateEvent(made) != 0);
        CHECK(made->Header.Type == NotificationEvent);
        CHECK(ObIsKernelHandle(first));
        KeClearEvent(made);
        CHECK(IoCreateNotificationEvent(&name, &second) == made);
        CHECK(KeReadStateEvent(made) == 0);
        ZwClose(first);
        ZwClose(second);
        CHECK(IoCreateSynchronizationEvent(&name, &first)->Header.Type == SynchronizationEvent);
        ZwClose(first);
        UNICODE_STRING directory = unicode(u"\\Device");
        CHECK(IoCreateNotificationEvent(&directory, &first) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
