#include "catch.hpp"
#include "support/random.hpp"
#include "rtl/calendar.hpp"

#include <ctime>

using namespace dirql;
using rtl::CalendarTime;

TEST_CASE("the epoch is Monday, 1 January 1601", "[time]") {
    const CalendarTime time = rtl::to_calendar(0);
    CHECK(time.year == 1601);
    CHECK(time.month == 1);
    CHECK(time.day == 1);
    CHECK(time.weekday == 1);
    CHECK(time.hour + time.minute + time.second + time.millisecond == 0);
}

TEST_CASE("system time agrees with the host's calendar", "[time]") {
    test::Random random(20);
    for (int step = 0; step < test::property_steps; ++step) {
        const auto seconds = static_cast<std::time_t>(random.next() % 20'000'000'000) - 10'000'000'000;
        const auto milliseconds = static_cast<std::int64_t>(random.below(1000));
        const std::int64_t ticks =
            (seconds + rtl::seconds_1601_to_1970) * rtl::ticks_per_second + milliseconds * rtl::ticks_per_millisecond;
        const CalendarTime ours = rtl::to_calendar(ticks + static_cast<std::int64_t>(random.below(10'000)));
        std::tm theirs{};
        gmtime_r(&seconds, &theirs);
        REQUIRE(ours.year == theirs.tm_year + 1900);
        REQUIRE(ours.month == theirs.tm_mon + 1);
        REQUIRE(ours.day == theirs.tm_mday);
        REQUIRE(ours.hour == theirs.tm_hour);
        REQUIRE(ours.minute == theirs.tm_min);
        REQUIRE(ours.second == theirs.tm_sec);
        REQUIRE(ours.millisecond == milliseconds);
        REQUIRE(ours.weekday == theirs.tm_wday);
        REQUIRE(rtl::to_system_time(ours) == ticks);
    }
}

TEST_CASE("impossible times are refused", "[time]") {
    const CalendarTime good = {2024, 2, 29, 23, 59, 59, 999, 0};
    CHECK(rtl::to_system_time(good).has_value());
    const auto refused = [good](auto change) {
        CalendarTime time = good;
        change(time);
        return !rtl::to_system_time(time).has_value();
    };
    CHECK(refused([](auto& t) { t.year = 2023; })); // no leap year
    CHECK(refused([](auto& t) { t.year = 1600; }));
    CHECK(refused([](auto& t) { t.year = 30828; }));
    CHECK(refused([](auto& t) { t.month = 0; }));
    CHECK(refused([](auto& t) { t.month = 13; }));
    CHECK(refused([](auto& t) { t.day = 0; }));
    CHECK(refused([](auto& t) { t.day = 30; }));
    CHECK(refused([](auto& t) { t.hour = 24; }));
    CHECK(refused([](auto& t) { t.minute = 60; }));
    CHECK(refused([](auto& t) { t.second = 60; }));
    CHECK(refused([](auto& t) { t.millisecond = 1000; }));
    CHECK(refused([](auto& t) { t.millisecond = -1; }));
    CHECK_FALSE(refused([](auto& t) { t.weekday = 9; })); // ignored
}

TEST_CASE("seconds since 1970 hold 32 bits", "[time]") {
    const std::int64_t epoch = rtl::seconds_1601_to_1970 * rtl::ticks_per_second;
    CHECK(rtl::to_seconds_since(rtl::seconds_1601_to_1970, epoch) == 0u);
    CHECK(rtl::to_seconds_since(rtl::seconds_1601_to_1970, epoch + rtl::ticks_per_second - 1) == 0u);
    CHECK_FALSE(rtl::to_seconds_since(rtl::seconds_1601_to_1970, epoch - 1).has_value());
    const std::int64_t last = epoch + std::int64_t{UINT32_MAX} * rtl::ticks_per_second;
    CHECK(rtl::to_seconds_since(rtl::seconds_1601_to_1970, last) == UINT32_MAX);
    CHECK_FALSE(rtl::to_seconds_since(rtl::seconds_1601_to_1970, last + rtl::ticks_per_second).has_value());
    CHECK(rtl::to_system_time({1980, 1, 1, 0, 0, 0, 0, 0}) == rtl::seconds_1601_to_1980 * rtl::ticks_per_second);
}
