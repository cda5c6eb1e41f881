#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ke/system_service.hpp"
#include "ob/event.hpp"
#include "ob/state.hpp"

#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct HandleFixture : KernelFixture {
    HandleFixture() : KernelFixture({ob::initialize}) { seen = {}; }
};

NTSTATUS reference(HANDLE handle, ACCESS_MASK access, const ob::ObjectType* type, KPROCESSOR_MODE mode) {
    void* body = nullptr;
    const NTSTATUS status = ob::reference_by_handle(handle, access, type, mode, &body);
    if (NT_SUCCESS(status)) ob::dereference(body);
    return status;
}

} // namespace

TEST_CASE_METHOD(HandleFixture, "handle values are multiples of 4; the last one freed is the next one given") {
    const auto stop = run([&] {
        const HANDLE a = make_handle(test_type);
        const HANDLE b = make_handle(test_type);
        const HANDLE c = make_handle(test_type);
        CHECK(value_of(a) % 4 == 0);
        CHECK(value_of(b) == value_of(a) + 4);
        CHECK(value_of(c) == value_of(b) + 4);
        CHECK(NtClose(a) == STATUS_SUCCESS);
        CHECK(NtClose(c) == STATUS_SUCCESS);
        CHECK(make_handle(test_type) == c);
        CHECK(make_handle(test_type) == a);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "no handle is a multiple of 0x400, and thousands have room") {
    const auto stop = run([&] {
        std::vector<HANDLE> handles;
        for (int i = 0; i < 5000; ++i) handles.push_back(make_handle(test_type));
        for (const HANDLE handle : handles) {
            REQUIRE(handle != nullptr);
            REQUIRE(value_of(handle) % 0x400 != 0);
            REQUIRE(reference(handle, test_read, &test_type, UserMode) == STATUS_SUCCESS);
        }
        for (const HANDLE handle : handles) NtClose(handle);
        CHECK(seen.destroyed == 5000);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "a reference by handle checks handle, type and access, in this order") {
    const auto stop = run([&] {
        const HANDLE handle = make_handle(test_type, nullptr, GENERIC_READ);
        const auto odd = reinterpret_cast<HANDLE>(value_of(handle) + 3); // the two low bits are the caller's
        CHECK(reference(handle, test_read, &test_type, UserMode) == STATUS_SUCCESS);
        CHECK(reference(odd, test_read, &test_type, UserMode) == STATUS_SUCCESS);
        CHECK(reference(handle, test_read, nullptr, UserMode) == STATUS_SUCCESS);
        CHECK(reference(handle, test_write, &test_type, UserMode) == STATUS_ACCESS_DENIED);
        CHECK(reference(handle, test_write, &test_type, KernelMode) == STATUS_SUCCESS);
        CHECK(reference(handle, test_write, &ob::event_type, UserMode) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(reference(handle, 0, &ob::event_type, KernelMode) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(reference(nullptr, 0, &test_type, KernelMode) == STATUS_INVALID_HANDLE);
        CHECK(reference(reinterpret_cast<HANDLE>(0x7FFC), 0, &test_type, UserMode) == STATUS_INVALID_HANDLE);
        CHECK(reference(reinterpret_cast<HANDLE>(0x1234567890), 0, &test_type, UserMode) == STATUS_INVALID_HANDLE);
        OBJECT_HANDLE_INFORMATION information{};
        void* body = nullptr;
        CHECK(ObReferenceObjectByHandle(handle, 0, nullptr, KernelMode, &body, &information) == STATUS_SUCCESS);
        CHECK(information.GrantedAccess == test_read);
        ObDereferenceObject(body);
        NtClose(handle);
        CHECK(reference(handle, 0, nullptr, KernelMode) == STATUS_INVALID_HANDLE);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "the hot path finds what the slow one finds") {
    const auto stop = run([&] {
        ke::Process& process = *ke::current_thread()->process;
        const HANDLE handle = make_handle(test_type);
        ob::HandleRights rights{};
        void* body = ob::lookup(process, handle, &test_type, test_read, UserMode, &rights);
        REQUIRE(body != nullptr);
        CHECK(rights.granted == test_read);
        CHECK(ob::header_of(body).pointer_count == 2);
        ob::dereference(body);
        CHECK(ob::lookup(process, handle, &ob::event_type, 0, KernelMode, &rights) == nullptr);
        CHECK(ob::lookup(process, handle, &test_type, test_write, UserMode, &rights) == nullptr);
        CHECK(ob::lookup(process, nullptr, &test_type, 0, KernelMode, &rights) == nullptr);
        CHECK(ob::lookup(process, NtCurrentProcess(), &test_type, 0, KernelMode, &rights) == nullptr);
        CHECK(ob::header_of(body).pointer_count == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "handles of the kernel are for kernel mode, in the context of any process") {
    ke::Process& process = create_process();
    HANDLE handle = nullptr;
    const auto stop = run([&] {
        REQUIRE(ob::create_handle_table(process));
        handle = make_handle(test_type, Attributes(OBJ_KERNEL_HANDLE).get());
        CHECK(value_of(handle) >= 0xFFFF'FFFF'8000'0000);
        CHECK(ObIsKernelHandle(handle));
        CHECK_FALSE(ObIsKernelHandle(NtCurrentProcess()));
        CHECK_FALSE(ObIsKernelHandle(reinterpret_cast<HANDLE>(4)));
        CHECK(reference(handle, test_read, &test_type, KernelMode) == STATUS_SUCCESS);
        CHECK(reference(handle, test_read, &test_type, UserMode) == STATUS_INVALID_HANDLE);
    });
    REQUIRE(stop.kind == ke::StopKind::none);
    NTSTATUS by_user = 0;
    const auto after = run_as_application(process, [&] { by_user = NtClose(handle); });
    CHECK(after.kind == ke::StopKind::none);
    CHECK(by_user == STATUS_INVALID_HANDLE);
    CHECK(seen.closed == 0);
}

TEST_CASE_METHOD(HandleFixture, "user mode cannot ask for a handle of the kernel") {
    ke::Process& process = create_process();
    run([&] { REQUIRE(ob::create_handle_table(process)); });
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    HANDLE handle = nullptr;
    const auto stop = run_as_application(process, [&] {
        HANDLE made = nullptr;
        Attributes attributes(OBJ_KERNEL_HANDLE);
        status = ZwCreateEvent(&made, EVENT_ALL_ACCESS, attributes.get(), NotificationEvent, FALSE);
        handle = made;
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(status == STATUS_SUCCESS);
    CHECK(value_of(handle) == 4);
}

TEST_CASE_METHOD(HandleFixture, "the close procedure hears of each handle, the object goes with the last") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type);
        HANDLE first = nullptr;
        HANDLE second = nullptr;
        CHECK(ob::insert_object(object, test_read, &first) == STATUS_SUCCESS);
        CHECK(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, nullptr, GENERIC_ALL, nullptr, KernelMode, &second) ==
              STATUS_SUCCESS);
        CHECK(ob::header_of(object).handle_count == 2);
        CHECK(ob::header_of(object).pointer_count == 2);
        CHECK(seen.opened == 2);
        CHECK(ZwClose(first) == STATUS_SUCCESS);
        CHECK(seen.handles_at_close == 2);
        CHECK(seen.destroyed == 0);
        CHECK(ZwClose(second) == STATUS_SUCCESS);
        CHECK(seen.handles_at_close == 1);
        CHECK(seen.closed == 2);
        CHECK(seen.destroyed == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "an open procedure that fails leaves no handle") {
    const auto stop = run([&] {
        seen.open_status = STATUS_DEVICE_BUSY;
        TestObject* object = make_object(test_type, Attributes(u"\\Busy").get());
        HANDLE handle = nullptr;
        CHECK(ob::insert_object(object, test_read, &handle) == STATUS_DEVICE_BUSY);
        CHECK(seen.closed == 0);
        CHECK(seen.destroyed == 1);
        void* found = nullptr;
        CHECK(ob::reference_by_name(unicode(u"\\Busy"), 0, 0, nullptr, KernelMode, nullptr, &found) ==
              STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(ob::current_state().kernel_handles->count == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "a handle may be protected from being closed, and its type may refuse") {
    ke::Process& process = create_process();
    NTSTATUS protected_status = 0;
    NTSTATUS refused = 0;
    NTSTATUS closed = 1;
    run([&] { REQUIRE(ob::create_handle_table(process)); });
    const auto stop = run_as_application(process, [&] {
        HANDLE handle = nullptr;
        (void)ke::system_service([&] { return ob::insert_object(make_object(test_type), test_read, &handle); });
        ob::HandleEntry& entry = *ob::table_of(process)->find(value_of(handle));
        entry.attributes = ob::handle_attributes::protect_from_close;
        protected_status = NtClose(handle);
        entry.attributes = 0;
        seen.closable = false;
        refused = NtClose(handle);
        seen.closable = true;
        closed = NtClose(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(protected_status == STATUS_HANDLE_NOT_CLOSABLE);
    CHECK(refused == STATUS_HANDLE_NOT_CLOSABLE);
    CHECK(closed == STATUS_SUCCESS);
    CHECK(seen.destroyed == 1);
}

TEST_CASE_METHOD(HandleFixture, "closing what is not open: a status for user mode, bug check 0x93 for the kernel") {
    SECTION("null and pseudo handles are harmless") {
        const auto stop = run([&] {
            CHECK(ZwClose(nullptr) == STATUS_INVALID_HANDLE);
            CHECK(ZwClose(NtCurrentProcess()) == STATUS_INVALID_HANDLE);
            CHECK(ZwClose(NtCurrentThread()) == STATUS_INVALID_HANDLE);
            CHECK(ObCloseHandle(reinterpret_cast<HANDLE>(0x444), UserMode) == STATUS_INVALID_HANDLE);
        });
        CHECK(stop.kind == ke::StopKind::none);
    }
    SECTION("a handle closed twice") {
        HANDLE handle = nullptr;
        const auto stop = run([&] {
            handle = make_handle(test_type);
            ZwClose(handle);
            ZwClose(handle);
        });
        CHECK(stop.code == INVALID_KERNEL_HANDLE);
        CHECK(stop.parameters[0] == value_of(handle));
        CHECK(stop.parameters[1] == 1);
    }
    SECTION("a protected one") {
        const auto stop = run([&] {
            const HANDLE handle = make_handle(test_type);
            ob::table_of(*ke::current_thread()->process)->find(value_of(handle))->attributes =
                ob::handle_attributes::protect_from_close;
            ZwClose(handle);
        });
        CHECK(stop.code == INVALID_KERNEL_HANDLE);
        CHECK(stop.parameters[1] == 0);
    }
}

TEST_CASE_METHOD(HandleFixture, "an exclusive object has handles in one process only") {
    ke::Process& other = create_process();
    const auto stop = run([&] {
        REQUIRE(ob::create_handle_table(other));
        TestObject* object = make_object(test_type, Attributes(OBJ_EXCLUSIVE).get());
        HANDLE first = nullptr;
        HANDLE second = nullptr;
        CHECK(ob::insert_object(object, test_read, &first) == STATUS_SUCCESS);
        CHECK(ob::create_handle(other, object, test_read, OBJ_EXCLUSIVE, ob::OpenReason::open, &second) ==
              STATUS_ACCESS_DENIED);
        CHECK(ob::create_handle(other, object, test_read, 0, ob::OpenReason::open, &second) == STATUS_ACCESS_DENIED);
        ob::reference(object);
        NtClose(first);
        for (int i = 0; i < 2; ++i) { // exclusiveness ended with the handle that asked for it
            CHECK(ob::create_handle(other, object, test_read, 0, ob::OpenReason::open, &second) == STATUS_SUCCESS);
        }
        ob::dereference(object);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(HandleFixture, "all handles of a process close at its end, protected ones too") {
    ke::Process& process = create_process();
    const auto stop = run([&] {
        REQUIRE(ob::create_handle_table(process));
        for (int i = 0; i < 700; ++i) {
            HANDLE handle = nullptr;
            TestObject* object = make_object(test_type);
            REQUIRE(ob::create_handle(process, object, test_read, 0, ob::OpenReason::create, &handle) ==
                    STATUS_SUCCESS);
            ob::table_of(process)->find(value_of(handle))->attributes = ob::handle_attributes::protect_from_close;
            ob::dereference(object);
        }
        ob::close_all_handles(process);
        CHECK(seen.closed == 700);
        CHECK(seen.destroyed == 700);
        CHECK(ob::table_of(process)->count == 0);
        ob::free_handle_table(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
