// Asynchronous procedure calls: routines that run in the context of one particular thread.
//
//   special kernel   runs at APC_LEVEL as soon as the thread is below APC_LEVEL and in no guarded region
//   normal kernel    runs its NormalRoutine at PASSIVE_LEVEL, one at a time, and in no critical region
//   user             when the thread waits alertably in user mode
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

[[nodiscard]] inline bool apcs_disabled(const Thread& thread) noexcept {
    return thread.kernel_apc_disable != 0 || thread.special_apc_disable != 0;
}

} // namespace dirql::ke
