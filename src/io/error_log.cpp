// Entries of the error log: a driver fills in what it allocates here, and what it writes the host is told of.
#include "ex/pool.hpp"
#include "io/device.hpp"
#include "io/driver.hpp"
#include "io/state.hpp"
#include "ke/clock.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/host_section.hpp"
#include "ke/stop.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

constexpr ULONG entry_tag = ex::pool_tag("IoEr");
constexpr ULONG most_bytes = 100 * PORT_MAXIMUM_MESSAGE_LENGTH; // of entries under way, as on NT
constexpr const char* document = "IoWriteErrorLogEntry function (wdm.h)";

// Before the packet. Both objects are referenced.
struct alignas(16) Entry {
    ULONG size; // of the packet
    PDRIVER_OBJECT driver;
    PDEVICE_OBJECT device; // null: the driver's own
};

// An object's name where it has one that is not too long to tell.
struct ObjectName {
    OBJECT_NAME_INFORMATION information{};
    WCHAR room[128];
    explicit ObjectName(void* object) noexcept {
        ULONG needed = 0;
        if (!NT_SUCCESS(ob::query_name_string(object, &information, sizeof *this, &needed))) information.Name = {};
    }
};

Entry* entry_of(PVOID packet) noexcept {
    const ex::PoolBlock block = ex::find_pool_block(packet);
    auto* entry = static_cast<Entry*>(packet) - 1;
    if (block.data == reinterpret_cast<std::byte*>(entry) && block.tag == entry_tag) return entry;
    ke::bug_check(BAD_POOL_CALLER, 0x46, ke::parameter(packet), 0, 0,
                  {.rule =
                       "what was written to the error log, or freed, is no entry of IoAllocateErrorLogEntry, or is one "
                       "no more",
                   .document = document});
}

void release(Entry* entry) noexcept {
    state().error_log_bytes -= entry->size;
    PDRIVER_OBJECT driver = entry->driver;
    PDEVICE_OBJECT device = entry->device;
    ex::free_pool(entry, entry_tag);
    if (device != nullptr) ob::dereference_deferred(device);
    ob::dereference_deferred(driver);
}

void tell_host(Entry* entry) noexcept {
    ke::Machine& machine = ke::current_machine();
    if (machine.host == nullptr) return;
    const ObjectName driver(entry->driver);
    const ObjectName device(entry->device != nullptr ? static_cast<void*>(entry->device) : entry->driver);
    const ke::HostSection section;
    machine.host->error_logged({machine.time(),
                                driver.information.Name,
                                entry->device != nullptr ? device.information.Name : UNICODE_STRING{},
                                {reinterpret_cast<const std::byte*>(entry + 1), entry->size}});
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

PVOID NTAPI IoAllocateErrorLogEntry(PVOID IoObject, UCHAR EntrySize) {
    DIRQL_DOOR(IoAllocateErrorLogEntry);
    State& io = state();
    if (EntrySize < sizeof(IO_ERROR_LOG_PACKET) || EntrySize > ERROR_LOG_MAXIMUM_SIZE) return nullptr;
    if (io.error_log_bytes + EntrySize > most_bytes) return nullptr;
    auto* entry =
        static_cast<Entry*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Entry) + EntrySize, entry_tag, ex::Fill::zero));
    if (entry == nullptr) return nullptr;
    PDRIVER_OBJECT driver = driver_of(IoObject);
    *entry = {EntrySize, driver, driver == IoObject ? nullptr : static_cast<PDEVICE_OBJECT>(IoObject)};
    ob::reference(driver);
    if (entry->device != nullptr) ob::reference(entry->device);
    io.error_log_bytes += EntrySize;
    return entry + 1;
}

VOID NTAPI IoFreeErrorLogEntry(PVOID ElEntry) {
    DIRQL_DOOR(IoFreeErrorLogEntry);
    release(entry_of(ElEntry));
}

VOID NTAPI IoWriteErrorLogEntry(PVOID ElEntry) {
    DIRQL_DOOR(IoWriteErrorLogEntry);
    Entry* entry = entry_of(ElEntry);
    tell_host(entry);
    release(entry);
}
}
