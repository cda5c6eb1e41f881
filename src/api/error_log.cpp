// The error log: entries as values. A driver decides what is in a packet, so nothing in it is believed.
#include "api/machine_impl.hpp"
#include "api/text.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace dirql::api {
namespace {

constexpr std::size_t most_entries = 1'000;

std::string text_of(const UNICODE_STRING& text) {
    return text.Length == 0 ? std::string()
                            : to_utf8({reinterpret_cast<const char16_t*>(text.Buffer), text.Length / sizeof(char16_t)});
}

// Terminated strings, one after another from `offset`; one that the packet cuts off ends there.
std::vector<std::string> strings_of(std::span<const std::byte> packet, std::size_t offset, unsigned count) {
    std::vector<std::string> strings;
    for (; count != 0 && offset + sizeof(char16_t) <= packet.size(); --count) {
        std::u16string text((packet.size() - offset) / sizeof(char16_t), u'\0');
        std::memcpy(text.data(), packet.data() + offset, text.size() * sizeof(char16_t));
        text.resize(std::min(text.find(u'\0'), text.size()));
        offset += (text.size() + 1) * sizeof(char16_t);
        strings.push_back(to_utf8(text));
    }
    return strings;
}

std::vector<std::byte> dump_of(std::span<const std::byte> packet, std::size_t size) {
    constexpr std::size_t offset = offsetof(IO_ERROR_LOG_PACKET, DumpData);
    const auto data = packet.subspan(offset, std::min(size, packet.size() - offset));
    return {data.begin(), data.end()};
}

} // namespace

void MachineImpl::error_logged(const ke::LoggedError& error) {
    IO_ERROR_LOG_PACKET packet;
    std::memcpy(&packet, error.packet.data(), sizeof packet);
    if (error_log.size() == most_entries) error_log.erase(error_log.begin());
    error_log.push_back({.time = std::chrono::nanoseconds(error.time),
                         .driver = text_of(error.driver),
                         .device = text_of(error.device),
                         .error_code = static_cast<std::uint32_t>(packet.ErrorCode),
                         .unique_value = packet.UniqueErrorValue,
                         .final_status = static_cast<std::uint32_t>(packet.FinalStatus),
                         .sequence_number = packet.SequenceNumber,
                         .control_code = packet.IoControlCode,
                         .device_offset = packet.DeviceOffset.QuadPart,
                         .category = packet.EventCategory,
                         .major_function = packet.MajorFunctionCode,
                         .retry_count = packet.RetryCount,
                         .dump_data = dump_of(error.packet, packet.DumpDataSize),
                         .strings = strings_of(error.packet, packet.StringOffset, packet.NumberOfStrings)});
}

} // namespace dirql::api
