// What is known of a process or thread by handle.
#include "ke/exports/ps.hpp"
#include "ke/irql.hpp"
#include "ke/processor_group.hpp"
#include "ke/scheduler.hpp"
#include "ke/system_service.hpp"
#include "ke/wait.hpp"
#include "ob/answer.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

// Classes that ntddk.h leaves to others.
constexpr int process_times = 4;
constexpr int process_handle_count = 20;
constexpr int process_session = 24;
constexpr int thread_is_terminated = 20;

constexpr ACCESS_MASK query_limited_process = 0x1000;
constexpr ACCESS_MASK query_limited_thread = 0x0800;
constexpr ACCESS_MASK set_thread = THREAD_SET_INFORMATION;

struct ThreadBasic {
    NTSTATUS exit_status;
    void* teb;
    CLIENT_ID client;
    ULONG_PTR affinity;
    KPRIORITY priority;
    KPRIORITY base_priority;
};
static_assert(sizeof(ThreadBasic) == 0x30);

PROCESS_BASIC_INFORMATION basic(const ProcessObject& object) noexcept {
    PROCESS_BASIC_INFORMATION information{};
    information.ExitStatus = object.exit_status;
    information.AffinityMask = ke::all_processors();
    information.BasePriority = 8;
    information.UniqueProcessId = object.process.id;
    information.InheritedFromUniqueProcessId = object.parent_id;
    return information;
}

// Time is not split by mode, nor told of each thread: what ran is the machine's.
KERNEL_USER_TIMES times(LARGE_INTEGER created, LARGE_INTEGER ended) noexcept {
    KERNEL_USER_TIMES information{};
    information.CreateTime = created;
    information.ExitTime = ended;
    return information;
}

NTSTATUS answer_process(ProcessObject& object, int which, const ob::Answer& answer) noexcept {
    switch (which) {
    case ProcessBasicInformation: return answer.give(basic(object));
    case process_times: return answer.give(times(object.create_time, object.exit_time));
    case ProcessDebugPort:
    case ProcessWow64Information: return answer.give(ULONG_PTR{0});
    case process_handle_count: {
        const ob::HandleTable* table = ob::table_of(object.process);
        return answer.give(ULONG{table == nullptr ? 0 : table->count});
    }
    case process_session: return answer.give(session_of(object.process));
    case ProcessImageFileName:
        return answer.give_named(OBJECT_NAME_INFORMATION{}, &OBJECT_NAME_INFORMATION::Name,
                                 ob::view(object.image_name));
    case ProcessBreakOnTermination: return answer.give(ULONG{0});
    default: return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS answer_thread(ThreadObject& object, int which, const ob::Answer& answer) noexcept {
    const ke::Thread& thread = object.thread;
    switch (which) {
    case ThreadBasicInformation:
        return answer.give(ThreadBasic{thread.exit_status, nullptr, client_id_of(thread),
                                       thread.affinity & ke::all_processors(), thread.priority, thread.base_priority});
    case ThreadTimes: return answer.give(times(object.create_time, object.exit_time));
    case thread_is_terminated: return answer.give(ULONG{thread.state == ke::ThreadState::terminated});
    default: return STATUS_INVALID_INFO_CLASS;
    }
}

// Either right will do: whoever may know all may know a little.
template <class Object>
NTSTATUS query(HANDLE handle, ACCESS_MASK access, const ob::ObjectType& type, int which, const ob::Answer& answer,
               NTSTATUS (*give)(Object&, int, const ob::Answer&) noexcept) noexcept {
    void* body = nullptr;
    NTSTATUS status = ob::reference_by_handle(handle, access, &type, answer.mode, &body);
    if (!NT_SUCCESS(status)) return status;
    status = give(*static_cast<Object*>(body), which, answer);
    ob::dereference(body);
    return status;
}

NTSTATUS set_current_priority(ke::Thread& thread, LONG priority) noexcept {
    if (priority <= LOW_PRIORITY || priority > HIGH_PRIORITY) return STATUS_INVALID_PARAMETER;
    ke::set_priority(thread, priority);
    ke::reschedule_if_asked();
    return STATUS_SUCCESS;
}

// An increment to the process's priority; the class, real-time or not, stays.
NTSTATUS set_base_priority(ke::Thread& thread, LONG increment) noexcept {
    if (increment < -16 || increment > 16) return STATUS_INVALID_PARAMETER;
    if (increment > 2 && increment != 15 && increment != 16 && ke::previous_mode() != KernelMode)
        return STATUS_INVALID_PARAMETER;
    KeSetBasePriorityThread(ke::as_kthread(&thread), increment);
    return STATUS_SUCCESS;
}

NTSTATUS set_thread_information(HANDLE handle, int which, const void* from, ULONG length) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (which != ThreadPriority && which != ThreadBasePriority) return STATUS_INVALID_INFO_CLASS;
    if (length != sizeof(LONG)) return STATUS_INFO_LENGTH_MISMATCH;
    LONG value = 0;
    NTSTATUS status = ke::copy_in(value, static_cast<const LONG*>(from), mode);
    void* body = nullptr;
    if (NT_SUCCESS(status)) status = ob::reference_by_handle(handle, set_thread, &thread_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    ke::Thread& thread = static_cast<ThreadObject*>(body)->thread;
    status = which == ThreadPriority ? set_current_priority(thread, value) : set_base_priority(thread, value);
    ob::dereference(body);
    return status;
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS ProcessInformationClass,
                                         PVOID ProcessInformation, ULONG ProcessInformationLength,
                                         PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryInformationProcess);
        const ob::Answer answer{ProcessInformation, ProcessInformationLength, ReturnLength, ke::previous_mode()};
        return ps::query<ps::ProcessObject>(ProcessHandle, ps::query_limited_process, ps::process_type,
                                            static_cast<int>(ProcessInformationClass), answer, ps::answer_process);
    });
}

NTSTATUS NTAPI ZwQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS ProcessInformationClass,
                                         PVOID ProcessInformation, ULONG ProcessInformationLength,
                                         PULONG ReturnLength) {
    DIRQL_DOOR(ZwQueryInformationProcess);
    const ke::KernelModeCaller caller;
    return NtQueryInformationProcess(ProcessHandle, ProcessInformationClass, ProcessInformation,
                                     ProcessInformationLength, ReturnLength);
}

NTSTATUS NTAPI NtQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS ThreadInformationClass,
                                        PVOID ThreadInformation, ULONG ThreadInformationLength, PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryInformationThread);
        const ob::Answer answer{ThreadInformation, ThreadInformationLength, ReturnLength, ke::previous_mode()};
        return ps::query<ps::ThreadObject>(ThreadHandle, ps::query_limited_thread, ps::thread_type,
                                           static_cast<int>(ThreadInformationClass), answer, ps::answer_thread);
    });
}

NTSTATUS NTAPI ZwQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS ThreadInformationClass,
                                        PVOID ThreadInformation, ULONG ThreadInformationLength, PULONG ReturnLength) {
    DIRQL_DOOR(ZwQueryInformationThread);
    const ke::KernelModeCaller caller;
    return NtQueryInformationThread(ThreadHandle, ThreadInformationClass, ThreadInformation, ThreadInformationLength,
                                    ReturnLength);
}

NTSTATUS NTAPI NtSetInformationThread(HANDLE ThreadHandle, THREADINFOCLASS ThreadInformationClass,
                                      PVOID ThreadInformation, ULONG ThreadInformationLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetInformationThread);
        return ps::set_thread_information(ThreadHandle, static_cast<int>(ThreadInformationClass), ThreadInformation,
                                          ThreadInformationLength);
    });
}

NTSTATUS NTAPI ZwSetInformationThread(HANDLE ThreadHandle, THREADINFOCLASS ThreadInformationClass,
                                      PVOID ThreadInformation, ULONG ThreadInformationLength) {
    DIRQL_DOOR(ZwSetInformationThread);
    const ke::KernelModeCaller caller;
    return NtSetInformationThread(ThreadHandle, ThreadInformationClass, ThreadInformation, ThreadInformationLength);
}
}
