// Each allocation that a function of processes and threads makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("system threads, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        HANDLE thread = nullptr;
        OBJECT_ATTRIBUTES attributes = named(nullptr);
        if (!memory.ok(PsCreateSystemThread(
                &thread, THREAD_ALL_ACCESS, &attributes, nullptr, nullptr, [](PVOID) {}, nullptr)))
            return;
        (void)ZwWaitForSingleObject(thread, FALSE, nullptr);
        ZwClose(thread);
    });
    CHECK(made == 5); // the object, its stack, its list, that with a label, its descriptor
}

TEST_CASE("threads that drivers tie to themselves, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        HANDLE thread = nullptr;
        UNICODE_STRING none{};
        OBJECT_ATTRIBUTES attributes = named(&none);
        CLIENT_ID id{};
        if (!memory.ok(IoCreateSystemThread(
                low_device(), &thread, THREAD_ALL_ACCESS, nullptr, nullptr, &id, [](PVOID) {}, nullptr)))
            return;
        HANDLE second = nullptr;
        attributes.ObjectName = nullptr;
        if (memory.ok(ZwOpenThread(&second, THREAD_ALL_ACCESS, &attributes, &id))) ZwClose(second);
        if (memory.ok(ZwDuplicateObject(NtCurrentProcess(), thread, NtCurrentProcess(), &second, 0, OBJ_KERNEL_HANDLE,
                                        DUPLICATE_SAME_ACCESS)))
            ZwClose(second);
        (void)ZwWaitForSingleObject(thread, FALSE, nullptr);
        ZwClose(thread);
    });
    CHECK(made >= 3);
}

TEST_CASE("processes and threads of applications, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        ke::Machine& machine = ke::current_machine();
        ke::Process* process = nullptr;
        const ps::ProcessStart start{"Child", u"\\??\\C:\\child.exe", u"child", machine.system_process, true};
        if (!memory.ok(ps::create_process(machine, start, process))) return;
        alignas(8) char name[256];
        HANDLE handle = nullptr;
        if (memory.ok(ObOpenObjectByPointer(process, OBJ_KERNEL_HANDLE, nullptr, PROCESS_ALL_ACCESS, *PsProcessType,
                                            KernelMode, &handle))) {
            (void)memory.ok(ZwQueryInformationProcess(handle, ProcessImageFileName, name, sizeof name, nullptr));
            ZwClose(handle);
        }
        ke::Thread* thread = ps::create_application_thread(
            machine, *process, "Main", [](void*) {}, nullptr);
        if (memory.got(thread)) {
            (void)KeWaitForSingleObject(process, Executive, KernelMode, FALSE, nullptr);
            ob::dereference(thread);
        } else {
            ob::close_all_handles(*process);
        }
        ob::dereference(process);
    });
    CHECK(made >= 8);
}

namespace {

VOID NTAPI hear_of_process(HANDLE, HANDLE, BOOLEAN) {}
VOID NTAPI hear_of_thread(HANDLE, HANDLE, BOOLEAN) {}
VOID NTAPI hear_of_image(PUNICODE_STRING, HANDLE, PIMAGE_INFO) {}

} // namespace

// As many as there are places need no memory.
TEST_CASE("notify routines, each allocation failing once", "[low]") {
    (void)for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        if (memory.ok(PsSetCreateProcessNotifyRoutine(hear_of_process, FALSE)))
            CHECK(PsSetCreateProcessNotifyRoutine(hear_of_process, TRUE) == STATUS_SUCCESS);
        if (memory.ok(PsSetCreateThreadNotifyRoutine(hear_of_thread)))
            CHECK(PsRemoveCreateThreadNotifyRoutine(hear_of_thread) == STATUS_SUCCESS);
        if (memory.ok(PsSetLoadImageNotifyRoutine(hear_of_image)))
            CHECK(PsRemoveLoadImageNotifyRoutine(hear_of_image) == STATUS_SUCCESS);
    });
}
