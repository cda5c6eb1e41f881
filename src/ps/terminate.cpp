// The end of a process by somebody's word.
//
// Each of its application threads ends on its way out of the kernel: what waits for user mode stops waiting, and the thread's own code
// unwinds (ke::terminate_thread). Kernel code is never cut off. The exit status is the one given.
#include "ke/exports/ps.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ke/wait.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "ps/services.hpp"
#include "ps/state.hpp"

namespace dirql::ps {
namespace {

void end_threads(ke::Process& process, NTSTATUS status, const ke::Thread* spared) noexcept {
    for (LIST_ENTRY* e = process.threads.Flink; e != &process.threads; e = e->Flink) {
        ke::Thread& thread = *CONTAINING_RECORD(e, ke::Thread, process_entry);
        if (&thread == spared || thread.is_system != 0 || thread.state == ke::ThreadState::terminated) continue;
        object_of(thread).asked_status = status;
        ke::terminate_thread(thread);
    }
}

NTSTATUS terminate(ke::Process& process, NTSTATUS status) noexcept {
    ProcessObject& object = object_of(process);
    if (&process == ke::current_machine().system_process) return STATUS_ACCESS_DENIED;
    if (object.exiting || object.terminated) return STATUS_PROCESS_IS_TERMINATING;
    object.terminated = true;
    object.exit_status = status;
    if (object.live_threads == 0) {
        exit_process(process, status);
    } else {
        end_threads(process, status, nullptr);
        if (auto* cancel = state_of(ke::current_machine()).io.process_terminated) cancel(process);
    }
    ke::reschedule_if_asked();
    return STATUS_SUCCESS;
}

// Without a handle: all threads of the own process but the caller.
NTSTATUS terminate_by_handle(HANDLE handle, NTSTATUS status) noexcept {
    if (handle == nullptr) {
        end_threads(process_of(*ke::current_thread()), status, ke::current_thread());
        return STATUS_SUCCESS;
    }
    void* body = nullptr;
    NTSTATUS done = ob::reference_by_handle(handle, PROCESS_TERMINATE, &process_type, ke::previous_mode(), &body);
    if (!NT_SUCCESS(done)) return done;
    done = terminate(static_cast<ProcessObject*>(body)->process, status);
    ob::dereference(body);
    return done;
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtTerminateProcess(HANDLE ProcessHandle, NTSTATUS ExitStatus) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtTerminateProcess);
        return ps::terminate_by_handle(ProcessHandle, ExitStatus);
    });
}

NTSTATUS NTAPI ZwTerminateProcess(HANDLE ProcessHandle, NTSTATUS ExitStatus) {
    DIRQL_DOOR(ZwTerminateProcess);
    const ke::KernelModeCaller caller;
    return NtTerminateProcess(ProcessHandle, ExitStatus);
}
}
