// System time and the calendar. System time counts 100 ns intervals since 1 January 1601, in the Gregorian calendar.
#pragma once

#include <cstdint>
#include <optional>

namespace dirql::rtl {

inline constexpr std::int64_t ticks_per_millisecond = 10'000;
inline constexpr std::int64_t ticks_per_second = 10'000'000;
inline constexpr std::int64_t seconds_1601_to_1970 = 11'644'473'600;
inline constexpr std::int64_t seconds_1601_to_1980 = 11'960'006'400;

struct CalendarTime {
    int year, month, day; // month and day from 1
    int hour, minute, second, millisecond;
    int weekday; // 0 is Sunday; ignored when converting to system time
};

// What is finer than a millisecond is dropped.
[[nodiscard]] CalendarTime to_calendar(std::int64_t system_time) noexcept;

// Empty when a field is out of its range, the day is not in the month, or the year not in 1601 to 30827.
[[nodiscard]] std::optional<std::int64_t> to_system_time(const CalendarTime& time) noexcept;

// Seconds since a later epoch (see the constants above). Empty before the epoch and when 32 bits do not hold them.
[[nodiscard]] std::optional<std::uint32_t> to_seconds_since(std::int64_t epoch, std::int64_t system_time) noexcept;

} // namespace dirql::rtl
