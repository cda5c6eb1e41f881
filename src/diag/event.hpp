// What happened in a machine, as one stream of small records. The readable log, the journey of an IRP and what tests
// assert on are views of it.
#pragma once

#include <ntifs.h>

#include <cstdint>
#include <string_view>

namespace dirql::diag {

// Kinds in pairs begin and end a call: a record between the two on the same thread happened inside it.
enum class EventKind : std::uint8_t {
    // IRPs
    irp_allocated,
    irp_initialized, // IoInitializeIrp: in memory of the driver's
    irp_reused,      // IoReuseIrp: from now on another request. Recorded with `value`: its number before, or 0
    irp_call,        // IofCallDriver: into a dispatch routine of `object`
    irp_return,      // it returned `status`
    irp_complete,    // IofCompleteRequest, with `status`; `value`: IoStatus.Information
    irp_completion,  // a completion routine is called; `object`: its driver's device, null when the issuer has set it
    irp_completion_return,
    irp_cancel,   // IoCancelIrp
    packet_start, // IoStartPacket for `object`; `value`: 1 when the device was busy and it was queued
    irp_finished, // the issuer has its `status`
    irp_freed,
    // execution
    service_entry, // an application enters the kernel: `text` names the service
    service_exit,
    callout_entry, // any other driver routine: `text` names its kind
    callout_exit,  // with a `status` where `value` is 1
    thread_start,  // `text` is the thread's name
    thread_end,
    thread_switch, // `value` is the next thread's identifier, `text` its name
    wait_begin,    // the thread blocks; `object`: the first awaited, `major`: its DISPATCHER_HEADER::Type, `code`: how
                   // many there are, `minor`: WAIT_TYPE, `value`: when the wait times out, ns, or 0
    wait_end,      // `status`: what the wait returns
    irql_change,   // `value`: new level; `text`: by which export
    interrupt,     // a pending software interrupt of level `value` is taken
    dpc_queued,    // `value`: the target processor
    timer_expired, // `routine`: of the DPC that it queues
    apc_delivered, // `text`: its kind
    // objects
    object_named, // from now on `object`, of `value` bytes, is called `name`, or without one: the nth device of `other`
    object_deleted,
    driver_loaded, // `text`: the image
    driver_unloaded,
    pool_allocated, // `code`: tag, `value`: bytes
    pool_freed,
    debug_print,
    bug_check, // `text`: the rule
    count,
};

// What a door hands over. Fields that a kind does not use are zero.
struct Event {
    EventKind kind{};
    const void* irp = nullptr;
    const void* object = nullptr; // a device, a driver, a dispatcher object
    const void* other = nullptr;  // a second one
    const void* routine = nullptr;
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint32_t code = 0; // an I/O control code, a bug check code, a tag
    NTSTATUS status = 0;
    std::uint64_t value = 0;
    std::string_view text = {}; // copied when recorded, as is `name`
    const UNICODE_STRING* name = nullptr;
};

// When and where it happened: the recording door's processor tells.
struct Moment {
    std::uint64_t time = 0;   // ns
    std::uint64_t thread = 0; // identifier
    std::uint8_t processor = 0;
    KIRQL irql = 0;
    bool in_dpc = false; // the thread is only the one that was interrupted
    bool in_interrupt = false;
};

} // namespace dirql::diag
