// dirql_add_driver's linked form behaves as a plug-in: names of its own, data that can be put back, dirql's C run-time.
#include "catch.hpp"

#include "left_driver.hpp"
#include "none_driver.hpp"
#include "probe.h"
#include "right_driver.hpp"

#include <cstddef>
#include <cstring>
#include <vector>

extern "C" {
int count_inline_calls(); // the host's
void* dirql_crt_memcpy(void*, const void*, std::size_t);
}

namespace {

probe ask(const dirql::LinkedDriver& driver) {
    probe answer{};
    reinterpret_cast<int (*)(void*, void*)>(driver.entry)(nullptr, &answer);
    return answer;
}

std::size_t size_between(const void* begin, const void* end) {
    return static_cast<std::size_t>(static_cast<const std::byte*>(end) - static_cast<const std::byte*>(begin));
}

// A driver's data as it is now, put back when this goes.
class SavedData {
public:
    explicit SavedData(const dirql::LinkedDriver& driver)
        : driver_(driver), data_(static_cast<std::byte*>(driver.data_begin), static_cast<std::byte*>(driver.data_end)) {
    }
    SavedData(const SavedData&) = delete;
    SavedData& operator=(const SavedData&) = delete;
    ~SavedData() {
        std::memcpy(driver_.data_begin, data_.data(), data_.size());
        std::memset(driver_.bss_begin, 0, size_between(driver_.bss_begin, driver_.bss_end));
    }

private:
    const dirql::LinkedDriver& driver_;
    std::vector<std::byte> data_;
};

} // namespace

TEST_CASE("a linked driver is called by its name") {
    CHECK(std::strcmp(drivers::left.name, "left") == 0);
    CHECK(std::strcmp(drivers::right.name, "right") == 0);
}

TEST_CASE("two drivers and the host each have their own globals of one name") {
    const SavedData left(drivers::left), right(drivers::right);
    CHECK(ask(drivers::left).count == 11);
    CHECK(ask(drivers::left).count == 12);
    CHECK(ask(drivers::right).count == 21);
    CHECK(count_inline_calls() == 101);
    CHECK(ask(drivers::left).inline_calls == 103);
    CHECK(ask(drivers::right).inline_calls == 102);
}

TEST_CASE("all writable data lies in the two ranges, so putting them back is a fresh load") {
    for (const auto* driver : {&drivers::left, &drivers::right}) {
        probe first{};
        {
            const SavedData data(*driver);
            first = ask(*driver);
            CHECK(ask(*driver).zero == 2);
        }
        const SavedData data(*driver);
        const probe again = ask(*driver);
        CHECK(again.count == first.first + 1);
        CHECK(again.zero == 1);
        CHECK(again.inline_calls == first.inline_calls);
        CHECK(*again.relocated == again.count);
        CHECK(static_cast<void*>(again.relocated) >= driver->data_begin);
        CHECK(static_cast<void*>(again.relocated) < driver->data_end);
    }
}

TEST_CASE("a driver without writable data has empty ranges") {
    CHECK(size_between(drivers::none.data_begin, drivers::none.data_end) == 0);
    CHECK(size_between(drivers::none.bss_begin, drivers::none.bss_end) == 0);
    CHECK(reinterpret_cast<int (*)(void*, void*)>(drivers::none.entry)(nullptr, nullptr) == 7);
}

TEST_CASE("each driver's code is a range of its own") {
    const auto holds = [](const dirql::LinkedDriver& driver, void* code) {
        return code >= driver.text_begin && code < driver.text_end;
    };
    for (const auto* driver : {&drivers::left, &drivers::right, &drivers::none}) {
        for (const auto* other : {&drivers::left, &drivers::right, &drivers::none})
            CHECK(holds(*driver, other->entry) == (driver == other));
        CHECK_FALSE(holds(*driver, reinterpret_cast<void*>(&count_inline_calls)));
    }
}

TEST_CASE("a driver calls dirql's C run-time, not the host's") {
    const SavedData left(drivers::left);
    CHECK(ask(drivers::left).memcpy_address == reinterpret_cast<void*>(&dirql_crt_memcpy));
}

TEST_CASE("driver code is compiled as the Microsoft dialect, and unoptimised where it uses SEH") {
    const SavedData left(drivers::left), right(drivers::right);
    CHECK(ask(drivers::left).wide_width == 2);
    CHECK(ask(drivers::left).optimised == 0);
    CHECK(ask(drivers::right).optimised == DRIVERS_OPTIMISED);
}
