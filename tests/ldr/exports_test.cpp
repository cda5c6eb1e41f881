// The export table against the data files it is made of.
#include "catch.hpp"

#include "ldr/exports.hpp"

#include <algorithm>
#include <set>
#include <string>

using namespace dirql::ldr;

TEST_CASE("exports are sorted and unique") {
    const auto all = exports();
    REQUIRE(all.size() > 100);
    const auto clash = std::ranges::adjacent_find(all, std::ranges::greater_equal{}, &Export::name);
    INFO("at " << (clash == all.end() ? "" : clash->name));
    CHECK(clash == all.end());
}

TEST_CASE("every export is found under its name") {
    for (const auto& each : exports()) {
        CAPTURE(each.name);
        REQUIRE(find_export(each.name) == &each);
        CHECK((each.address == nullptr) == (each.kind == ExportKind::inlined));
        CHECK(each.irql_min <= each.irql_max);
        if (each.kind == ExportKind::function) CHECK((each.image == "ntoskrnl" || each.image == "hal"));
        if (each.state == ExportState::partial) CHECK_FALSE(each.note.empty());
        CHECK(kernel_exports().resolve(each.name) == each.address);
    }
}

TEST_CASE("different functions have different addresses") {
    std::set<void*> addresses;
    for (const auto& each : exports())
        if (each.kind == ExportKind::function) CHECK(addresses.insert(each.address).second);
}

TEST_CASE("what is no export is not found") {
    for (const auto* name : {"", "IoNoSuchRoutine", "IoCreateDevic", "IoCreateDevice2", "iocreatedevice"})
        CHECK(find_export(name) == nullptr);
    CHECK(kernel_exports().resolve("IoNoSuchRoutine") == nullptr);
}

TEST_CASE("plug-ins never reach the host's C library") {
    CHECK(kernel_exports().resolve("fopen") == nullptr);
    CHECK(kernel_exports().resolve("malloc") == nullptr);
    const auto* copy = find_export("memcpy");
    REQUIRE(copy != nullptr);
    CHECK(copy->kind == ExportKind::crt);
}

TEST_CASE("undefined names are sorted by where they lead") {
    CHECK(origin_of_import("IofCallDriver") == ImportOrigin::kernel);
    CHECK(origin_of_import("memcpy") == ImportOrigin::kernel);
    CHECK(origin_of_import("fopen") == ImportOrigin::host);
    CHECK(origin_of_import("cbrt") == ImportOrigin::host);
    CHECK(origin_of_import("IoNoSuchRoutine") == ImportOrigin::unknown);
}

TEST_CASE("what compilers call on their own is there") {
    for (const auto* name : {"memcpy", "memset", "memmove", "memcmp", "__sanitizer_cov_trace_pc"})
        CHECK(kernel_exports().resolve(name) != nullptr);
}
