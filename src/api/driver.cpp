// Loading and unloading drivers.
#include "api/machine_impl.hpp"
#include "io/left_behind.hpp"
#include "io/reinitialize.hpp"
#include "ldr/debugger_hooks.hpp"
#include "api/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace dirql::api {
namespace {

ldr::LinkedImage::Data span_of(void* begin, void* end) {
    return {static_cast<std::byte*>(begin), static_cast<std::byte*>(end)};
}

// One for the life of the process, like the globals it speaks of.
ldr::LinkedImage& image_of(const LinkedDriver& driver) {
    if (void* known = driver.image.load(std::memory_order_acquire)) return *static_cast<ldr::LinkedImage*>(known);
    auto fresh = std::make_unique<ldr::LinkedImage>(
        driver.name, driver.entry,
        std::vector{span_of(driver.data_begin, driver.data_end), span_of(driver.bss_begin, driver.bss_end)},
        ldr::AddressRange{reinterpret_cast<std::uintptr_t>(driver.text_begin),
                          reinterpret_cast<std::uintptr_t>(driver.text_end)});
    void* expected = nullptr;
    if (driver.image.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
    return *static_cast<ldr::LinkedImage*>(expected);
}

// A file whose last reference went above PASSIVE_LEVEL ends in a worker thread, perhaps a moment after its application.
io::UnloadResult unload_patiently(PDRIVER_OBJECT driver) {
    constexpr int looks = 10;
    LARGE_INTEGER pause;
    pause.QuadPart = -10'000; // 1 ms
    io::UnloadResult result = io::unload_driver(driver);
    for (int i = 0; i < looks && result == io::UnloadResult::pending; ++i) {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        result = io::unload_driver(driver);
    }
    return result;
}

Unload public_result(io::UnloadResult result) {
    switch (result) {
    case io::UnloadResult::unloaded: return Unload::unloaded;
    case io::UnloadResult::no_unload_routine: return Unload::no_unload_routine;
    case io::UnloadResult::pending: return Unload::pending;
    case io::UnloadResult::devices_left: return Unload::devices_left;
    }
    return Unload::unloaded;
}

Error without_entry(std::string_view name) {
    return {ErrorCode::invalid_argument, fmt::format("{}: there is no DriverEntry", name)};
}

} // namespace

Result<Driver> MachineImpl::load_plug_in(const std::filesystem::path& path) {
    if (stopped()) return stopped_error();
    auto plug_in = host_.plug_in(path);
    if (!plug_in) return plug_in.error();
    auto driver = std::make_unique<LoadedDriver>();
    driver->name = path.stem().string();
    driver->plug_in = plug_in.value();
    const std::size_t pages = ke::pages_for(driver->plug_in->image_size());
    std::byte* memory = slot_->allocate_pages(pages);
    if (memory == nullptr)
        return Error{ErrorCode::out_of_memory, fmt::format("{}: no physical memory left for the image", path.string())};
    driver->image = driver->plug_in->instantiate({memory, pages * ke::page_size});
    dirql_image_loaded(driver->plug_in->path().c_str(), memory);
    const int for_debugger = dirql_code_stays_writable != 0 ? PROT_WRITE : 0;
    for (const ldr::Region& region : driver->plug_in->regions()) {
        const int access = ldr::protection_flags(region.access);
        slot_->protect(memory + region.offset, region.size / ke::page_size,
                       (access & PROT_EXEC) != 0 ? access | for_debugger : access);
    }
    driver->image.run_constructors();
    driver->code = {reinterpret_cast<std::uintptr_t>(memory),
                    reinterpret_cast<std::uintptr_t>(memory) + driver->image.size, nullptr,
                    driver->plug_in->integrity()};
    void* entry = driver->image.entry;
    const std::size_t size = driver->image.size;
    return start(std::move(driver), entry, memory, size);
}

Result<Driver> MachineImpl::load_linked(const LinkedDriver& linked) {
    if (stopped()) return stopped_error();
    if (linked.entry == nullptr) return without_entry(linked.name);
    ldr::LinkedImage& image = image_of(linked);
    if (!image.try_claim()) {
        const bool here = std::ranges::any_of(drivers_, [&](const auto& driver) { return driver->linked == &image; });
        return Error{ErrorCode::driver_busy,
                     fmt::format("{}: a linked driver is loaded once at a time, and {}", linked.name,
                                 here ? "this machine has it already" : "another machine has it")};
    }
    auto driver = std::make_unique<LoadedDriver>();
    driver->name = linked.name;
    driver->linked = &image;
    driver->code = {image.text().begin, image.text().end, nullptr, linked.integrity};
    return start(std::move(driver), linked.entry, linked.entry, 0);
}

Result<Driver> MachineImpl::load_function(std::string_view name, void* entry) {
    if (stopped()) return stopped_error();
    if (entry == nullptr) return without_entry(name);
    auto driver = std::make_unique<LoadedDriver>();
    driver->name = name;
    driver->own_linked = std::make_unique<ldr::LinkedImage>(driver->name, entry);
    driver->code = {driver->own_linked->text().begin, driver->own_linked->text().end, nullptr};
    return start(std::move(driver), entry, entry, 0);
}

Result<Driver> MachineImpl::load(const DriverSource& source) {
    if (const auto* linked = std::get_if<const LinkedDriver*>(&source.source_)) return load_linked(**linked);
    if (const auto* path = std::get_if<std::filesystem::path>(&source.source_)) return load_plug_in(*path);
    const auto& function = std::get<DriverSource::Function>(source.source_);
    return load_function(function.name, function.entry);
}

std::vector<Result<Driver>> MachineImpl::load_boot_drivers(const std::vector<DriverSource>& sources) {
    if (boot_is_over_) throw std::logic_error("boot drivers are loaded once, before all others");
    boot_is_over_ = boot_drivers_load_ = true;
    const std::unique_ptr<bool, void (*)(bool*)> at_end(&boot_drivers_load_, [](bool* loading) { *loading = false; });
    std::vector<Result<Driver>> results;
    for (const DriverSource& source : sources) results.push_back(load(source));
    const bool ran = run_system("BootReinitialize", [] {
        io::call_reinitialize_routines(io::ReinitializeRound::boot);
        io::call_reinitialize_routines(io::ReinitializeRound::driver);
    });
    if (ran) return results;
    for (Result<Driver>& result : results) {
        if (result) result = stopped_error();
    }
    return results;
}

// Once for each name, so that loading and unloading may go on for ever.
const char* MachineImpl::name_in_machine(const std::string& name) {
    const char*& known = names_[name];
    if (known == nullptr) {
        void* copy = kernel_->allocate(name.size() + 1);
        if (copy != nullptr) known = static_cast<const char*>(std::memcpy(copy, name.c_str(), name.size() + 1));
    }
    return known;
}

Result<Driver> MachineImpl::start(std::unique_ptr<LoadedDriver> loading, void* entry, void* base, std::size_t size) {
    LoadedDriver& driver = *loading;
    boot_is_over_ = true;
    driver.code.name = name_in_machine(driver.name);
    const bool named = driver.code.name != nullptr;
    if (!named || !ke::add_code_range(*kernel_, driver.code)) {
        driver.code.name = nullptr; // it has no range to remove
        release(driver);
        return Error{ErrorCode::out_of_memory,
                     named ? fmt::format("{}: a machine holds at most {} drivers", driver.name, ke::Machine::max_images)
                           : fmt::format("{}: no physical memory left for its name", driver.name)};
    }
    drivers_.push_back(std::move(loading));
    const std::u16string wide_name = api::to_utf16(driver.name);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    const bool ran = run_system("DriverLoad", [&] {
        const io::DriverImage image{wide_name, reinterpret_cast<PDRIVER_INITIALIZE>(entry), base, size, driver.code};
        status = io::load_driver(image, &driver.object);
        if (NT_SUCCESS(status)) {
            if (!boot_drivers_load_) io::call_reinitialize_routines(io::ReinitializeRound::driver);
        } else if (driver.object == nullptr) {
            io::check_left_behind(driver.code);
        }
    });
    if (!ran) return stopped_error();
    if (NT_SUCCESS(status)) return Driver(driver.name, driver.id);
    const Error error{ErrorCode::driver_failed,
                      fmt::format("{}: DriverEntry returned {}", driver.name, status_name(status)), status};
    if (driver.object != nullptr) return error; // it left devices behind, which keep the image
    release(driver);
    forget(driver);
    return error;
}

Result<Unload> MachineImpl::unload(std::uint64_t id) {
    if (stopped()) return stopped_error();
    const auto found = std::ranges::find(drivers_, id, [](const auto& driver) { return driver->id; });
    if (found == drivers_.end())
        return Error{ErrorCode::invalid_argument, "this driver is not loaded, or not in this machine"};
    LoadedDriver& driver = **found;
    io::UnloadResult result{};
    const bool ran = run_system("DriverUnload", [&] {
        result = unload_patiently(driver.object);
        if (result == io::UnloadResult::unloaded) io::check_left_behind(driver.code);
    });
    if (!ran) return stopped_error();
    if (result == io::UnloadResult::unloaded) {
        release(driver);
        forget(driver);
    }
    return public_result(result);
}

// The code goes: nothing of the driver runs any more.
void MachineImpl::release(LoadedDriver& driver) {
    if (!recorder_.records().empty()) name_functions();
    if (driver.code.name != nullptr) ke::remove_code_range(*kernel_, driver.code);
    if (driver.plug_in != nullptr) release_memory(driver);
    if (driver.linked != nullptr) driver.linked->release();
}

void MachineImpl::forget(const LoadedDriver& driver) {
    std::erase_if(drivers_, [&](const auto& loaded) { return loaded.get() == &driver; });
}

void MachineImpl::release_memory(LoadedDriver& driver) {
    driver.image.run_destructors();
    dirql_image_unloaded(driver.image.base);
    const std::size_t pages = ke::pages_for(driver.plug_in->image_size());
    slot_->protect(driver.image.base, pages, PROT_READ | PROT_WRITE);
    slot_->free_pages(driver.image.base, pages);
}

} // namespace dirql::api
