// Each allocation that a function of the object manager makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "ke/machine.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/services.hpp"
#include "ps/ps.hpp"

#include <array>

using namespace dirql;
using namespace dirql::test;

TEST_CASE("objects and names, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING directory_name = unicode(u"\\LowDirectory");
        UNICODE_STRING link_name = unicode(u"\\LowDirectory\\Link");
        UNICODE_STRING event_name = unicode(u"\\LowDirectory\\Event");
        UNICODE_STRING target = unicode(u"\\Device\\Low");
        OBJECT_ATTRIBUTES attributes = named(&directory_name);
        HANDLE directory = nullptr;
        HANDLE link = nullptr;
        HANDLE event = nullptr;
        if (!memory.ok(ZwCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, &attributes))) return;
        attributes = named(&link_name);
        if (memory.ok(ZwCreateSymbolicLinkObject(&link, SYMBOLIC_LINK_ALL_ACCESS, &attributes, &target))) ZwClose(link);
        attributes = named(&event_name);
        if (memory.ok(ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE))) {
            void* object = nullptr;
            alignas(8) char buffer[256];
            ULONG length = 0;
            CHECK(ObReferenceObjectByHandle(event, 0, *ExEventObjectType, KernelMode, &object, nullptr) ==
                  STATUS_SUCCESS);
            (void)memory.ok(
                ObQueryNameString(object, reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer), sizeof buffer, &length));
            HANDLE second = nullptr;
            if (memory.ok(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, nullptr, EVENT_ALL_ACCESS,
                                                *ExEventObjectType, KernelMode, &second)))
                ZwClose(second);
            ObDereferenceObject(object);
            ZwClose(event);
        }
        UNICODE_STRING short_name = unicode(u"\\LowEvent");
        if (PKEVENT named_event = IoCreateSynchronizationEvent(&short_name, &event); memory.got(named_event))
            ZwClose(event);
        ZwClose(directory);
    });
    CHECK(made >= 6);
}

TEST_CASE("many handles, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static std::array<HANDLE, 600> handles;
        for (HANDLE& handle : handles) {
            OBJECT_ATTRIBUTES attributes = named(nullptr);
            handle = nullptr;
            if (!memory.ok(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE)))
                handle = nullptr;
            if (&handle >= &handles[2] && &handle < &handles[250]) { // the table grows at a few of them
                if (handle != nullptr) ZwClose(handle);
                handle = nullptr;
            }
            if (&handle >= &handles[300]) break;
        }
        for (HANDLE handle : handles) {
            if (handle != nullptr) ZwClose(handle);
        }
    });
    CHECK(made > 100);
}

namespace {

OB_PREOP_CALLBACK_STATUS NTAPI allow(PVOID, POB_PRE_OPERATION_INFORMATION) { return OB_PREOP_SUCCESS; }

void register_callbacks(const LowMemory& memory) {
    OB_OPERATION_REGISTRATION operation{PsProcessType, OB_OPERATION_HANDLE_CREATE, allow, nullptr};
    OB_CALLBACK_REGISTRATION registration{OB_FLT_REGISTRATION_VERSION, 1, unicode(u"1000"), nullptr, &operation};
    PVOID registered = nullptr;
    if (memory.ok(ObRegisterCallbacks(&registration, &registered))) ObUnRegisterCallbacks(registered);
}

void create_child(const LowMemory& memory) {
    ke::Machine& machine = ke::current_machine();
    ke::Process* process = nullptr;
    const ps::ProcessStart start{"Child", u"\\??\\C:\\child.exe", u"child", machine.system_process, true};
    if (!memory.ok(ps::create_process(machine, start, process))) return;
    PUNICODE_STRING name = nullptr;
    if (memory.ok(SeLocateProcessImageName(ps::as_eprocess(process), &name))) ExFreePool(name);
    OBJECT_ATTRIBUTES attributes = named(nullptr);
    CLIENT_ID client{PsGetProcessId(ps::as_eprocess(process)), nullptr};
    HANDLE handle = nullptr;
    if (memory.ok(ZwOpenProcess(&handle, PROCESS_ALL_ACCESS, &attributes, &client))) ZwClose(handle);
    ob::close_all_handles(*process);
    ob::dereference(process);
}

} // namespace

TEST_CASE("dispatcher objects, queries, callbacks and processes, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        const auto at = reinterpret_cast<std::uintptr_t>(allow);
        REQUIRE(ke::add_code_range(ke::current_machine(), {at, at + 1, "signed", true}));
        HANDLE semaphore = nullptr, mutant = nullptr, timer = nullptr, device = nullptr;
        UNICODE_STRING name = unicode(u"\\BaseNamedObjects\\Low");
        OBJECT_ATTRIBUTES attributes = named(&name, OBJ_INHERIT);
        if (memory.ok(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, &attributes, 1, 1))) {
            alignas(8) char buffer[128];
            ULONG length = 0;
            (void)memory.ok(ZwQueryObject(semaphore, ObjectNameInformation, buffer, sizeof buffer, &length));
            create_child(memory);
            ZwClose(semaphore);
        }
        if (memory.ok(NtCreateMutant(&mutant, 0x1F0001, nullptr, TRUE))) ZwClose(mutant);
        if (memory.ok(ZwCreateTimer(&timer, TIMER_ALL_ACCESS, nullptr, NotificationTimer))) ZwClose(timer);
        UNICODE_STRING directory = unicode(u"\\ObjectTypes");
        attributes = named(&directory);
        if (memory.ok(ZwOpenDirectoryObject(&device, DIRECTORY_QUERY, &attributes))) {
            alignas(8) static char names[4096];
            ULONG context = 0;
            (void)memory.ok(ZwQueryDirectoryObject(device, names, sizeof names, FALSE, TRUE, &context, nullptr));
            ZwClose(device);
        }
        register_callbacks(memory);
        ke::remove_code_range(ke::current_machine(), {at, at + 1, "signed", true});
    });
    CHECK(made >= 12);
}

TEST_CASE("callback objects, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING name = unicode(u"\\Callback\\Low");
        OBJECT_ATTRIBUTES attributes = named(&name);
        PCALLBACK_OBJECT object = nullptr;
        if (!memory.ok(ExCreateCallback(&object, &attributes, TRUE, TRUE))) return;
        PVOID registration = ExRegisterCallback(
            object, [](PVOID, PVOID, PVOID) {}, nullptr);
        if (memory.got(registration)) ExUnregisterCallback(registration);
        ObDereferenceObject(object);
    });
    CHECK(made >= 4);
}

TEST_CASE("opening by name, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING link_name = unicode(u"\\LowLink");
        UNICODE_STRING target = unicode(u"\\BaseNamedObjects\\LowTarget");
        OBJECT_ATTRIBUTES attributes = named(&link_name);
        HANDLE link = nullptr, event = nullptr, second = nullptr;
        if (!memory.ok(ZwCreateSymbolicLinkObject(&link, SYMBOLIC_LINK_ALL_ACCESS, &attributes, &target))) return;
        if (memory.ok(ZwOpenSymbolicLinkObject(&second, SYMBOLIC_LINK_QUERY, &attributes))) {
            char16_t room[64];
            UNICODE_STRING text{0, sizeof room, reinterpret_cast<PWCH>(room)};
            ULONG length = 0;
            (void)memory.ok(ZwQuerySymbolicLinkObject(second, &text, &length));
            ZwClose(second);
        }
        attributes = named(&target);
        if (memory.ok(ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE))) {
            attributes = named(&link_name);
            if (memory.ok(ZwOpenEvent(&second, EVENT_ALL_ACCESS, &attributes))) ZwClose(second); // through the link
            PVOID body = nullptr;
            if (memory.ok(ObReferenceObjectByName(&link_name, 0, nullptr, EVENT_ALL_ACCESS, *ExEventObjectType,
                                                  KernelMode, nullptr, &body)))
                ObDereferenceObject(body);
            if (memory.ok(ObOpenObjectByName(&attributes, *ExEventObjectType, KernelMode, nullptr, EVENT_ALL_ACCESS,
                                             nullptr, &second)))
                ZwClose(second);
            if (memory.ok(ZwMakeTemporaryObject(event))) ZwClose(event);
        }
        UNICODE_STRING timer_name = unicode(u"\\LowTimer");
        attributes = named(&timer_name);
        if (memory.ok(ZwCreateTimer(&event, TIMER_ALL_ACCESS, &attributes, NotificationTimer))) {
            if (memory.ok(ZwOpenTimer(&second, TIMER_ALL_ACCESS, &attributes))) ZwClose(second);
            ZwClose(event);
        }
        if (PKEVENT named_event = IoCreateNotificationEvent(&timer_name, &event); memory.got(named_event))
            ZwClose(event);
        ZwClose(link);
        UNICODE_STRING unprotected = unicode(u"\\DosDevices\\LowUnprotected");
        if (memory.ok(IoCreateUnprotectedSymbolicLink(&unprotected, &target)) &&
            !memory.ok(IoDeleteSymbolicLink(&unprotected)))
            CHECK(IoDeleteSymbolicLink(&unprotected) == STATUS_SUCCESS);
    });
    CHECK(made >= 20);
}
