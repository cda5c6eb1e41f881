// Dispatcher objects by handle, what objects and handles are asked and told, names in directories.
#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ke/system_service.hpp"
#include "ob/event.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct ServiceFixture : KernelFixture {
    ServiceFixture() : KernelFixture({ob::initialize}) { seen = {}; }
};

NTSTATUS wait(HANDLE handle, LONGLONG ticks = 0) {
    LARGE_INTEGER limit;
    limit.QuadPart = -ticks;
    return ZwWaitForSingleObject(handle, FALSE, &limit);
}

constexpr ULONG handle_flags = 4;
struct Flags {
    BOOLEAN inherit, protect;
};

NTSTATUS set_flags(HANDLE handle, Flags flags) {
    return ZwSetInformationObject(handle, static_cast<OBJECT_INFORMATION_CLASS>(handle_flags), &flags, sizeof flags);
}

struct NameAndType {
    UNICODE_STRING name, type;
};

} // namespace

TEST_CASE_METHOD(ServiceFixture, "semaphores by handle and name: counts, limits, waits") {
    const auto stop = run([&] {
        HANDLE semaphore = nullptr, other = nullptr;
        CHECK(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, nullptr, -1, 1) == STATUS_INVALID_PARAMETER);
        CHECK(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, nullptr, 0, 0) == STATUS_INVALID_PARAMETER);
        CHECK(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, nullptr, 3, 2) == STATUS_INVALID_PARAMETER);
        Attributes named(u"\\BaseNamedObjects\\Tokens");
        REQUIRE(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, named.get(), 1, MAXLONG) == STATUS_SUCCESS);
        CHECK(NtCreateSemaphore(&other, SEMAPHORE_ALL_ACCESS, named.get(), 1, 2) == STATUS_OBJECT_NAME_COLLISION);
        REQUIRE(NtOpenSemaphore(&other, SEMAPHORE_MODIFY_STATE, named.get()) == STATUS_SUCCESS);
        CHECK(wait(semaphore) == STATUS_SUCCESS);
        CHECK(wait(semaphore) == STATUS_TIMEOUT);
        LONG before = -1;
        CHECK(NtReleaseSemaphore(other, 2, &before) == STATUS_SUCCESS);
        CHECK(before == 0);
        CHECK(NtReleaseSemaphore(other, 0, nullptr) == STATUS_INVALID_PARAMETER);
        CHECK(NtReleaseSemaphore(other, MAXLONG, &before) == STATUS_SEMAPHORE_LIMIT_EXCEEDED);
        CHECK(NtReleaseSemaphore(other, MAXLONG - 2, &before) == STATUS_SUCCESS);
        CHECK(before == 2);
        HANDLE event = nullptr;
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        CHECK(NtReleaseSemaphore(event, 1, nullptr) == STATUS_OBJECT_TYPE_MISMATCH);
        for (const HANDLE handle : {semaphore, other, event}) ZwClose(handle);
        CHECK(NtOpenSemaphore(&other, SEMAPHORE_MODIFY_STATE, named.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ServiceFixture, "mutants by handle: owned, recursive, abandoned, gone while owned") {
    HANDLE mutant = nullptr;
    const auto first = run([&] {
        Attributes named(u"\\BaseNamedObjects\\Lock");
        REQUIRE(NtCreateMutant(&mutant, 0x1F0001, named.get(), TRUE) == STATUS_SUCCESS);
        CHECK_FALSE(KeAreApcsDisabled());
        CHECK(wait(mutant) == STATUS_SUCCESS);
        LONG before = 0;
        CHECK(NtReleaseMutant(mutant, &before) == STATUS_SUCCESS);
        CHECK(before == -1);
        HANDLE other = nullptr;
        REQUIRE(NtOpenMutant(&other, SYNCHRONIZE, named.get()) == STATUS_SUCCESS);
        CHECK(NtReleaseMutant(other, &before) == STATUS_SUCCESS);
        CHECK(before == 0);
        CHECK(NtReleaseMutant(other, nullptr) == STATUS_MUTANT_NOT_OWNED);
        CHECK(wait(other) == STATUS_SUCCESS);
        ZwClose(other);
        HANDLE lost = nullptr;
        REQUIRE(NtCreateMutant(&lost, 0x1F0001, nullptr, TRUE) == STATUS_SUCCESS);
        ZwClose(lost); // owned, and gone
        CHECK(NtCreateMutant(reinterpret_cast<PHANDLE>(&lost), 0x1F0001, named.get(), FALSE) ==
              STATUS_OBJECT_NAME_COLLISION);
    }); // ends as the owner
    CHECK(first.kind == ke::StopKind::none);
    const auto second = run([&] {
        CHECK(wait(mutant) == STATUS_ABANDONED);
        CHECK(NtReleaseMutant(mutant, nullptr) == STATUS_SUCCESS);
        ZwClose(mutant);
    });
    CHECK(second.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ServiceFixture, "timers by handle: due, periodic, cancelled, closed while they run") {
    const auto stop = run([&] {
        HANDLE timer = nullptr, other = nullptr;
        Attributes named(u"\\BaseNamedObjects\\Clock");
        CHECK(ZwCreateTimer(&timer, TIMER_ALL_ACCESS, nullptr, static_cast<TIMER_TYPE>(2)) ==
              STATUS_INVALID_PARAMETER_4);
        REQUIRE(ZwCreateTimer(&timer, TIMER_ALL_ACCESS, named.get(), SynchronizationTimer) == STATUS_SUCCESS);
        REQUIRE(ZwOpenTimer(&other, TIMER_MODIFY_STATE, named.get()) == STATUS_SUCCESS);
        LARGE_INTEGER due;
        due.QuadPart = -10'000; // 1 ms
        BOOLEAN state = 7;
        CHECK(ZwSetTimer(other, &due, nullptr, nullptr, FALSE, -1, nullptr) == STATUS_INVALID_PARAMETER_6);
        REQUIRE(ZwSetTimer(other, &due, nullptr, nullptr, FALSE, 0, &state) == STATUS_SUCCESS);
        CHECK(state == FALSE);
        CHECK(wait(timer) == STATUS_TIMEOUT);
        CHECK(wait(timer, 1'000'000) == STATUS_SUCCESS);
        CHECK(wait(timer, 1'000'000) == STATUS_TIMEOUT); // it was taken, and does not come again
        REQUIRE(ZwSetTimer(other, &due, nullptr, nullptr, FALSE, 1, nullptr) == STATUS_SUCCESS);
        for (int i = 0; i < 3; ++i) CHECK(wait(timer, 1'000'000) == STATUS_SUCCESS);
        CHECK(ZwCancelTimer(other, &state) == STATUS_SUCCESS);
        CHECK(wait(timer, 1'000'000) == STATUS_TIMEOUT);
        REQUIRE(ZwSetTimer(other, &due, nullptr, nullptr, FALSE, 0, nullptr) == STATUS_SUCCESS);
        LARGE_INTEGER pause;
        pause.QuadPart = -20'000'000;
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        CHECK(ZwCancelTimer(other, &state) == STATUS_SUCCESS);
        CHECK(state == TRUE);
        due.QuadPart = -1'000'000;
        REQUIRE(NtSetTimer(other, &due, nullptr, nullptr, FALSE, 10, nullptr) == STATUS_SUCCESS);
        ZwClose(timer);
        ZwClose(other);
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        REQUIRE(NtCreateTimer(&timer, TIMER_ALL_ACCESS, named.get(), NotificationTimer) == STATUS_SUCCESS);
        CHECK(NtOpenTimer(&other, TIMER_QUERY_STATE, named.get()) == STATUS_SUCCESS);
        CHECK(NtCancelTimer(timer, &state) == STATUS_SUCCESS);
        CHECK(state == FALSE);
        ZwClose(timer);
        ZwClose(other);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ServiceFixture, "what an object is asked: its counts, its name, its type, its handle's flags") {
    const auto stop = run([&] {
        const HANDLE handle = make_handle(test_type, Attributes(u"\\Device\\Thing", OBJ_INHERIT | OBJ_PERMANENT).get());
        HANDLE second = nullptr;
        void* body = nullptr;
        REQUIRE(ObReferenceObjectByHandle(handle, 0, nullptr, KernelMode, &body, nullptr) == STATUS_SUCCESS);
        REQUIRE(ObOpenObjectByPointer(body, 0, nullptr, test_read | test_write, nullptr, KernelMode, &second) ==
                STATUS_SUCCESS);
        PUBLIC_OBJECT_BASIC_INFORMATION basic{};
        ULONG needed = 0;
        CHECK(ZwQueryObject(handle, ObjectBasicInformation, &basic, sizeof basic - 1, &needed) ==
              STATUS_INFO_LENGTH_MISMATCH);
        CHECK(needed == sizeof basic);
        REQUIRE(ZwQueryObject(handle, ObjectBasicInformation, &basic, sizeof basic, &needed) == STATUS_SUCCESS);
        CHECK(basic.Attributes == (OBJ_INHERIT | OBJ_PERMANENT));
        CHECK(basic.GrantedAccess == test_read);
        CHECK(basic.HandleCount == 2);
        CHECK(basic.PointerCount == 4); // two handles, the directory, and `body`
        alignas(8) char buffer[64];
        const ULONG name_size = sizeof(UNICODE_STRING) + sizeof u"\\Device\\Thing";
        CHECK(ZwQueryObject(handle, ObjectNameInformation, buffer, name_size - 1, &needed) ==
              STATUS_INFO_LENGTH_MISMATCH);
        CHECK(needed == name_size);
        REQUIRE(ZwQueryObject(handle, ObjectNameInformation, buffer, name_size, &needed) == STATUS_SUCCESS);
        CHECK(view(*reinterpret_cast<UNICODE_STRING*>(buffer)) == u"\\Device\\Thing");
        CHECK(reinterpret_cast<UNICODE_STRING*>(buffer)->Buffer == reinterpret_cast<PWSTR>(buffer + 16));
        const HANDLE unnamed = make_handle(test_type);
        REQUIRE(ZwQueryObject(unnamed, ObjectNameInformation, buffer, sizeof buffer, &needed) == STATUS_SUCCESS);
        CHECK(reinterpret_cast<UNICODE_STRING*>(buffer)->Length == 0);
        CHECK(needed == sizeof(UNICODE_STRING));
        alignas(8) char type[128];
        CHECK(ZwQueryObject(handle, ObjectTypeInformation, type, 0x68 + 9, &needed) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(needed == 0x68 + sizeof u"Test");
        REQUIRE(ZwQueryObject(handle, ObjectTypeInformation, type, sizeof type, &needed) == STATUS_SUCCESS);
        CHECK(view(*reinterpret_cast<UNICODE_STRING*>(type)) == u"Test");
        CHECK(ZwQueryObject(handle, static_cast<OBJECT_INFORMATION_CLASS>(77), type, sizeof type, &needed) ==
              STATUS_INVALID_INFO_CLASS);
        CHECK(ZwQueryObject(nullptr, ObjectBasicInformation, &basic, sizeof basic, nullptr) == STATUS_INVALID_HANDLE);
        Flags flags{};
        REQUIRE(ZwQueryObject(handle, static_cast<OBJECT_INFORMATION_CLASS>(handle_flags), &flags, sizeof flags,
                              nullptr) == STATUS_SUCCESS);
        CHECK(flags.inherit);
        CHECK_FALSE(flags.protect);
        CHECK(ZwMakeTemporaryObject(handle) == STATUS_SUCCESS);
        ObDereferenceObject(body);
        for (const HANDLE each : {handle, second, unnamed}) ZwClose(each);
        CHECK(seen.destroyed == 2);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ServiceFixture, "a handle is protected from being closed, and then not") {
    ke::Process& process = create_process();
    run([&] { REQUIRE(ob::create_handle_table(process)); });
    const auto stop = run_as_application(process, [&] {
        HANDLE event = nullptr;
        REQUIRE(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        Flags flags{TRUE, TRUE}, now{};
        const auto which = static_cast<OBJECT_INFORMATION_CLASS>(handle_flags);
        CHECK(NtSetInformationObject(event, which, &flags, 1) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(NtSetInformationObject(event, ObjectNameInformation, &flags, 2) == STATUS_INVALID_INFO_CLASS);
        CHECK(NtSetInformationObject(nullptr, which, &flags, 2) == STATUS_INVALID_HANDLE);
        CHECK(NtSetInformationObject(event, which, reinterpret_cast<PVOID>(machine().system_process), 2) ==
              STATUS_ACCESS_VIOLATION);
        REQUIRE(NtSetInformationObject(event, which, &flags, 2) == STATUS_SUCCESS);
        CHECK(NtClose(event) == STATUS_HANDLE_NOT_CLOSABLE);
        CHECK(NtQueryObject(event, which, &now, 2, nullptr) == STATUS_SUCCESS);
        CHECK(now.inherit);
        CHECK(now.protect);
        flags = {};
        REQUIRE(NtSetInformationObject(event, which, &flags, 2) == STATUS_SUCCESS);
        CHECK(NtClose(event) == STATUS_SUCCESS);
    });
    CHECK(stop.kind == ke::StopKind::none);
    const auto protected_by_kernel = run([] {
        HANDLE event = nullptr;
        ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        if (set_flags(event, {FALSE, TRUE}) == STATUS_SUCCESS) ZwClose(event);
    });
    CHECK(protected_by_kernel.code == INVALID_KERNEL_HANDLE);
    CHECK(protected_by_kernel.parameters[1] == 0);
}

TEST_CASE_METHOD(ServiceFixture, "a directory tells its names, as many as fit, from where it was left") {
    const auto stop = run([&] {
        HANDLE directory = nullptr, objects[5];
        REQUIRE(ZwCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, Attributes(u"\\List").get()) ==
                STATUS_SUCCESS);
        ULONG context = 99, needed = 99;
        alignas(8) char buffer[512];
        CHECK(ZwQueryDirectoryObject(directory, buffer, sizeof buffer, FALSE, TRUE, &context, &needed) ==
              STATUS_NO_MORE_ENTRIES);
        const char16_t* const names[] = {u"\\List\\one", u"\\List\\two", u"\\List\\three", u"\\List\\four",
                                         u"\\List\\five"};
        for (int i = 0; i < 5; ++i) objects[i] = make_handle(test_type, Attributes(names[i]).get());
        // All at once.
        REQUIRE(ZwQueryDirectoryObject(directory, buffer, sizeof buffer, FALSE, TRUE, &context, &needed) ==
                STATUS_SUCCESS);
        CHECK(context == 5);
        std::vector<std::u16string> all;
        for (auto* entry = reinterpret_cast<NameAndType*>(buffer); entry->name.Length != 0; ++entry) {
            all.emplace_back(view(entry->name));
            CHECK(view(entry->type) == u"Test");
            CHECK(entry->name.Buffer[entry->name.Length / 2] == 0);
        }
        REQUIRE(all.size() == 5);
        CHECK(ZwQueryDirectoryObject(directory, buffer, sizeof buffer, FALSE, FALSE, &context, &needed) ==
              STATUS_NO_MORE_ENTRIES);
        // One by one, and in the same order.
        context = 0;
        for (int i = 0; i < 5; ++i) {
            REQUIRE(ZwQueryDirectoryObject(directory, buffer, sizeof buffer, TRUE, i == 0, &context, &needed) ==
                    STATUS_SUCCESS);
            CHECK(view(reinterpret_cast<NameAndType*>(buffer)->name) == all[static_cast<std::size_t>(i)]);
        }
        // Some, and the rest.
        REQUIRE(ZwQueryDirectoryObject(directory, buffer, 150, FALSE, TRUE, &context, &needed) == STATUS_MORE_ENTRIES);
        CHECK(context > 0);
        CHECK(context < 5);
        CHECK(needed <= 150);
        CHECK(ZwQueryDirectoryObject(directory, buffer, 33, FALSE, FALSE, &context, &needed) ==
              STATUS_BUFFER_TOO_SMALL);
        CHECK(needed > 33);
        CHECK(ZwQueryDirectoryObject(objects[0], buffer, 512, FALSE, TRUE, &context, &needed) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        for (const HANDLE object : objects) ZwClose(object);
        ZwClose(directory);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ServiceFixture, "objects by name for drivers, and references to what may be going") {
    const auto stop = run([&] {
        const HANDLE handle = make_handle(test_type, Attributes(u"\\Device\\Named").get());
        UNICODE_STRING name = unicode(u"\\device\\NAMED");
        void* body = nullptr;
        CHECK(ObReferenceObjectByName(&name, OBJ_CASE_INSENSITIVE, nullptr, 0, nullptr, KernelMode, nullptr, &body) ==
              STATUS_SUCCESS);
        CHECK(ob::header_of(body).handle_count == 1);
        CHECK(ObReferenceObjectSafe(body));
        CHECK(ObReferenceObjectSafeWithTag(body, 0x74736554));
        for (int i = 0; i < 3; ++i) ObDereferenceObject(body);
        void* none = body;
        name = unicode(u"\\Device\\Missing");
        CHECK(ObReferenceObjectByName(&name, 0, nullptr, 0, nullptr, KernelMode, nullptr, &none) ==
              STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(none == nullptr);
        HANDLE opened = nullptr;
        CHECK(ObOpenObjectByName(Attributes(u"\\Device\\Named").get(), *ExEventObjectType, KernelMode, nullptr,
                                 test_read, nullptr, &opened) == STATUS_OBJECT_TYPE_MISMATCH);
        REQUIRE(ObOpenObjectByName(Attributes(u"\\Device\\Named").get(), nullptr, KernelMode, nullptr, test_write,
                                   nullptr, &opened) == STATUS_SUCCESS);
        ZwClose(opened);
        ZwClose(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

// An object that waits for its deletion at PASSIVE_LEVEL is not safe any more.
TEST_CASE_METHOD(ServiceFixture, "no safe reference is had to an object that is being deleted") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type);
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        ObDereferenceObject(object);
        const BOOLEAN safe = ObReferenceObjectSafe(object);
        KeLowerIrql(irql);
        CHECK_FALSE(safe);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
