// Threads that drivers make.
#include "ex/work_queue.hpp"
#include "ke/exports/ps.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/make_thread.hpp"
#include "ps/state.hpp"

namespace dirql::ps {
namespace {

constexpr ACCESS_MASK create_thread_access = 0x0002; // PROCESS_CREATE_THREAD
constexpr ULONG invalid_attributes = OBJ_PERMANENT | OBJ_EXCLUSIVE | OBJ_OPENIF;

// The process of the handle, or the system process; referenced.
NTSTATUS target_process(ke::Machine& machine, HANDLE handle, ke::Process*& process) noexcept {
    void* body = machine.system_process;
    if (handle == nullptr) {
        ob::reference(body);
    } else {
        const NTSTATUS status = ob::reference_by_handle(handle, create_thread_access, &process_type, KernelMode, &body);
        if (!NT_SUCCESS(status)) return status;
    }
    process = &static_cast<ProcessObject*>(body)->process;
    return object_of(*process).exiting || object_of(*process).terminated
               ? (ob::dereference(body), STATUS_PROCESS_IS_TERMINATING)
               : STATUS_SUCCESS;
}

// The handle is one of the kernel since Windows Vista, whatever the attributes say.
OBJECT_ATTRIBUTES kernel_attributes(const OBJECT_ATTRIBUTES* asked) noexcept {
    OBJECT_ATTRIBUTES attributes{};
    if (asked != nullptr) attributes = *asked;
    attributes.Length = sizeof attributes;
    attributes.Attributes |= OBJ_KERNEL_HANDLE;
    return attributes;
}

NTSTATUS start_with_handle(ke::Thread& thread, ACCESS_MASK access, PHANDLE handle, PCLIENT_ID client_id) noexcept {
    ob::reference(&thread); // the handle takes the creator's
    const NTSTATUS status = ob::insert_object(&thread, access, handle);
    if (NT_SUCCESS(status)) {
        if (client_id != nullptr) *client_id = client_id_of(thread);
        tell_of_system_thread(thread);
        launch_thread(thread);
    } else {
        abandon_thread(thread);
    }
    ob::dereference(&thread);
    return status;
}

NTSTATUS create_driver_thread(PHANDLE handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* asked, HANDLE process_handle,
                              PCLIENT_ID client_id, PKSTART_ROUTINE routine, PVOID context) noexcept {
    const OBJECT_ATTRIBUTES attributes = kernel_attributes(asked);
    if ((attributes.Attributes & invalid_attributes) != 0) return STATUS_INVALID_PARAMETER;
    ke::Machine& machine = ke::current_machine();
    ke::Process* process = nullptr;
    NTSTATUS status = target_process(machine, process_handle, process);
    if (!NT_SUCCESS(status)) return status;
    ke::Thread* thread =
        make_thread(machine, &attributes, {"System thread", process, normal_base_priority, routine, context, nullptr});
    status = thread == nullptr ? STATUS_INSUFFICIENT_RESOURCES : start_with_handle(*thread, access, handle, client_id);
    ob::dereference(process);
    return status;
}

void refuse_worker(const ke::Thread& thread) noexcept {
    if (!ex::is_worker_thread(thread)) return;
    ke::bug_check(ACTIVE_EX_WORKER_THREAD_TERMINATION, ke::parameter(&thread), 0, 0, 0,
                  {.rule = "a work item ended the worker thread that it ran in",
                   .document = "Bug Check 0xE9: ACTIVE_EX_WORKER_THREAD_TERMINATION"});
}

} // namespace

CLIENT_ID client_id_of(const ke::Thread& thread) noexcept {
    return {reinterpret_cast<HANDLE>(process_of(thread).id), reinterpret_cast<HANDLE>(thread.id)};
}

} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                                    PVOID StartContext) {
    DIRQL_DOOR(PsCreateSystemThread);
    const NTSTATUS status = ps::create_driver_thread(ThreadHandle, DesiredAccess, ObjectAttributes, ProcessHandle,
                                                     ClientId, StartRoutine, StartContext);
    ke::reschedule_if_asked();
    return status;
}

// Returns only to threads that are not system threads.
NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus) {
    DIRQL_DOOR(PsTerminateSystemThread);
    ke::Thread& self = *ke::current_thread();
    if (self.is_system == 0) return STATUS_INVALID_PARAMETER;
    ps::refuse_worker(self);
    ke::exit_current_thread(ExitStatus);
}
}
