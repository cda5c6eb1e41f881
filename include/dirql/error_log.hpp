// The error log: what drivers report for administrators to read.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace dirql {

/// An entry that a driver has written ("IO_ERROR_LOG_PACKET structure"), its texts as UTF-8.
struct ErrorLogEntry {
    std::chrono::nanoseconds time{}; ///< virtual, since the boot
    std::string driver;              ///< the driver object's name, \Driver\Disk
    std::string device;             ///< the device object's; empty for one without a name and for entries of the driver
    std::uint32_t error_code = 0;   ///< which message it is
    std::uint32_t unique_value = 0; ///< where in the driver
    std::uint32_t final_status = 0;
    std::uint32_t sequence_number = 0;
    std::uint32_t control_code = 0;
    std::int64_t device_offset = 0;
    std::uint16_t category = 0;
    std::uint8_t major_function = 0;
    std::uint8_t retry_count = 0;
    std::vector<std::byte> dump_data;
    std::vector<std::string> strings; ///< what is inserted into the message
};

} // namespace dirql

#pragma GCC visibility pop
