// Remove locks: how many are at work on a device, and a wait until nobody is.
//
// A driver's build decides the layout, and tells it by the size it passes: with DBG a second block follows, in which each
// acquisition leaves a record of its tag, its place and its time. A release that matches no record stops the machine; a lock that is
// held too often or too long is told of in the debug output. Without the block only the count can be held to account.
//
// IoCount: one, and one for each acquisition. IoReleaseRemoveLockAndWait drops its own acquisition and that one, so the last
// to release brings it to zero and signals the waiter. Kernel code is atomic between two doors: the records need no lock.
#include "ex/pool.hpp"
#include "io/device.hpp"
#include "io/state.hpp"
#include "io/driver.hpp"
#include "ke/clock.hpp"
#include "ke/debug_print.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "rtl/format.hpp"

#include <cstdarg>
#include <cstddef>
#include <string_view>

// A driver's acquisition under way: the system's own layout, behind a pointer in the block for debugging.
struct _IO_REMOVE_LOCK_TRACKING_BLOCK {
    PIO_REMOVE_LOCK_TRACKING_BLOCK next;
    PVOID tag;
    LARGE_INTEGER since; // in clock ticks
    PCSTR file;
    ULONG line;
};

namespace dirql::io {
namespace {

using Common = IO_REMOVE_LOCK_COMMON_BLOCK;
using Debug = IO_REMOVE_LOCK_DBG_BLOCK;
using Record = _IO_REMOVE_LOCK_TRACKING_BLOCK;

// Both layouts, whichever this file was compiled with.
struct CheckedLock {
    Common common;
    Debug debug;
};
static_assert(sizeof(Common) == 0x20 && offsetof(CheckedLock, debug) == 0x20);

constexpr LONG signature = 0x4C4F4352; // 'RCOL'
constexpr ULONGLONG ticks_per_minute = 60'000'000'000ull / ke::clock_interval_ns;

Common& common_of(PIO_REMOVE_LOCK lock) noexcept { return *reinterpret_cast<Common*>(lock); }

// Null in a driver's free build.
Debug* debug_of(PIO_REMOVE_LOCK lock, ULONG size) noexcept {
    return size >= sizeof(CheckedLock) ? &reinterpret_cast<CheckedLock*>(lock)->debug : nullptr;
}

// The format is Microsoft's.
[[gnu::cold]] void report(const char* format, ...) noexcept {
    char text[320];
    std::va_list arguments;
    va_start(arguments, format);
    rtl::TextSink<char> sink(text, sizeof text);
    rtl::format_message(sink, format, arguments);
    va_end(arguments);
    ke::debug_print({text, sink.stored()});
}

[[noreturn, gnu::cold]] void wrong_release(PIO_REMOVE_LOCK lock, PVOID tag, const char* rule) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xD5, ke::parameter(lock), ke::parameter(tag), 0,
                  {.rule = rule, .document = "IoReleaseRemoveLock macro (wdm.h)"});
}

[[noreturn, gnu::cold]] void wrong_last_release(PIO_REMOVE_LOCK lock, PVOID tag, const Record* record,
                                                const char* rule) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xD6, ke::parameter(lock), ke::parameter(tag),
                  record == nullptr ? 0 : ke::parameter(record->tag),
                  {.rule = rule, .document = "IoReleaseRemoveLockAndWait macro (wdm.h)"});
}

// A device extension is zeroed when it is made, so a lock that is seen whole in one was initialised there. Elsewhere memory may
// be used again, and nothing is said.
bool in_device_extension(const void* lock) noexcept {
    const auto* at = static_cast<const std::byte*>(lock);
    LIST_ENTRY& drivers = state().drivers;
    for (LIST_ENTRY* e = drivers.Flink; e != &drivers; e = e->Flink) {
        PDRIVER_OBJECT driver = reinterpret_cast<PDRIVER_OBJECT>(CONTAINING_RECORD(e, DriverState, entry)) - 1;
        for (PDEVICE_OBJECT device = driver->DeviceObject; device != nullptr; device = device->NextDevice) {
            const auto* begin = static_cast<const std::byte*>(device->DeviceExtension);
            const auto* end = reinterpret_cast<const std::byte*>(device) + device->Size;
            if (begin != nullptr && at >= begin && at < end) return true;
        }
    }
    return false;
}

bool looks_initialized(const Common& common) noexcept {
    const DISPATCHER_HEADER& event = common.RemoveEvent.Header;
    return event.Size == sizeof(KEVENT) / sizeof(ULONG) && event.WaitListHead.Flink == &event.WaitListHead &&
           event.WaitListHead.Blink == &event.WaitListHead;
}

[[noreturn, gnu::cold]] void initialized_again(PIO_REMOVE_LOCK lock) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xD7, 0, ke::parameter(lock), 0,
                  {.rule = "a remove lock was initialised again: it lives once, as long as its device extension",
                   .document = "IoInitializeRemoveLock macro (wdm.h)"});
}

LONGLONG now_in_ticks() noexcept { return static_cast<LONGLONG>(ke::current_machine().time() / ke::clock_interval_ns); }

void initialize_debug(Debug& debug, ULONG tag, ULONG minutes, ULONG high_watermark) noexcept {
    debug.Signature = signature;
    debug.HighWatermark = static_cast<LONG>(high_watermark);
    debug.MaxLockedTicks = static_cast<LONGLONG>(minutes * ticks_per_minute);
    debug.AllocateTag = static_cast<LONG>(tag);
    InitializeListHead(&debug.LockList);
    debug.Spin = 0;
    debug.LowMemoryCount = 0;
    debug.Blocks = nullptr;
}

// Without memory for a record, one release may go unmatched.
void record_acquisition(PIO_REMOVE_LOCK lock, Debug& debug, Record wanted, LONG outstanding) noexcept {
    if (debug.HighWatermark != 0 && outstanding > debug.HighWatermark) {
        report("IoAcquireRemoveLock: lock %p is held %d times, its high watermark is %d (tag %p, %s:%u)\n", lock,
               outstanding, debug.HighWatermark, wanted.tag, wanted.file, wanted.line);
    }
    auto* record =
        static_cast<Record*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Record), static_cast<ULONG>(debug.AllocateTag)));
    if (record == nullptr) {
        debug.LowMemoryCount = debug.LowMemoryCount + 1;
        return;
    }
    wanted.next = debug.Blocks;
    *record = wanted;
    debug.Blocks = record;
}

void report_if_held_too_long(PIO_REMOVE_LOCK lock, const Debug& debug, const Record& record) noexcept {
    const LONGLONG held = now_in_ticks() - record.since.QuadPart;
    if (debug.MaxLockedTicks == 0 || held <= debug.MaxLockedTicks) return;
    report("IoReleaseRemoveLock: lock %p was held for %I64u s, its limit is %I64u min (tag %p, acquired at %s:%u)\n",
           lock, static_cast<ULONGLONG>(held) * ke::clock_interval_ns / 1'000'000'000,
           static_cast<ULONGLONG>(debug.MaxLockedTicks) / ticks_per_minute, record.tag, record.file, record.line);
}

Record** find_record(Debug& debug, PVOID tag) noexcept {
    Record** link = &debug.Blocks;
    while (*link != nullptr && (*link)->tag != tag) link = &(*link)->next;
    return link;
}

// False: there is no record of this tag, and none was lost.
bool drop_record(PIO_REMOVE_LOCK lock, Debug& debug, PVOID tag) noexcept {
    Record** link = find_record(debug, tag);
    Record* record = *link;
    if (record == nullptr) {
        if (debug.LowMemoryCount == 0) return false;
        debug.LowMemoryCount = debug.LowMemoryCount - 1;
        return true;
    }
    report_if_held_too_long(lock, debug, *record);
    *link = record->next;
    ex::free_pool(record, 0);
    return true;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

VOID NTAPI IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes,
                                    ULONG HighWatermark, ULONG RemlockSize) {
    DIRQL_DOOR(IoInitializeRemoveLockEx);
    Common& common = common_of(Lock);
    if (in_device_extension(Lock) && looks_initialized(common)) initialized_again(Lock);
    if (Debug* debug = debug_of(Lock, RemlockSize))
        initialize_debug(*debug, AllocateTag, MaxLockedMinutes, HighWatermark);
    common.Removed = FALSE;
    common.IoCount = 1;
    KeInitializeEvent(&common.RemoveEvent, SynchronizationEvent, FALSE);
}

NTSTATUS NTAPI IoAcquireRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, PCSTR File, ULONG Line, ULONG RemlockSize) {
    DIRQL_DOOR(IoAcquireRemoveLockEx);
    Common& common = common_of(RemoveLock);
    if (common.Removed) return STATUS_DELETE_PENDING;
    const LONG count = InterlockedIncrement(&common.IoCount);
    if (Debug* debug = debug_of(RemoveLock, RemlockSize)) {
        LARGE_INTEGER since;
        since.QuadPart = now_in_ticks();
        record_acquisition(RemoveLock, *debug, {nullptr, Tag, since, File, Line}, count - 1);
    }
    return STATUS_SUCCESS;
}

VOID NTAPI IoReleaseRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize) {
    DIRQL_DOOR(IoReleaseRemoveLockEx);
    Common& common = common_of(RemoveLock);
    Debug* debug = debug_of(RemoveLock, RemlockSize);
    if (debug != nullptr && !drop_record(RemoveLock, *debug, Tag))
        wrong_release(RemoveLock, Tag, "a remove lock was released with a tag that it is not held with");
    const LONG left = InterlockedDecrement(&common.IoCount);
    if (left < 0 || (left == 0 && !common.Removed))
        wrong_release(RemoveLock, Tag, "a remove lock was released more often than it was acquired");
    if (left == 0) KeSetEvent(&common.RemoveEvent, IO_NO_INCREMENT, FALSE);
}

VOID NTAPI IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize) {
    DIRQL_DOOR(IoReleaseRemoveLockAndWaitEx);
    Common& common = common_of(RemoveLock);
    Debug* debug = debug_of(RemoveLock, RemlockSize);
    if (common.Removed || common.IoCount < 2) {
        wrong_last_release(RemoveLock, Tag, nullptr,
                           "IoReleaseRemoveLockAndWait was called without the lock having been acquired for it");
    }
    if (debug != nullptr && *find_record(*debug, Tag) == nullptr && debug->LowMemoryCount == 0) {
        wrong_last_release(RemoveLock, Tag, debug->Blocks,
                           "IoReleaseRemoveLockAndWait was called with a tag that the lock is not held with");
    }
    common.Removed = TRUE;
    if (debug != nullptr) (void)drop_record(RemoveLock, *debug, Tag);
    const LONG left = InterlockedAdd(&common.IoCount, -2);
    if (left > 0) ke::wait_for(&common.RemoveEvent);
}
}
