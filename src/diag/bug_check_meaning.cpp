#include "diag/bug_check_meaning.hpp"

#include <algorithm>
#include <iterator>

#include <ntifs.h>

namespace dirql::diag {
namespace {

constexpr BugCheckMeaning meanings[] = {
    {APC_INDEX_MISMATCH,
     "a thread must leave each critical or guarded region that it enters",
     {"the system call or worker routine", "the thread's ApcStateIndex", "its disable counts: special << 16 | kernel",
      "0: a system call, 1: a worker routine"}},
    {IRQL_NOT_LESS_OR_EQUAL,
     "memory that is pageable or invalid must not be touched at DISPATCH_LEVEL or above",
     {"the address touched", "the IRQL", "0 read, 1 write, 8 execute", "the instruction"}},
    {SPIN_LOCK_ALREADY_OWNED,
     "a spin lock must not be acquired by the processor that holds it",
     {"the spin lock", "", "", ""}},
    {SPIN_LOCK_NOT_OWNED, "only the holder of a spin lock may release it", {"the spin lock", "", "", ""}},
    {REFERENCE_BY_POINTER,
     "an object's references must balance",
     {"the object's type", "the object", "", "its reference count"}},
    {BAD_POOL_HEADER, "memory beside a pool block was overwritten", {"what was found", "", "", ""}},
    {MEMORY_MANAGEMENT, "the memory manager found its data inconsistent", {"what was found", "", "", ""}},
    {KMODE_EXCEPTION_NOT_HANDLED,
     "an exception in a DPC or an interrupt service routine must be handled",
     {"the exception", "the instruction", "exception parameter 0", "exception parameter 1"}},
    {KERNEL_APC_PENDING_DURING_EXIT,
     "a thread must end with APCs enabled and none pending",
     {"the APC", "the thread's disable count", "the IRQL", ""}},
    {NO_MORE_IRP_STACK_LOCATIONS,
     "an IRP must not be passed to more drivers than it has stack locations for",
     {"the IRP", "", "", ""}},
    {SYSTEM_SERVICE_EXCEPTION,
     "an exception in a system service must be handled",
     {"the exception", "the instruction", "the context record", ""}},
    {MULTIPLE_IRP_COMPLETE_REQUESTS, "an IRP must be completed once", {"the IRP", "", "", ""}},
    {CANCEL_STATE_IN_COMPLETED_IRP,
     "a completed IRP must have no cancel routine, and must not be cancelled",
     {"the IRP", "the cancel routine", "", ""}},
    {IRQL_GT_ZERO_AT_SYSTEM_SERVICE,
     "a system service must return to user mode at PASSIVE_LEVEL",
     {"the system call", "the IRQL", "", ""}},
    {PAGE_FAULT_IN_NONPAGED_AREA,
     "invalid system memory must not be touched",
     {"the address touched", "0 read, 2 write, 0x10 execute", "the instruction", ""}},
    {PROCESS_HAS_LOCKED_PAGES,
     "a driver must unlock each page that it locks, before the process ends",
     {"", "the process", "the number of locked pages", ""}},
    {SYSTEM_THREAD_EXCEPTION_NOT_HANDLED,
     "an exception in a system thread must be handled",
     {"the exception", "the instruction", "the exception record", "the context record"}},
    {UNEXPECTED_KERNEL_MODE_TRAP,
     "the processor met a trap that the kernel cannot handle",
     {"the trap; 8: a stack overflow", "the end of the stack", "", "the instruction"}},
    {INVALID_KERNEL_HANDLE, "kernel code must close only handles that it opened", {"the handle", "", "", ""}},
    {ATTEMPTED_SWITCH_FROM_DPC, "a DPC routine must not wait", {"the thread that was interrupted", "the DPC", "", ""}},
    {BAD_POOL_CALLER, "a pool block must be allocated and freed by the rules", {"what was wrong", "", "", ""}},
    {DRIVER_VERIFIER_DETECTED_VIOLATION,
     "a driver broke a rule that Driver Verifier checks",
     {"which rule", "", "", ""}},
    {DRIVER_CAUGHT_MODIFYING_FREED_POOL,
     "freed pool memory must not be touched",
     {"the address touched", "0 read, 1 write", "0 kernel mode, 1 user mode", "4"}},
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION,
     "a driver broke a rule of I/O that Driver Verifier checks",
     {"which rule", "", "", ""}},
    {DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS,
     "a driver must undo what it has set going before it is unloaded",
     {"", "", "", ""}},
    {DRIVER_IRQL_NOT_LESS_OR_EQUAL,
     "a driver must not touch pageable or invalid memory at DISPATCH_LEVEL or above",
     {"the address touched", "the IRQL", "0 read, 1 write, 8 execute", "the instruction"}},
    {MANUALLY_INITIATED_CRASH, "somebody asked for it", {"", "", "", ""}},
    {RESOURCE_NOT_OWNED,
     "a resource must be released for the owner that acquired it",
     {"the resource", "the owner", "the table of owners", ""}},
    {WORKER_INVALID,
     "a work item must not be freed, initialised or queued again while it is queued",
     {"what was found", "", "", ""}},
    {RESOURCE_OWNER_POINTER_INVALID,
     "the two lowest bits of a resource's owner pointer must be set",
     {"the resource", "the table of owners", "the thread", "the owner pointer"}},
    {DPC_WATCHDOG_VIOLATION,
     "a processor must not stay at DISPATCH_LEVEL or above for long",
     {"0: a single DPC, 1: all the time at DISPATCH_LEVEL or above", "", "", ""}},
    {KERNEL_SECURITY_CHECK_FAILURE,
     "a data structure that guards itself was found corrupt",
     {"what was corrupt; 3: a LIST_ENTRY, 14: a reference count", "the trap frame", "the exception record", ""}},
    {KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE,
     "a lock must be released by the thread that acquired it",
     {"the thread", "the lock", "the session", ""}},
    {THREAD_TERMINATE_HELD_MUTEX, "a thread must not end while it owns a mutex", {"the thread", "the mutex", "", ""}},
};

struct RoutineRule {
    std::uint32_t code;
    std::uint64_t parameter1;
};

// What is checked when a routine of a driver has returned.
constexpr RoutineRule routine_rules[] = {
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0xC5},       // a critical or guarded region was left open
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0xC6},       // by a fast I/O routine
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0xFB},       // by a completion routine
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0002001D}, // another IRQL
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00040003}, // a critical region, by a cancel routine
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00040009}, // a spin lock was kept
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0004000A}, // the caller's spin lock was released
    {DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0004000E}, // a guarded region, by a cancel routine
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x225},     // a dispatch routine returned what is no status
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x226},     // neither completed the IRP nor returned STATUS_PENDING
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x228},     // a completion routine did not mark the IRP pending
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x23D},     // STATUS_PENDING, and the IRP was not marked
    {DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x23E},     // the IRP was marked, and another status
};

static_assert(std::ranges::is_sorted(meanings, {}, &BugCheckMeaning::code), "searched by halving");

} // namespace

const BugCheckMeaning* bug_check_meaning(std::uint32_t code) noexcept {
    const auto found = std::ranges::lower_bound(meanings, code, {}, &BugCheckMeaning::code);
    return found != std::end(meanings) && found->code == code ? &*found : nullptr;
}

bool is_routine_at_fault(std::uint32_t code, std::uint64_t parameter1) noexcept {
    return std::ranges::any_of(
        routine_rules, [&](const RoutineRule& rule) { return rule.code == code && rule.parameter1 == parameter1; });
}

} // namespace dirql::diag
