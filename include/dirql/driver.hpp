// Drivers: what a machine can load, and what it has loaded.
#pragma once

#include <dirql/result.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class MachineImpl;
}

/// A driver linked into this program, as `dirql_add_driver` describes it in the generated header <NAME_driver.hpp>.
///
/// Its globals are this process's own: it serves one machine at a time, and gets its first data back when it is unloaded.
struct LinkedDriver {
    const char* name;
    void* entry; ///< DriverEntry
    void* data_begin = nullptr;
    void* data_end = nullptr;
    void* bss_begin = nullptr;
    void* bss_end = nullptr;
    void* text_begin = nullptr; ///< its code; without it, all code of the program counts as the driver's
    void* text_end = nullptr;
    /// Its image says IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY, without which ObRegisterCallbacks and
    /// PsSetCreateProcessNotifyRoutineEx refuse its routines (dirql_add_driver's INTEGRITY).
    bool integrity = false;
    mutable std::atomic<void*> image = nullptr; ///< dirql's: the pristine copy of the data, and who has the driver
};

/// Names a driver that is to be loaded, in each way in which Machine::load takes one. A LinkedDriver is referred to.
class DriverSource {
public:
    DriverSource(const LinkedDriver& driver) : source_(&driver) {}
    DriverSource(std::filesystem::path plug_in) : source_(std::move(plug_in)) {}
    DriverSource(std::string name, void* driver_entry) : source_(Function{std::move(name), driver_entry}) {}

private:
    friend class api::MachineImpl;
    struct Function {
        std::string name;
        void* entry;
    };
    std::variant<const LinkedDriver*, std::filesystem::path, Function> source_;
};

/// What unloading came to.
enum class Unload {
    unloaded,          ///< the driver is gone
    no_unload_routine, ///< the driver has none: it stays until the machine ends
    pending,           ///< a device is open or attached to: the Unload routine runs when that is over
    devices_left,      ///< Unload left devices behind; the image stays
};

/// A loaded driver of a machine. A handle without ownership: the machine unloads what is loaded when it ends. Of use to the
/// machine that gave it, until the driver is unloaded.
class Driver {
public:
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    friend class Machine;
    friend class api::MachineImpl;
    Driver(std::string name, std::uint64_t id) : name_(std::move(name)), id_(id) {}
    std::string name_;
    std::uint64_t id_; // never given twice in a program
};

} // namespace dirql

#pragma GCC visibility pop
