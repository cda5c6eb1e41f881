// Notify routines, as drivers register them.
#include "ke/exports/ps.hpp"
#include "ps/notify_list.hpp"
#include "ps/state.hpp"

namespace dirql::ps {
namespace {

NotifyLists& lists() noexcept { return state_of(ke::current_machine()).notify; }
template <class Function> const void* address(Function* routine) noexcept {
    return reinterpret_cast<const void*>(routine);
}

NTSTATUS set_process_routine(const void* routine, NotifyKind kind, BOOLEAN remove) noexcept {
    NotifyList& list = lists().process;
    if (remove) return remove_routine(list, routine, kind) ? STATUS_SUCCESS : STATUS_PROCEDURE_NOT_FOUND;
    if (kind != NotifyKind::process && !ke::has_integrity(ke::current_machine(), routine)) return STATUS_ACCESS_DENIED;
    if (routine == nullptr || has_routine(list, routine, kind)) return STATUS_INVALID_PARAMETER;
    return add_routine(list, routine, kind) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS add_thread_routine(const void* routine, NotifyKind kind) noexcept {
    if (routine == nullptr) return STATUS_INVALID_PARAMETER;
    return add_routine(lists().thread, routine, kind) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS remove_thread_routine(const void* routine) noexcept {
    for (const NotifyKind kind : {NotifyKind::thread, NotifyKind::thread_in_itself, NotifyKind::thread_subsystems}) {
        if (remove_routine(lists().thread, routine, kind)) return STATUS_SUCCESS;
    }
    return STATUS_PROCEDURE_NOT_FOUND;
}

NTSTATUS add_image_routine(const void* routine) noexcept {
    if (routine == nullptr) return STATUS_INVALID_PARAMETER;
    return add_routine(lists().image, routine, NotifyKind::image) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, BOOLEAN Remove) {
    DIRQL_DOOR(PsSetCreateProcessNotifyRoutine);
    return ps::set_process_routine(ps::address(NotifyRoutine), ps::NotifyKind::process, Remove);
}

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine, BOOLEAN Remove) {
    DIRQL_DOOR(PsSetCreateProcessNotifyRoutineEx);
    return ps::set_process_routine(ps::address(NotifyRoutine), ps::NotifyKind::process_ex, Remove);
}

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType, PVOID NotifyInformation,
                                                  BOOLEAN Remove) {
    DIRQL_DOOR(PsSetCreateProcessNotifyRoutineEx2);
    if (NotifyType != PsCreateProcessNotifySubsystems) return STATUS_INVALID_PARAMETER;
    return ps::set_process_routine(NotifyInformation, ps::NotifyKind::process_subsystems, Remove);
}

NTSTATUS NTAPI PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine) {
    DIRQL_DOOR(PsSetCreateThreadNotifyRoutine);
    return ps::add_thread_routine(ps::address(NotifyRoutine), ps::NotifyKind::thread);
}

NTSTATUS NTAPI PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType, PVOID NotifyInformation) {
    DIRQL_DOOR(PsSetCreateThreadNotifyRoutineEx);
    switch (NotifyType) {
    case PsCreateThreadNotifyNonSystem:
        return ps::add_thread_routine(NotifyInformation, ps::NotifyKind::thread_in_itself);
    case PsCreateThreadNotifySubsystems:
        return ps::add_thread_routine(NotifyInformation, ps::NotifyKind::thread_subsystems);
    }
    return STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine) {
    DIRQL_DOOR(PsRemoveCreateThreadNotifyRoutine);
    return ps::remove_thread_routine(ps::address(NotifyRoutine));
}

NTSTATUS NTAPI PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine) {
    DIRQL_DOOR(PsSetLoadImageNotifyRoutine);
    return ps::add_image_routine(ps::address(NotifyRoutine));
}

// All images here are of one architecture, so the flag changes nothing.
NTSTATUS NTAPI PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, ULONG_PTR Flags) {
    DIRQL_DOOR(PsSetLoadImageNotifyRoutineEx);
    if ((Flags & ~ULONG_PTR{PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE}) != 0) return STATUS_INVALID_PARAMETER_2;
    return ps::add_image_routine(ps::address(NotifyRoutine));
}

NTSTATUS NTAPI PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine) {
    DIRQL_DOOR(PsRemoveLoadImageNotifyRoutine);
    return ps::remove_routine(ps::lists().image, ps::address(NotifyRoutine), ps::NotifyKind::image)
               ? STATUS_SUCCESS
               : STATUS_PROCEDURE_NOT_FOUND;
}
}
