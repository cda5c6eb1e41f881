// Threads that belong to a device or driver object: its driver's image stays until they have ended.
#include "io/system_thread.hpp"

#include "ex/pool.hpp"
#include "io/driver.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io_queue.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

struct SystemThread {
    PVOID object;
    PKSTART_ROUTINE routine;
    PVOID context;
};

// The routine may return, or end its thread itself: both lead to end_system_thread.
VOID NTAPI run_system_thread(PVOID data) {
    const SystemThread& thread = *static_cast<SystemThread*>(data);
    ke::current_thread()->io.system_thread = data;
    ke::callout({ke::CalloutKind::system_thread, reinterpret_cast<const void*>(thread.routine)}, thread.routine,
                thread.context);
}

void let_go(SystemThread* thread) noexcept {
    PVOID object = thread->object;
    ex::free_pool(thread, 0);
    release_driver(object);
}

} // namespace

void end_system_thread(ke::Thread& thread) noexcept {
    if (thread.io.system_thread != nullptr) let_go(static_cast<SystemThread*>(thread.io.system_thread));
    thread.io.system_thread = nullptr;
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" NTSTATUS NTAPI IoCreateSystemThread(PVOID IoObject, PHANDLE ThreadHandle, ULONG DesiredAccess,
                                               POBJECT_ATTRIBUTES ObjectAttributes, HANDLE ProcessHandle,
                                               PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext) {
    DIRQL_DOOR(IoCreateSystemThread);
    auto* thread = static_cast<SystemThread*>(ex::allocate_pool(NonPagedPoolNx, sizeof(SystemThread), 'hToI'));
    if (thread == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    *thread = {IoObject, StartRoutine, StartContext};
    hold_driver(IoObject);
    const NTSTATUS status = PsCreateSystemThread(ThreadHandle, DesiredAccess, ObjectAttributes, ProcessHandle, ClientId,
                                                 run_system_thread, thread);
    if (!NT_SUCCESS(status)) let_go(thread);
    return status;
}
