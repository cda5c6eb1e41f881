// Threads in another process's address space.
//
// All arenas of a machine lie at addresses of their own, so what changes with an attachment is whose handles, whose arena for new
// memory and which current process the thread has. The process that it belongs to stays what it is.
#include "ke/exports/ps.hpp"
#include "ke/stop.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

// In a KAPC_STATE: the thread was in that process already, and nothing is undone.
PKPROCESS nothing_to_undo() noexcept { return reinterpret_cast<PKPROCESS>(std::uintptr_t{1}); }

enum : std::uint8_t { original_environment, attached_environment };

ThreadObject& self() noexcept { return object_of(*ke::current_thread()); }
ke::Process* process_at(PKPROCESS process) noexcept { return reinterpret_cast<ke::Process*>(process); }

[[noreturn]] void refuse(std::uint32_t code, PKPROCESS process, const char* rule, const char* document) noexcept {
    const ke::Processor& processor = *ke::current_processor();
    ke::bug_check(code, ke::parameter(process), ke::parameter(processor.current->process), is_attached(self().thread),
                  processor.in_dpc, {.rule = rule, .document = document});
}

void refuse_dpc(PKPROCESS process) noexcept {
    if (ke::current_processor()->in_dpc == 0) return;
    refuse(INVALID_PROCESS_ATTACH_ATTEMPT, process, "a DPC attached the thread that it interrupted to a process",
           "Bug Check 0x5: INVALID_PROCESS_ATTACH_ATTEMPT");
}

void attach(PKPROCESS process) noexcept {
    ThreadObject& object = self();
    object.thread.process = process_at(process);
    object.thread.apc_environment = attached_environment;
}

void detach_to(ke::Process* process) noexcept {
    ThreadObject& object = self();
    object.thread.apc_environment = process != nullptr ? attached_environment : original_environment;
    object.thread.process = process != nullptr ? process : object.own_process;
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

VOID NTAPI KeStackAttachProcess(PKPROCESS Process, PKAPC_STATE ApcState) {
    DIRQL_DOOR(KeStackAttachProcess);
    ps::refuse_dpc(Process);
    const ps::ThreadObject& object = ps::self();
    if (object.thread.process == ps::process_at(Process)) {
        ApcState->Process = ps::nothing_to_undo();
        return;
    }
    ApcState->Process = ps::is_attached(object.thread) ? reinterpret_cast<PKPROCESS>(object.thread.process) : nullptr;
    ps::attach(Process);
}

VOID NTAPI KeUnstackDetachProcess(PKAPC_STATE ApcState) {
    DIRQL_DOOR(KeUnstackDetachProcess);
    if (ApcState->Process == ps::nothing_to_undo()) return;
    if (!ps::is_attached(ps::self().thread)) {
        ps::refuse(INVALID_PROCESS_DETACH_ATTEMPT, ApcState->Process,
                   "a thread was detached that is not attached to a process",
                   "Bug Check 0x6: INVALID_PROCESS_DETACH_ATTEMPT");
    }
    ps::detach_to(ps::process_at(ApcState->Process));
}

VOID NTAPI KeAttachProcess(PKPROCESS Process) {
    DIRQL_DOOR(KeAttachProcess);
    ps::refuse_dpc(Process);
    const ps::ThreadObject& object = ps::self();
    if (object.thread.process == ps::process_at(Process)) return;
    if (ps::is_attached(object.thread)) {
        ps::refuse(INVALID_PROCESS_ATTACH_ATTEMPT, Process,
                   "a thread was attached to a process while it was attached to another",
                   "Bug Check 0x5: INVALID_PROCESS_ATTACH_ATTEMPT");
    }
    ps::attach(Process);
}

VOID NTAPI KeDetachProcess(VOID) {
    DIRQL_DOOR(KeDetachProcess);
    ps::detach_to(nullptr);
}
}
