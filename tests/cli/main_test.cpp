// The program's own words.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::dirql;
using cli_test::dirql_redirected;
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
    CHECK(one.out == "IofCompleteRequest full ntoskrnl PASSIVE..DISPATCH\n");
    const auto family = dirql(place, {"exports", "IoCreate*"});
    CHECK(family.out.find("IoCreateSymbolicLink full ntoskrnl PASSIVE..PASSIVE\n") != std::string::npos);
    CHECK(family.out.find("KeSetEvent ") == std::string::npos);
    CHECK(dirql(place, {"exports"}).out.size() > family.out.size());
    const auto absent = dirql(place, {"exports", "IoNoSuchFunction"});
    CHECK(absent.status == 5);
    CHECK(absent.err == "dirql exports: IoNoSuchFunction: not in the table\n");
    CHECK(dirql(place, {"exports", "--csv"}).status == 2);
}

TEST_CASE("output that cannot be written is told, with exit status 2") {
    const Workplace place;
    const std::string line = "dirql: stdout: not all of the output could be written\n";
    for (const auto* stdout_without_room : {">/dev/full", ">&-"}) {
        for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
                 {"--help"}, {"--version"}, {"exports"}, {"exports", "IofCompleteRequest"}, {"cc", "--help"}}) {
            CAPTURE(words, stdout_without_room);
            const auto result = dirql_redirected(place, words, stdout_without_room);
            CHECK(result.status == 2);
            CHECK(result.err == line);
        }
    }
    const auto absent = dirql_redirected(place, {"exports", "IoNoSuchFunction", "IofCompleteRequest"}, ">/dev/full");
    CHECK(absent.status == 5); // what went wrong first
    CHECK(absent.err == "dirql exports: IoNoSuchFunction: not in the table\n" + line);
}

TEST_CASE("a message that cannot be written changes no exit status, and lands in no file") {
    const Workplace place;
    for (const auto* stderr_without_room : {"2>/dev/full", "2>&-"}) {
        CHECK(dirql_redirected(place, {}, stderr_without_room).status == 2);
        CHECK(dirql_redirected(place, {"cc", "nosuch.c"}, stderr_without_room).status == 2);
        CHECK(dirql_redirected(place, {"exports", "IoNoSuchFunction"}, stderr_without_room).status == 5);
    }
    place.write("text.so", "not a driver\n");
    CHECK(dirql_redirected(place, {"run", "text.so", "--trace", "trace"}, "2>&-").status == 5);
    CHECK(place.read("trace").find("dirql") == std::string::npos);
}
