// Asynchronous procedure calls: routines that run in the context of one particular thread.
//
//   special kernel   runs at APC_LEVEL as soon as the thread is below APC_LEVEL and in no guarded region
//   normal kernel    runs its NormalRoutine at PASSIVE_LEVEL, one at a time, and in no critical region
//   user             runs in user mode, in the application's code, on its stack: when the thread has waited alertably in user
//                    mode, before the service that waited returns
//
// How the I/O manager calls an application's APC routine: with the APC in the IRP,
//
//     initialize_apc(irp.Tail.Apc, thread, kernel_routine, rundown_routine, application_routine, UserMode, context);
//     insert_apc(irp.Tail.Apc, user_status_block, nullptr, increment);
//
// The kernel routine runs first, at APC_LEVEL, and frees the IRP; the rundown routine frees it when the thread ends before. Then
// application_routine(context, user_status_block, nullptr) runs as the application's own code would, previous mode and all.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// The routines of an APC. Public headers leave their places in KAPC::Reserved unnamed.
using NormalRoutine = void(NTAPI*)(PVOID context, PVOID argument1, PVOID argument2);
using KernelRoutine = void(NTAPI*)(PKAPC apc, NormalRoutine* normal, PVOID* context, PVOID* argument1,
                                   PVOID* argument2);
using RundownRoutine = void(NTAPI*)(PKAPC apc);

void initialize_apc(KAPC& apc, Thread& thread, KernelRoutine kernel, RundownRoutine rundown, NormalRoutine normal,
                    KPROCESSOR_MODE mode, void* context) noexcept;

// False when the APC is queued already or its thread has ended.
bool insert_apc(KAPC& apc, void* argument1, void* argument2, KPRIORITY increment) noexcept;
bool remove_apc(KAPC& apc) noexcept;

// Is there a kernel APC that the thread could take at PASSIVE_LEVEL?
[[nodiscard]] bool deliverable_kernel_apc(Thread& thread) noexcept;

// Delivers what the thread may take now. On the thread, at APC_LEVEL.
void deliver_kernel_apcs(Thread& thread) noexcept;

// A region ended: what it held back is requested.
void check_apcs_after_region(Thread& thread) noexcept;

// User APCs. For the door: takes the next one off the list and runs its kernel routine. In a service of the thread, PASSIVE_LEVEL.
// False when there is none.
struct UserCall {
    NormalRoutine routine; // null: the kernel routine wanted no more
    PVOID context;
    PVOID argument1;
    PVOID argument2;
};
[[nodiscard]] bool take_user_apc(Thread& thread, UserCall& call) noexcept;

// Alerts: end a wait that is alertable for this mode or, an alert for KernelMode, for either; else they are kept for the next.
// Both return whether one was kept already; the test takes it, and where there is none it makes user APCs pending.
bool alert_thread(Thread& thread, KPROCESSOR_MODE mode) noexcept;
bool test_alert(Thread& thread, KPROCESSOR_MODE mode) noexcept;

[[nodiscard]] inline bool apcs_disabled(const Thread& thread) noexcept {
    return thread.kernel_apc_disable != 0 || thread.special_apc_disable != 0;
}

} // namespace dirql::ke
