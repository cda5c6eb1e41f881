// The floor of the IRP path: the least work that is still an IRP round trip.
//
// Handle look-up, access check, counted reference, an IRP of the real size from a per-processor list and zeroed, its stack
// location, the thread's list, dispatch by indirect call, the walk of completion, copy back, release. No IRQL, no trace, no
// waits, no checks. What dirql does beyond it is what is measured against it.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace floor_path {

using Status = std::int32_t;

struct ListEntry {
    ListEntry* next;
    ListEntry* previous;
};

struct Irp;
struct Device;
struct File;

using Dispatch = Status (*)(Device*, Irp*);
using Completion = Status (*)(Device*, Irp*, void*);

// 0x48 bytes, as IO_STACK_LOCATION.
struct Location {
    std::uint8_t major, minor, flags, control;
    std::uint32_t padding;
    union {
        struct {
            std::uint32_t out_length, pad0, in_length, pad1, code, pad2;
            void* type3_input;
        };
        void* arguments[4];
    };
    Device* device;
    File* file;
    Completion completion;
    void* context;
};
static_assert(sizeof(Location) == 0x48);

struct StatusBlock {
    Status status;
    std::uint32_t padding;
    std::uintptr_t information;
};

// 0xD0 bytes, as IRP.
struct alignas(16) Irp {
    std::int16_t type;
    std::uint16_t size, processor, reserved;
    void* mdl;
    std::uint32_t flags, padding;
    void* system_buffer;
    ListEntry thread_entry;
    StatusBlock io_status;
    char mode;
    std::uint8_t pending_returned;
    std::int8_t stack_count, current_location;
    std::uint8_t cancel, cancel_irql;
    std::int8_t apc;
    std::uint8_t allocation;
    void* user_status_block;
    void* user_event;
    void* overlay[2];
    void* cancel_routine;
    void* user_buffer;
    void* tail[8];
    Location* current;
    File* file;
    void* tail_end;
};
static_assert(sizeof(Irp) == 0xD0);

struct Driver {
    Dispatch major[28];
};

struct Device {
    Driver* driver;
    Device* attached;
    int stack_size;
    std::uint32_t flags;
};

struct FilterDevice : Device {
    Device* lower;
};

struct File {
    Device* device;
    std::uint32_t flags;
    std::atomic<std::int64_t> references;
};

// Opens `device`; the handle is a multiple of 4.
[[nodiscard]] std::uintptr_t open(File& file, std::uint32_t access);
Status device_control(std::uintptr_t handle, StatusBlock* result, std::uint32_t code, const void* in,
                      std::uint32_t in_length, void* out, std::uint32_t out_length);

// The drivers: completes at once; sends its input back; passes down with a completion routine.
extern Driver null_driver;
extern Driver echo_driver;
extern Driver filter_driver;

} // namespace floor_path
