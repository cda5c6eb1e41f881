// Macros, inlines and the safe strings and integers as a driver uses them: compiled by the drivers' flags, in C and C++.
#include "catch.hpp"

#include "ddk_dialect_driver.hpp"
#include "dialect/check.h"

TEST_CASE("each macro and inline does in the drivers' dialect what its document says") {
    CHECKS groups[16] = {};
    const auto ran = reinterpret_cast<NTSTATUS (*)(void*, void*)>(drivers::ddk_dialect.entry)(nullptr, groups);
    REQUIRE(ran == 9);
    for (NTSTATUS i = 0; i < ran; ++i) {
        const CHECKS& group = groups[i];
        INFO("group " << i << ": " << group.failed << " of " << group.made << " failed, first line " << group.line
                      << ": " << (group.first_failure == nullptr ? "" : group.first_failure));
        CHECK(group.failed == 0);
        CHECK(group.made >= 10);
    }
}
