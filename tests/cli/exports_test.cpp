// `dirql exports --missing` and the absent names: what a driver would lack.
#include "tool.hpp"

#include "cli/exports_missing.hpp"

#include <catch.hpp>

#include <string>
#include <vector>

using cli_test::Workplace;
using dirql::cli::SourceNames;

namespace {

std::vector<std::string> foreign(std::string_view text) {
    SourceNames names;
    names.add("x.c", text);
    std::vector<std::string> found;
    for (const auto& [name, place] : names.foreign()) found.push_back(name);
    return found;
}

} // namespace

TEST_CASE("names are found where they are code") {
    using Names = std::vector<std::string>;
    CHECK(foreign("// Comment\nint a; /* Two\nthree */ b();").size() == 3); // int too
    CHECK(foreign("\"text \\\" more\" 'c' 0x1Fu 1.5e3 a") == Names{"a"});
    CHECK(foreign("#define MADE(x) used(x)\nMADE(y);") == Names{"define", "used", "x", "y"});
    CHECK(foreign("#define LONG_ONE \\\n  used\nLONG_ONE") == Names{"define", "used"});
    CHECK(foreign("void Made(int a) { Used(a); }\nint t(void) { Made(1); }") == Names{"Used", "a", "int", "void"});
    // Declared is not made.
    CHECK(foreign("void Declared(int);\n") == Names{"Declared", "int", "void"});
    CHECK(foreign("extern \"C\" { void Made(void) { } }") == Names{"extern", "void"});
    CHECK(foreign("\"unfinished\na") == Names{"a"});
    CHECK(foreign("/* unfinished a").empty());
    CHECK(foreign("").empty());
}

TEST_CASE("a name is told with the place where it stands first") {
    SourceNames names;
    names.add("a.c", "\n\n  Once();\n Once();");
    names.add("b.c", "Once();");
    const auto found = names.foreign();
    REQUIRE(found.size() == 1);
    CHECK(found.at("Once").file == "a.c");
    CHECK(found.at("Once").line == 3);
}

TEST_CASE("what a driver's sources lack is listed in the table's format") {
    const Workplace place;
    place.write("driver/main.c", "#include <ntddk.h>\n// IoGetDmaAdapter is only mentioned\n"
                                 "void f(void) { KeSetEvent(0, 0, 0); FltRegisterFilter(0, 0, 0); }\n");
    place.write("driver/below/more.CPP", "void g() {\n  IoCsqNoSuchThing();\n  FltStartFiltering(0);\n}\n");
    place.write("driver/notes.txt", "FltClose");
    const auto missing = cli_test::dirql(place, {"exports", "--missing", "driver"});
    CHECK(missing.status == 5);
    CHECK(missing.err.empty());
    CHECK(missing.out ==
          "FltRegisterFilter absent fltmgr PASSIVE..APC documented in fltkernel.h [driver/main.c:3]\n"
          "FltStartFiltering absent fltmgr PASSIVE..APC documented in fltkernel.h [driver/below/more.CPP:3]\n");
    place.write("own.c",
                "void FltRegisterFilter(void) { }\nvoid f(void) { FltRegisterFilter(); KeSetEvent(0, 0, 0); }");
    const auto nothing = cli_test::dirql(place, {"exports", "--missing", "own.c"});
    CHECK(nothing.status == 0);
    CHECK(nothing.out.empty());
}

TEST_CASE("sources that cannot be read are told one by one, and nothing else is") {
    const Workplace place;
    place.write("a.c", "FltRegisterFilter();");
    const auto unreadable = cli_test::dirql(place, {"exports", "--missing", "a.c", "none.c", "nowhere"});
    CHECK(unreadable.status == 2);
    CHECK(unreadable.out.empty());
    CHECK(unreadable.err == "dirql exports: none.c: cannot be read\ndirql exports: nowhere: cannot be read\n");
    CHECK(cli_test::dirql(place, {"exports", "--missing"}).status == 2);
    CHECK(cli_test::dirql(place, {"exports", "--missing", "--absent", "a.c"}).status == 2);
    place.write("empty/readme.txt", "");
    CHECK(cli_test::dirql(place, {"exports", "--missing", "empty"}).err ==
          "dirql exports: empty: no C or C++ sources\n");
}

TEST_CASE("absent names are told of when asked for") {
    const Workplace place;
    const auto one = cli_test::dirql(place, {"exports", "FltRegisterFilter"});
    CHECK(one.status == 5);
    CHECK(one.out == "FltRegisterFilter absent fltmgr PASSIVE..APC documented in fltkernel.h\n");
    CHECK(cli_test::dirql(place, {"exports", "Flt*"}).out.empty());
    const auto family = cli_test::dirql(place, {"exports", "--absent", "Flt*"});
    CHECK(family.status == 0);
    CHECK(family.out.find("\nFltStartFiltering absent ") != std::string::npos);
}
