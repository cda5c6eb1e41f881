// Names of the numbers that drivers and their readers deal with. An unknown number has an empty name; the text_of
// functions then write the number.
#pragma once

#include <ntifs.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace dirql::diag {

// "STATUS_PENDING": every value of <ntstatus.h>.
[[nodiscard]] std::string_view status_name(NTSTATUS status) noexcept;
// "MULTIPLE_IRP_COMPLETE_REQUESTS": every code of <bugcodes.h>, and the two status codes that are bug checks.
[[nodiscard]] std::string_view bug_check_name(std::uint32_t code) noexcept;
// "IRP_MJ_READ"
[[nodiscard]] std::string_view major_name(std::uint8_t major) noexcept;
// "IRP_MN_START_DEVICE". Empty also for IRP_MN_NORMAL, which says nothing.
[[nodiscard]] std::string_view minor_name(std::uint8_t major, std::uint8_t minor) noexcept;
// "FILE_DEVICE_UNKNOWN"
[[nodiscard]] std::string_view device_type_name(std::uint32_t type) noexcept;

// "STATUS_PENDING", or "0xC0001234".
[[nodiscard]] std::string status_text(NTSTATUS status);
// "PASSIVE_LEVEL", "APC_LEVEL", "DISPATCH_LEVEL", "DIRQL 5", "CLOCK_LEVEL", "HIGH_LEVEL" ...
[[nodiscard]] std::string irql_text(std::uint8_t irql);
// "IRP_MJ_PNP/IRP_MN_START_DEVICE", "IRP_MJ_READ".
[[nodiscard]] std::string function_text(std::uint8_t major, std::uint8_t minor);
// "a mutex", "an event": a dispatcher object by DISPATCHER_HEADER::Type, with its article.
[[nodiscard]] std::string_view dispatcher_type_name(std::uint8_t type) noexcept;

// Does a stack location of this major function carry a control code?
[[nodiscard]] constexpr bool has_control_code(std::uint8_t major) noexcept {
    return major == IRP_MJ_DEVICE_CONTROL || major == IRP_MJ_INTERNAL_DEVICE_CONTROL ||
           major == IRP_MJ_FILE_SYSTEM_CONTROL;
}
// And of this minor function? Mounting and verifying a volume have other parameters in that place.
[[nodiscard]] constexpr bool has_control_code(std::uint8_t major, std::uint8_t minor) noexcept {
    return has_control_code(major) &&
           (major != IRP_MJ_FILE_SYSTEM_CONTROL || minor == IRP_MN_USER_FS_REQUEST || minor == IRP_MN_KERNEL_CALL);
}

// The four parts of an I/O control code, as CTL_CODE puts them together.
struct ControlCode {
    std::uint32_t device_type; // 16 bits
    std::uint32_t access;      // 2 bits: FILE_ANY_ACCESS, FILE_READ_ACCESS, FILE_WRITE_ACCESS or both
    std::uint32_t function;    // 12 bits
    std::uint32_t method;      // 2 bits

    constexpr explicit ControlCode(std::uint32_t code) noexcept
        : device_type(code >> 16), access(code >> 14 & 3), function(code >> 2 & 0xFFF), method(code & 3) {}
};

// "FILE_DEVICE_UNKNOWN, function 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS"
[[nodiscard]] std::string control_code_text(std::uint32_t code);

} // namespace dirql::diag
