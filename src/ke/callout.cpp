#include "ke/callout.hpp"

#include "diag/trace.hpp"
#include "ke/stop.hpp"

namespace dirql::ke {
namespace {

std::uint64_t address_of(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

[[noreturn]] void irql_changed(const CalloutSite& site, KIRQL before, KIRQL after) noexcept {
    if (site.kind == CalloutKind::dispatch) {
        bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x05, address_of(site.device), before, after,
                  {.rule = "a dispatch routine returned at another IRQL than it was called at",
                   .document = "DRIVER_DISPATCH callback function (wdm.h)",
                   .irp = site.irp,
                   .device = site.device});
    }
    bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0002001D, address_of(site.routine), before, after,
              {.rule = "a driver routine returned at another IRQL than it was called at",
               .document = "IrqlReturn rule (wdm)",
               .irp = site.irp});
}

// The documented codes that tell where a region was left open.
std::uint32_t region_code(CalloutKind kind) noexcept {
    switch (kind) {
    case CalloutKind::fast_io: return 0xC6;
    case CalloutKind::completion: return 0xFB;
    default: return 0xC5;
    }
}

bool recorded_by_io(CalloutKind kind) noexcept {
    return kind == CalloutKind::dispatch || kind == CalloutKind::completion || kind == CalloutKind::driver_entry ||
           kind == CalloutKind::unload;
}

constexpr const char* kind_name(CalloutKind kind) noexcept {
    switch (kind) {
    case CalloutKind::driver_entry: return "DriverEntry";
    case CalloutKind::dispatch: return "dispatch";
    case CalloutKind::fast_io: return "fast I/O";
    case CalloutKind::completion: return "completion";
    case CalloutKind::cancel: return "cancel";
    case CalloutKind::start_io: return "StartIo";
    case CalloutKind::dpc: return "DPC";
    case CalloutKind::timer: return "IoTimer";
    case CalloutKind::work_item: return "work item";
    case CalloutKind::reinitialize: return "Reinitialize";
    case CalloutKind::unload: return "Unload";
    case CalloutKind::system_thread: return "system thread";
    case CalloutKind::other: return "callback";
    }
    return "callback";
}

} // namespace

void trace_callout_entry(const CalloutSite& site) noexcept {
    if (recorded_by_io(site.kind)) return;
    DIRQL_TRACE(callout_entry, .irp = site.irp, .object = site.device, .routine = site.routine,
                .text = kind_name(site.kind));
}

void trace_callout_exit(const CalloutSite& site, const NTSTATUS* status) noexcept {
    if (recorded_by_io(site.kind)) return;
    DIRQL_TRACE(callout_exit, .irp = site.irp, .object = site.device, .routine = site.routine,
                .status = status == nullptr ? 0 : *status, .value = status != nullptr, .text = kind_name(site.kind));
}

void callout_violation(const CalloutSite& site, CalloutState before) noexcept {
    const Processor* processor = current_processor();
    if (processor->held.count > before.held()) {
        const auto lock = processor->held.count <= HeldLocks::capacity
                              ? parameter(processor->held.lock[processor->held.count - 1])
                              : 0;
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00040009, address_of(site.routine), lock, processor->irql,
                  {.rule = "a driver routine returned with a spin lock held that it had acquired",
                   .document = "SpinLock rule (wdm)",
                   .irp = site.irp,
                   .device = site.device});
    }
    if (processor->irql != before.irql()) irql_changed(site, before.irql(), processor->irql);
    if (processor->held.count != before.held()) {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0004000A, address_of(site.routine), before.held(),
                  processor->held.count,
                  {.rule = "a driver routine released a spin lock that its caller holds",
                   .document = "SpinlockRelease rule (wdm)",
                   .irp = site.irp});
    }
    const std::uint32_t now = CalloutState::regions_of(*processor->current);
    bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, region_code(site.kind), address_of(site.routine), now,
              before.regions(),
              {.rule = "a driver routine returned inside a critical or guarded region that it had entered, or left one "
                       "of its caller's",
               .document = "CriticalRegions rule (wdm)",
               .irp = site.irp,
               .device = site.device});
}

void callout_budget_exceeded(Processor& processor) noexcept {
    const std::uint64_t allotment = processor.machine->options.callout_budget / clock_interval_ns;
    if (processor.irql < DISPATCH_LEVEL)
        stop_stalled("a driver routine has used up its budget of virtual time without returning or waiting");
    const bool in_dpc = processor.in_dpc != 0;
    bug_check(DPC_WATCHDOG_VIOLATION, in_dpc ? 0 : 1, allotment, in_dpc ? allotment : 0, 0,
              {.rule = in_dpc ? "a DPC routine ran longer than its allotment"
                              : "a driver stayed at DISPATCH_LEVEL or above longer than its allotment",
               .document = "Bug Check 0x133: DPC_WATCHDOG_VIOLATION"});
}

} // namespace dirql::ke
