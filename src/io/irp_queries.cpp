// What drivers ask of a request and of its thread, and small things that they set in them.
#include "io/driver.hpp"
#include "io/irp.hpp"
#include "io/requestor.hpp"
#include "io/state.hpp"
#include "ex/pool.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/thread.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

// IRP::Flags has the hint plus one in three bits; none of them: not set.
constexpr unsigned hint_shift = 17;
constexpr ULONG hint_mask = 7u << hint_shift;

constexpr UCHAR wdm_major = 6; // since Windows Vista
constexpr UCHAR wdm_minor = 0;

// A completion routine that the image waits for.
struct SafeCompletion {
    PDEVICE_OBJECT device;
    PIO_COMPLETION_ROUTINE routine;
    PVOID context;
};

// The routine may free the IRP. What holds the image is let go when it has returned.
NTSTATUS NTAPI call_safe_completion(PDEVICE_OBJECT device, PIRP irp, PVOID data) {
    const SafeCompletion call = *static_cast<SafeCompletion*>(data);
    ex::free_pool(data, 0);
    const NTSTATUS status =
        ke::callout({ke::CalloutKind::completion, reinterpret_cast<const void*>(call.routine), device, irp},
                    call.routine, device, irp, call.context);
    release_driver(call.device);
    return status;
}

// Severity counts: success, information, warning, error.
ULONG severity(NTSTATUS status) noexcept { return static_cast<ULONG>(status) >> 30; }

ke::Thread& thread_of(PETHREAD thread) noexcept { return *reinterpret_cast<ke::Thread*>(thread); }

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

// Room for an extension is no business of the caller's: none is there.
PIRP NTAPI IoAllocateIrpEx(PDEVICE_OBJECT DeviceObject, CCHAR StackSize, BOOLEAN ChargeQuota) {
    DIRQL_DOOR(IoAllocateIrpEx);
    UNREFERENCED_PARAMETER(DeviceObject);
    return allocate_irp_for(StackSize, ChargeQuota != FALSE);
}

NTSTATUS NTAPI IoSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine,
                                        PVOID Context, BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError,
                                        BOOLEAN InvokeOnCancel) {
    DIRQL_DOOR(IoSetCompletionRoutineEx);
    auto* call = static_cast<SafeCompletion*>(ex::allocate_pool(NonPagedPoolNx, sizeof(SafeCompletion), 'sUoI'));
    if (call == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    *call = {DeviceObject, CompletionRoutine, Context};
    hold_driver(DeviceObject);
    IoSetCompletionRoutine(Irp, call_safe_completion, call, InvokeOnSuccess, InvokeOnError, InvokeOnCancel);
    return STATUS_SUCCESS;
}

// "If both fail, the more severe"; STATUS_VERIFY_REQUIRED goes before all, STATUS_FT_READ_FROM_COPY behind.
VOID NTAPI IoSetMasterIrpStatus(PIRP MasterIrp, NTSTATUS Status) {
    DIRQL_DOOR(IoSetMasterIrpStatus);
    NTSTATUS& master = MasterIrp->IoStatus.Status;
    if (Status == STATUS_FT_READ_FROM_COPY) return;
    const bool worse = !NT_SUCCESS(Status) && severity(Status) > severity(master);
    if (Status == STATUS_VERIFY_REQUIRED || worse) master = Status;
}

// Of what is not a customer's, the reserved bit is clear, and a success has no facility's number out of range.
BOOLEAN NTAPI IoIsValidIrpStatus(NTSTATUS Status) {
    DIRQL_DOOR(IoIsValidIrpStatus);
    const auto bits = static_cast<ULONG>(Status);
    constexpr ULONG customer = 0x2000'0000;
    constexpr ULONG reserved = 0x1000'0000;
    constexpr ULONG facilities = 0x0FFF;
    constexpr ULONG highest_facility = 0xEB; // FACILITY_MAXIMUM_VALUE
    if ((bits & customer) != 0) return TRUE;
    return (bits & reserved) == 0 && (bits >> 16 & facilities) < highest_facility;
}

PIRP NTAPI IoGetTopLevelIrp(VOID) {
    DIRQL_DOOR(IoGetTopLevelIrp);
    return ke::current_thread()->io.top_level_irp;
}

VOID NTAPI IoSetTopLevelIrp(PIRP Irp) {
    DIRQL_DOOR(IoSetTopLevelIrp);
    ke::current_thread()->io.top_level_irp = Irp;
}

PDEVICE_OBJECT NTAPI IoGetDeviceToVerify(PETHREAD Thread) {
    DIRQL_DOOR(IoGetDeviceToVerify);
    return thread_of(Thread).io.device_to_verify;
}

VOID NTAPI IoSetDeviceToVerify(PETHREAD Thread, PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoSetDeviceToVerify);
    thread_of(Thread).io.device_to_verify = DeviceObject;
}

VOID NTAPI IoSetHardErrorOrVerifyDevice(PIRP Irp, PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoSetHardErrorOrVerifyDevice);
    thread_of(Irp->Tail.Overlay.Thread).io.device_to_verify = DeviceObject;
}

// Every process is a 64-bit one.
BOOLEAN NTAPI IoIs32bitProcess(PIRP Irp) {
    DIRQL_DOOR(IoIs32bitProcess);
    UNREFERENCED_PARAMETER(Irp);
    return FALSE;
}

ULONG NTAPI IoGetRequestorProcessId(PIRP Irp) {
    DIRQL_DOOR(IoGetRequestorProcessId);
    const ke::Process* process = requestor_process(Irp);
    return process == nullptr ? 0 : static_cast<ULONG>(process->id);
}

NTSTATUS NTAPI IoGetRequestorSessionId(PIRP Irp, PULONG pSessionId) {
    DIRQL_DOOR(IoGetRequestorSessionId);
    *pSessionId = ~0u;
    if (Irp->Tail.Overlay.Thread == nullptr) return STATUS_UNSUCCESSFUL;
    *pSessionId = ps::session_of(*thread_of(Irp->Tail.Overlay.Thread).process);
    return STATUS_SUCCESS;
}

IO_PRIORITY_HINT NTAPI IoGetIoPriorityHint(PIRP Irp) {
    DIRQL_DOOR(IoGetIoPriorityHint);
    const ULONG hint = (Irp->Flags & hint_mask) >> hint_shift;
    return hint == 0 ? IoPriorityNormal : static_cast<IO_PRIORITY_HINT>(hint - 1);
}

NTSTATUS NTAPI IoSetIoPriorityHint(PIRP Irp, IO_PRIORITY_HINT PriorityHint) {
    DIRQL_DOOR(IoSetIoPriorityHint);
    if (static_cast<ULONG>(PriorityHint) >= MaxIoPriorityTypes) return STATUS_INVALID_PARAMETER;
    Irp->Flags = (Irp->Flags & ~hint_mask) | (static_cast<ULONG>(PriorityHint) + 1) << hint_shift;
    return STATUS_SUCCESS;
}

IO_PAGING_PRIORITY NTAPI IoGetPagingIoPriority(PIRP Irp) {
    DIRQL_DOOR(IoGetPagingIoPriority);
    if ((Irp->Flags & IRP_PAGING_IO) == 0) return IoPagingPriorityInvalid;
    return (Irp->Flags & hint_mask) >> hint_shift > IoPriorityNormal + 1 ? IoPagingPriorityHigh
                                                                         : IoPagingPriorityNormal;
}

PCONFIGURATION_INFORMATION NTAPI IoGetConfigurationInformation(VOID) {
    DIRQL_DOOR(IoGetConfigurationInformation);
    return &state().configuration;
}

BOOLEAN NTAPI IoIsWdmVersionAvailable(UCHAR MajorVersion, UCHAR MinorVersion) {
    DIRQL_DOOR(IoIsWdmVersionAvailable);
    return MajorVersion < wdm_major || (MajorVersion == wdm_major && MinorVersion <= wdm_minor);
}

// A file object's extension is where one would be; no open is transacted.
PTXN_PARAMETER_BLOCK NTAPI IoGetTransactionParameterBlock(PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoGetTransactionParameterBlock);
    UNREFERENCED_PARAMETER(FileObject);
    return nullptr;
}
}
