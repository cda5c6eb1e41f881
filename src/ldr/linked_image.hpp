// Drivers linked into the host program and given as a function pointer.
//
// Such a driver has one set of globals for the whole process, so it serves one machine at a time, and whoever gives it back
// leaves it with its first data. That works for the data this descriptor is told of: dirql_add_driver gathers the code of a
// linked driver's objects into one range, the writable data into two, and names them. A driver written inside the host's own
// source has no ranges of its own; its globals are then the test's to reset.
#pragma once

#include "ldr/address_range.hpp"

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace dirql::ldr {

class LinkedImage {
public:
    using Data = std::span<std::byte>;

    // Takes the pristine copy: construct it before the driver first runs. `entry` is DriverEntry. Without a `text`, all code
    // of the program or library that `entry` is linked into counts as the driver's: more than its own, never less.
    LinkedImage(std::string name, void* entry, std::vector<Data> data = {}, AddressRange text = {});
    LinkedImage(const LinkedImage&) = delete;
    LinkedImage& operator=(const LinkedImage&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] void* entry() const noexcept { return entry_; }
    [[nodiscard]] AddressRange text() const noexcept { return text_; }
    [[nodiscard]] std::span<const Data> data() const noexcept { return data_; }

    // Makes the caller its only user until release(); false when another machine is that.
    [[nodiscard]] bool try_claim() noexcept { return !claimed_.exchange(true, std::memory_order_acquire); }
    void release() noexcept;

    void restore() noexcept;

private:
    std::string name_;
    void* entry_;
    AddressRange text_;
    std::vector<Data> data_;
    std::vector<std::byte> pristine_; // of all ranges, one after another
    std::atomic<bool> claimed_ = false;
};

} // namespace dirql::ldr
