// Whoever builds a driver, a __try that stands in one of its headers has its source compiled unoptimised.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::compilers;
using cli_test::dirql;
using cli_test::Workplace;

TEST_CASE("a handler in a header sees the locals as the fault left them") {
    const Workplace place;
    std::vector<std::string> plug_ins{PLUG_IN_seh_in_header};
    for (const auto& compiler : compilers()) {
        const auto built = dirql(place, {"cc", "--compiler", compiler, "-O2", "-I", HEADERS_seh_in_header, "-o",
                                         compiler + ".so", SOURCE_seh_in_header});
        REQUIRE(built.status == 0);
        plug_ins.push_back(compiler + ".so");
    }
    for (const auto& plug_in : plug_ins) {
        CAPTURE(plug_in);
        CHECK(dirql(place, {"run", plug_in}).out == "2\n");
    }
}
