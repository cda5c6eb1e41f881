#include "rtl/calendar.hpp"

#include <chrono>

namespace dirql::rtl {
namespace {

using namespace std::chrono;

constexpr sys_days first_day = sys_days{year{1601} / January / 1};
constexpr std::int64_t ticks_per_day = 86'400 * ticks_per_second;
constexpr int last_year = 30'827;

constexpr bool within(int value, int first, int last) { return value >= first && value <= last; }

constexpr bool is_valid_clock(const CalendarTime& time) {
    return within(time.hour, 0, 23) && within(time.minute, 0, 59) && within(time.second, 0, 59) &&
           within(time.millisecond, 0, 999);
}

} // namespace

CalendarTime to_calendar(std::int64_t system_time) noexcept {
    const std::int64_t day_number = system_time / ticks_per_day - (system_time % ticks_per_day < 0);
    const auto of_day = static_cast<int>((system_time - day_number * ticks_per_day) / ticks_per_millisecond);
    const sys_days date = first_day + days{day_number};
    const year_month_day ymd{date};
    return {static_cast<int>(ymd.year()),
            static_cast<int>(static_cast<unsigned>(ymd.month())),
            static_cast<int>(static_cast<unsigned>(ymd.day())),
            of_day / 3'600'000,
            of_day / 60'000 % 60,
            of_day / 1000 % 60,
            of_day % 1000,
            static_cast<int>(weekday{date}.c_encoding())};
}

std::optional<std::int64_t> to_system_time(const CalendarTime& time) noexcept {
    if (!within(time.year, 1601, last_year) || !within(time.month, 1, 12) || !within(time.day, 1, 31) ||
        !is_valid_clock(time))
        return std::nullopt;
    const year_month_day ymd = year{time.year} / month{static_cast<unsigned>(time.month)} / time.day;
    if (!ymd.ok()) return std::nullopt;
    const std::int64_t day_number = (sys_days{ymd} - first_day).count();
    const std::int64_t milliseconds =
        ((time.hour * 60 + time.minute) * 60 + time.second) * std::int64_t{1000} + time.millisecond;
    return day_number * ticks_per_day + milliseconds * ticks_per_millisecond;
}

std::optional<std::uint32_t> to_seconds_since(std::int64_t epoch, std::int64_t system_time) noexcept {
    const std::int64_t seconds = system_time / ticks_per_second - epoch;
    if (system_time < epoch * ticks_per_second || seconds > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(seconds);
}

} // namespace dirql::rtl
