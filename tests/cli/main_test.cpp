// The program's own words.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::dirql;
using cli_test::Workplace;

TEST_CASE("help and version go to stdout") {
    const Workplace place;
    for (const auto* word : {"--help", "-h", "help"}) {
        const auto help = dirql(place, {word});
        CHECK(help.status == 0);
        CHECK(help.out.find("usage: dirql COMMAND") == 0);
        for (const auto* command : {"\n  cc ", "\n  run ", "\n  exports "})
            CHECK(help.out.find(command) != std::string::npos);
    }
    const auto version = dirql(place, {"--version"});
    CHECK(version.status == 0);
    CHECK(version.out.find("dirql ") == 0);
    CHECK(dirql(place, {"cc", "--help"}).out.find("usage: dirql cc") == 0);
    CHECK(dirql(place, {"exports", "--help"}).out.find("usage: dirql exports") == 0);
}

TEST_CASE("an unknown command is a usage error of one line") {
    const Workplace place;
    const auto none = dirql(place, {});
    CHECK(none.status == 2);
    CHECK(none.err == "dirql: no command (dirql --help lists them)\n");
    const auto unknown = dirql(place, {"compile"});
    CHECK(unknown.status == 2);
    CHECK(unknown.err == "dirql: unknown command 'compile' (dirql --help lists them)\n");
}

TEST_CASE("exports are listed with what is known of each") {
    const Workplace place;
    const auto one = dirql(place, {"exports", "IofCompleteRequest"});
    CHECK(one.status == 0);
    CHECK(one.out.find("IofCompleteRequest\tfunction\tntoskrnl\t0..2\t") == 0);
    const auto family = dirql(place, {"exports", "IoCreate*"});
    CHECK(family.out.find("IoCreateDevice\t") != std::string::npos);
    CHECK(family.out.find("KeSetEvent\t") == std::string::npos);
    CHECK(dirql(place, {"exports"}).out.size() > family.out.size());
    const auto absent = dirql(place, {"exports", "IoNoSuchFunction"});
    CHECK(absent.status == 5);
    CHECK(absent.err == "dirql exports: IoNoSuchFunction: not in the table\n");
    CHECK(dirql(place, {"exports", "--csv"}).status == 2);
}
