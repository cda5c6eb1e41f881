// A machine of ke alone, with driver code in this program and objects laid out by hand: what reports are made of.
#pragma once

#include "diag/recorder.hpp"
#include "diag/symbolizer.hpp"
#include "ke/executor.hpp"
#include "ke/machine.hpp"
#include "support/boot_processor.hpp"

#include <ntifs.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Functions that count as driver code: they lie together, between two symbols that the linker gives them.
#define DRIVER_CODE __attribute__((section("driver_code"), noinline, used))
extern "C" const char __start_driver_code[];
extern "C" const char __stop_driver_code[];

namespace support {

using namespace dirql;

inline std::uint64_t number(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }
template <class Result, class... Arguments> std::uint64_t number(Result (*function)(Arguments...)) {
    return reinterpret_cast<std::uint64_t>(function);
}

// Knows a few functions. The nth driver function has line n and offset 0x100 * n, whatever the compiler made of it.
class Names final : public diag::Symbolizer {
public:
    std::vector<std::pair<std::uint64_t, std::string>> functions; // of the driver
    std::vector<std::pair<std::uint64_t, std::string>> exports;
    std::vector<std::pair<std::uint64_t, std::string>> devices;

    diag::CodeName locate(std::uint64_t address, bool returned_to) override {
        if (returned_to) --address; // a call that does not return may be its function's last instruction
        if (address < number(__start_driver_code) || address >= number(__stop_driver_code)) return {};
        diag::CodeName name{.image = "echo.so"};
        std::uint64_t nearest = 0;
        for (std::size_t i = 0; i < functions.size(); ++i) {
            const auto& [begin, function] = functions[i];
            if (begin > address || begin < nearest) continue;
            nearest = begin;
            name = {.image = "echo.so",
                    .offset = 0x100 * (i + 1),
                    .function = function,
                    .file = "/home/me/echo.c",
                    .line = static_cast<int>(i + 1)};
        }
        return name;
    }
    std::string_view export_at(std::uint64_t address) override { return find(exports, address); }
    std::string device_name(std::uint64_t device) override { return std::string(find(devices, device)); }

private:
    static std::string_view find(const std::vector<std::pair<std::uint64_t, std::string>>& table, std::uint64_t value) {
        for (const auto& [key, name] : table) {
            if (key == value) return name;
        }
        return {};
    }
};

class KeMachine {
public:
    explicit KeMachine(const ke::MachineOptions& options = {}, diag::Recorder* recorder = nullptr)
        : slot_(0, std::size_t{64} << 20), machine_(ke::create_machine(slot_, options, nullptr)) {
        machine_->recorder = recorder;
        for (unsigned i = 0; i < machine_->processor_count; ++i)
            machine_->processors[i]->trace_on = recorder != nullptr;
        (void)ke::add_code_range(*machine_, {number(__start_driver_code), number(__stop_driver_code), "echo.so"});
    }

    [[nodiscard]] ke::Machine& operator*() const { return *machine_; }
    [[nodiscard]] ke::Machine* operator->() const { return machine_; }
    [[nodiscard]] ke::Slot& slot() { return slot_; }

    ke::Thread& thread(const char* name, PKSTART_ROUTINE routine, void* context = nullptr, KPRIORITY priority = 8) {
        auto* thread = machine_->allocate<ke::Thread>();
        const test::OnBootProcessor on_processor(*machine_);
        (void)ke::initialize_thread(*machine_, *thread,
                                    {name, machine_->system_process, priority, routine, context, nullptr});
        ke::start_thread(*thread);
        return *thread;
    }

    // Until nothing can run, or a bug check.
    void run() {
        ke::run(
            *machine_, [](void*) { return false; }, nullptr);
    }

    PDRIVER_OBJECT driver(const char16_t* name) {
        auto* driver = machine_->allocate<DRIVER_OBJECT>();
        driver->Type = IO_TYPE_DRIVER;
        const std::size_t bytes = std::u16string_view(name).size() * sizeof(char16_t);
        void* copy = machine_->allocate(bytes);
        std::memcpy(copy, name, bytes);
        driver->DriverName = {static_cast<USHORT>(bytes), static_cast<USHORT>(bytes), static_cast<PWSTR>(copy)};
        return driver;
    }

    PDEVICE_OBJECT device(PDRIVER_OBJECT driver) {
        auto* device = machine_->allocate<DEVICE_OBJECT>();
        device->Type = IO_TYPE_DEVICE;
        device->DriverObject = driver;
        device->NextDevice = std::exchange(driver->DeviceObject, device);
        return device;
    }

    PIRP irp(CCHAR stack_size) {
        auto* irp = static_cast<PIRP>(
            machine_->allocate(sizeof(IRP) + static_cast<std::size_t>(stack_size) * sizeof(IO_STACK_LOCATION)));
        irp->Type = IO_TYPE_IRP;
        irp->StackCount = stack_size;
        irp->CurrentLocation = static_cast<CHAR>(stack_size + 1);
        InitializeListHead(&irp->ThreadListEntry);
        return irp;
    }

    // The IRP goes to the next lower device.
    static void send(PIRP irp, PDEVICE_OBJECT device, UCHAR major, ULONG code = 0, UCHAR control = 0) {
        auto* location = reinterpret_cast<PIO_STACK_LOCATION>(irp + 1) + --irp->CurrentLocation - 1;
        location->MajorFunction = major;
        location->Control = control;
        location->DeviceObject = device;
        location->Parameters.DeviceIoControl.IoControlCode = code;
    }

private:
    ke::Slot slot_;
    ke::Machine* machine_;
};

// A report with the machine's addresses told apart by their names: each known one is replaced by <name>.
inline std::string without_addresses(std::string text, const std::vector<std::pair<const void*, std::string>>& known) {
    for (const auto& [pointer, name] : known) {
        char address[24];
        std::snprintf(address, sizeof address, "0x%llX", static_cast<unsigned long long>(number(pointer)));
        for (std::size_t at; (at = text.find(address)) != std::string::npos;)
            text.replace(at, std::strlen(address), '<' + name + '>');
    }
    return text;
}

} // namespace support
