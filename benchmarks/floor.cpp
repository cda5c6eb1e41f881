#include "floor.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace floor_path {
namespace {

constexpr Status success = 0;
constexpr Status pending = 0x103;
constexpr auto more_processing_required = static_cast<Status>(0xC000'0016);
constexpr auto invalid_handle = static_cast<Status>(0xC000'0008);
constexpr auto access_denied = static_cast<Status>(0xC000'0022);

struct HandleEntry {
    File* file;
    std::uint32_t access;
};

struct Thread {
    ListEntry irps;
};

struct Processor {
    std::uint8_t irql;
    Thread* thread;
    Irp* free_irps[8];
    int free_count;
};

Thread the_thread{{&the_thread.irps, &the_thread.irps}};
thread_local Processor processor __attribute__((tls_model("initial-exec"))) = {0, &the_thread, {}, 0};
std::vector<HandleEntry> handles(1);

constexpr std::size_t room_for_any_irp = 1024;

[[gnu::noinline]] Irp* allocate_irp(int stack_size) {
    const std::size_t size = sizeof(Irp) + static_cast<std::size_t>(stack_size) * sizeof(Location);
    Irp* irp = processor.free_count != 0 ? processor.free_irps[--processor.free_count]
                                         : static_cast<Irp*>(std::aligned_alloc(64, room_for_any_irp));
    std::memset(static_cast<void*>(irp), 0, size);
    irp->type = 6;
    irp->size = static_cast<std::uint16_t>(size);
    irp->stack_count = static_cast<std::int8_t>(stack_size);
    irp->current_location = static_cast<std::int8_t>(stack_size + 1);
    irp->current = reinterpret_cast<Location*>(irp + 1) + stack_size;
    return irp;
}

[[gnu::noinline]] void free_irp(Irp* irp) {
    if (processor.free_count < 8) {
        processor.free_irps[processor.free_count++] = irp;
    } else {
        std::free(irp);
    }
}

[[gnu::noinline]] Status call_driver(Device* device, Irp* irp) {
    if (--irp->current_location <= 0) std::abort();
    Location* location = --irp->current;
    location->device = device;
    return device->driver->major[location->major](device, irp);
}

void finish(Irp* irp) {
    if (irp->system_buffer != nullptr) {
        if (irp->user_buffer != nullptr && irp->io_status.information != 0) {
            std::memcpy(irp->user_buffer, irp->system_buffer, irp->io_status.information);
        }
        std::free(irp->system_buffer);
    }
    auto* result = static_cast<StatusBlock*>(irp->user_status_block);
    result->information = irp->io_status.information;
    result->status = irp->io_status.status;
    irp->thread_entry.next->previous = irp->thread_entry.previous;
    irp->thread_entry.previous->next = irp->thread_entry.next;
    irp->file->references.fetch_sub(1, std::memory_order_acq_rel);
    free_irp(irp);
}

[[gnu::noinline]] void complete_request(Irp* irp) {
    if (irp->current_location > irp->stack_count + 1) std::abort();
    Location* location = irp->current;
    ++irp->current_location;
    irp->current = location + 1;
    for (; irp->current_location <= irp->stack_count + 1; ++location) {
        irp->pending_returned = location->control & 1;
        if (location->completion != nullptr && (location->control & 0xE0) != 0) {
            const Completion routine = location->completion;
            Device* device = irp->current_location == irp->stack_count + 1 ? nullptr : (location + 1)->device;
            if (routine(device, irp, location->context) == more_processing_required) return;
        }
        location->major = 0;
        ++irp->current_location;
        ++irp->current;
    }
    finish(irp);
}

Status null_control(Device*, Irp* irp) {
    irp->io_status.status = success;
    irp->io_status.information = 0;
    complete_request(irp);
    return success;
}

Status echo_control(Device*, Irp* irp) {
    const Location* location = irp->current;
    irp->io_status.status = success;
    irp->io_status.information =
        location->in_length < location->out_length ? location->in_length : location->out_length;
    complete_request(irp);
    return success;
}

Status pass_up(Device*, Irp* irp, void*) {
    if (irp->pending_returned != 0) irp->current->control |= 1;
    return success;
}

Status pass_down(Device* device, Irp* irp) {
    const Location* location = irp->current;
    Location* next = irp->current - 1;
    std::memcpy(next, location, offsetof(Location, completion));
    next->control = 0;
    next->completion = pass_up;
    next->control = 0xE0;
    return call_driver(static_cast<FilterDevice*>(device)->lower, irp);
}

Driver make_driver(Dispatch dispatch) {
    Driver driver{};
    for (Dispatch& major : driver.major) major = dispatch;
    return driver;
}

} // namespace

Driver null_driver = make_driver(null_control);
Driver echo_driver = make_driver(echo_control);
Driver filter_driver = make_driver(pass_down);

std::uintptr_t open(File& file, std::uint32_t access) {
    handles.push_back({&file, access});
    return (handles.size() - 1) << 2;
}

[[gnu::noinline]] Status device_control(std::uintptr_t handle, StatusBlock* result, std::uint32_t code, const void* in,
                                        std::uint32_t in_length, void* out, std::uint32_t out_length) {
    const std::size_t index = handle >> 2;
    if (index >= handles.size() || handles[index].file == nullptr) return invalid_handle;
    const HandleEntry& entry = handles[index];
    if ((code >> 14 & 3 & ~entry.access) != 0) return access_denied;
    File* file = entry.file;
    file->references.fetch_add(1, std::memory_order_relaxed);
    Device* device = file->device;
    while (device->attached != nullptr) device = device->attached;
    Irp* irp = allocate_irp(device->stack_size);
    irp->user_status_block = result;
    irp->mode = 1;
    irp->file = file;
    Location* location = irp->current - 1;
    location->major = 14;
    location->file = file;
    location->code = code;
    location->in_length = in_length;
    location->out_length = out_length;
    if ((code & 3) == 0 && (in_length != 0 || out_length != 0)) {
        irp->system_buffer = std::malloc(in_length > out_length ? in_length : out_length);
        std::memcpy(irp->system_buffer, in, in_length);
        irp->user_buffer = out;
    }
    Thread* thread = processor.thread;
    irp->thread_entry.next = &thread->irps;
    irp->thread_entry.previous = thread->irps.previous;
    thread->irps.previous->next = &irp->thread_entry;
    thread->irps.previous = &irp->thread_entry;
    const Status status = call_driver(device, irp);
    if (status == pending) std::abort();
    return status;
}

} // namespace floor_path
