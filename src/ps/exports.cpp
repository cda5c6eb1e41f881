// Who runs, and which thread or process that is.
#include "ke/exports/ps.hpp"
#include "ob/object.hpp"
#include "ps/lookup.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

ke::Process& process_at(PEPROCESS process) noexcept { return *reinterpret_cast<ke::Process*>(process); }
ke::Thread& thread_at(PETHREAD thread) noexcept { return *reinterpret_cast<ke::Thread*>(thread); }
HANDLE identifier(std::uint64_t id) noexcept { return reinterpret_cast<HANDLE>(id); }

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

// Behind the name PsInitialSystemProcess: a variable cannot tell machines apart.
PEPROCESS NTAPI dirql_initial_system_process(VOID) {
    DIRQL_CALLED(dirql_initial_system_process);
    return ps::as_eprocess(ke::current_machine().system_process);
}

PEPROCESS NTAPI IoGetCurrentProcess(VOID) {
    DIRQL_DOOR(IoGetCurrentProcess);
    return ps::as_eprocess(ke::current_thread()->process);
}

PEPROCESS NTAPI IoThreadToProcess(PETHREAD Thread) {
    DIRQL_DOOR(IoThreadToProcess);
    return ps::as_eprocess(&ps::process_of(ps::thread_at(Thread)));
}

HANDLE NTAPI PsGetCurrentProcessId(VOID) {
    DIRQL_DOOR(PsGetCurrentProcessId);
    return ps::identifier(ps::process_of(*ke::current_thread()).id);
}

HANDLE NTAPI PsGetCurrentThreadId(VOID) {
    DIRQL_DOOR(PsGetCurrentThreadId);
    return ps::identifier(ke::current_thread()->id);
}

HANDLE NTAPI PsGetProcessId(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessId);
    return ps::identifier(ps::process_at(Process).id);
}

HANDLE NTAPI PsGetThreadId(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadId);
    return ps::identifier(ps::thread_at(Thread).id);
}

HANDLE NTAPI PsGetThreadProcessId(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadProcessId);
    return ps::identifier(ps::process_of(ps::thread_at(Thread)).id);
}

PEPROCESS NTAPI PsGetThreadProcess(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadProcess);
    return ps::as_eprocess(&ps::process_of(ps::thread_at(Thread)));
}

// STATUS_PENDING while the process lives.
NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessExitStatus);
    return ps::object_of(ps::process_at(Process)).exit_status;
}

// STATUS_PENDING while the thread lives.
NTSTATUS NTAPI PsGetThreadExitStatus(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadExitStatus);
    return ps::thread_at(Thread).exit_status;
}

LONGLONG NTAPI PsGetProcessCreateTimeQuadPart(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessCreateTimeQuadPart);
    return ps::object_of(ps::process_at(Process)).create_time.QuadPart;
}

NTSTATUS NTAPI PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS* Process) {
    DIRQL_DOOR(PsLookupProcessByProcessId);
    ke::Process* process = ps::find_process(ProcessId);
    if (process == nullptr) return STATUS_INVALID_CID;
    ob::reference(process);
    *Process = ps::as_eprocess(process);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsLookupThreadByThreadId(HANDLE UniqueThreadId, PETHREAD* Thread) {
    DIRQL_DOOR(PsLookupThreadByThreadId);
    ke::Thread* thread = ps::find_thread(UniqueThreadId);
    if (thread == nullptr) return STATUS_INVALID_PARAMETER;
    ob::reference(thread);
    *Thread = ps::as_ethread(thread);
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI PsIsSystemThread(PETHREAD Thread) {
    DIRQL_DOOR(PsIsSystemThread);
    return ps::thread_at(Thread).is_system != 0;
}

BOOLEAN NTAPI PsIsSystemProcess(PEPROCESS Process) {
    DIRQL_DOOR(PsIsSystemProcess);
    return &ps::process_at(Process) == ke::current_machine().system_process;
}

BOOLEAN NTAPI PsIsThreadTerminating(PETHREAD Thread) {
    DIRQL_DOOR(PsIsThreadTerminating);
    return ps::object_of(ps::thread_at(Thread)).terminating;
}
}
