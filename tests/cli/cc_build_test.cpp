// Drivers' sources that build: Windows spellings, both languages, both compilers.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::compilers;
using cli_test::dirql;
using cli_test::undefined_names;
using cli_test::Workplace;

namespace {

constexpr const char* entry = "int DriverEntry(void* driver, void* path) { (void)driver; (void)path; return VALUE; }\n";

// Builds, shows what went wrong if it did, and says whether the output is there.
bool builds(const Workplace& place, std::vector<std::string> words) {
    words.insert(words.begin(), "cc");
    const auto result = dirql(place, words);
    if (result.status != 0) UNSCOPED_INFO(result.err);
    return result.status == 0;
}

std::string macros_seen(const Workplace& place, std::vector<std::string> words) {
    words.insert(words.begin(), "cc");
    return dirql(place, words).err;
}

} // namespace

TEST_CASE("a plug-in is named after its first source") {
    const Workplace place;
    place.write("src/My Driver.c", std::string("#define VALUE 0\n") + entry);
    CHECK(builds(place, {"src/My Driver.c"}));
    CHECK(place.has("My Driver.so"));
}

TEST_CASE("includes in the wrong case and with backslashes, in directories with blanks") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("my driver/sys/Main.c",
                    std::string("#include \"..\\INC\\public.h\"\n#include \"PCH.H\"\n#pragma hdrstop\n") + entry);
        place.write("my driver/sys/pch.h", "#include \"..\\inc\\PUBLIC.H\"\n#include <Shared\\Values.h>\n");
        place.write("my driver/Inc/Public.h", "#pragma once\n#include \"Near.h\"\nstruct once { int a; };\n");
        place.write("my driver/Inc/near.h", "#define NEAR_VALUE 1\n");
        place.write("my driver/common/shared/values.h", "#define VALUE NEAR_VALUE\n");
        CHECK(
            builds(place, {"--compiler", compiler, "-o", "out.so", "-I", "my driver/common", "my driver/sys/Main.c"}));
    }
}

TEST_CASE("two directories' headers of one name stay apart") {
    const Workplace place;
    place.write("a/a.c", std::string("#include \"Common.h\"\n") + entry);
    place.write("b/b.c", "#include \"Common.h\"\n#if VALUE != 2\n#error wrong header\n#endif\n");
    place.write("a/common.h", "#define VALUE 1\n");
    place.write("b/common.h", "#define VALUE 2\n");
    CHECK(builds(place, {"-o", "out.so", "a/a.c", "b/b.c"}));
}

TEST_CASE("C and C++ in one driver, with any suffix") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("entry.CPP",
                    "extern \"C\" int helper(); extern \"C\" int DriverEntry(void*, void*) { return helper(); }\n");
        place.write("helper.C", "int helper(void) { int class = 1; return class; }\n"); // a C file indeed
        CHECK(builds(place, {"--compiler", compiler, "-o", "out.so", "entry.CPP", "helper.C"}));
        CHECK(builds(place, {"--compiler", compiler, "--no-preempt", "-o", "out.so", "entry.CPP", "helper.C"}));
        CHECK(undefined_names(place, "out.so").empty());
    }
}

TEST_CASE("the compiler is taken from the environment, one for both languages if need be") {
    const Workplace place;
    place.write("bin/my cc", "#!/bin/sh\necho \"$0 $*\" >>calls\nexec gcc \"$@\"\n");
    place.make_executable("bin/my cc");
    place.write("a.c", std::string("#define VALUE 0\n") + entry);
    place.write("b.cpp", "int b() { return 1; }\n");
    const std::string compiler = (place.path() / "bin/my cc").string();
    CHECK(dirql(place, {"cc", "a.c"}, {"CC=" + compiler}).status == 0);
    CHECK(place.read("calls").find("-x c -O2 ") != std::string::npos);
    CHECK(place.read("calls").find(" -std=gnu17 ") != std::string::npos);
    CHECK(dirql(place, {"cc", "a.c", "b.cpp"}, {"CXX=" + compiler}).status == 0);
    CHECK(place.read("calls").find("-x c++ -O2 ") != std::string::npos);
    CHECK(place.read("calls").find(" -std=gnu++17 ") != std::string::npos);
    CHECK(dirql(place, {"cc", "a.c"}, {"CC=env FROM_TEST=1 gcc"}).status == 0); // a launcher and its arguments
}

TEST_CASE("what Windows sources expect of the dialect") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c", R"(
typedef unsigned short WCHAR_T;
_Static_assert(sizeof(L' ') == 2, "wide characters have 16 bits");
struct named { union { int x; struct { short low, high; }; }; };
struct outer { struct named; int y; };
int tentative;
#pragma warning(disable: 4100)
#pragma prefast(suppress: 1, "why")
#pragma alloc_text(PAGE, DriverEntry)
#pragma code_seg("PAGE")
#if !defined(_WIN32) || !_AMD64_ || !DBG || _WIN32_WINNT != 0x0A00 || defined(__linux)
#error
#endif
int DriverEntry(void* driver, void* path) { struct outer o = {0}; (void)driver; (void)path; return o.low + 'abcd'; }
)");
        place.write("b.c", "int tentative; int b(void) { return tentative; }\n");
        const auto result = dirql(place, {"cc", "--compiler", compiler, "-U__linux", "a.c", "b.c"});
        CHECK(result.status == 0);
        CHECK(result.err.empty());
    }
}

TEST_CASE("a definition of the user's replaces dirql's own") {
    const Workplace place;
    const std::string source =
        "#ifdef DBG\n#define SHOW(x) SHOW_(x)\n#define SHOW_(x) #x\n#pragma message \"DBG=\" SHOW(DBG)\n#else\n"
        "#pragma message \"no DBG\"\n#endif\n#define VALUE 0\n";
    place.write("a.c", source + entry);
    CHECK(macros_seen(place, {"a.c"}).find("DBG=1") != std::string::npos);
    const auto free_build = macros_seen(place, {"-DDBG=0", "a.c"});
    CHECK(free_build.find("DBG=0") != std::string::npos);
    CHECK(free_build.find("redefined") == std::string::npos);
    CHECK(macros_seen(place, {"-UDBG", "a.c"}).find("no DBG") != std::string::npos);
}

TEST_CASE("nothing of the host's C library is found by an include") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write(
            "a.c",
            std::string(
                "#include <stdarg.h>\n#include <stddef.h>\n#if __has_include(<unistd.h>) || __has_include(<stdlib.h>) "
                "&& !defined(_KERNEL_MODE)\n#error host\n#endif\n#define VALUE 0\n") +
                entry);
        CHECK(builds(place, {"--compiler", compiler, "a.c"}));
        place.write("b.cpp", "#include <vector>\n");
        CHECK(dirql(place, {"cc", "--compiler", compiler, "-o", "b.so", "b.cpp"}).status == 1);
    }
}

TEST_CASE("SEH sources are not optimised, others are") {
    const Workplace place;
    const std::string tell =
        "#ifdef __OPTIMIZE__\n#pragma message \"optimised\"\n#else\n#pragma message \"unoptimised\"\n#endif\n";
    const std::string macros = "#define VALUE 0\n#define try if (1)\n#define except(x) else\n";
    place.write("plain.c", tell + macros + entry);
    place.write("seh.c", tell + macros + "int g(void) { try { return 1; } except(1) { return 2; } }\n" + entry);
    CHECK(macros_seen(place, {"plain.c"}).find("message: optimised") != std::string::npos);
    CHECK(macros_seen(place, {"seh.c"}).find("unoptimised") != std::string::npos);
    CHECK(macros_seen(place, {"-O3", "seh.c"}).find("unoptimised") != std::string::npos);
    CHECK(macros_seen(place, {"-O0", "plain.c"}).find("unoptimised") != std::string::npos);
}

TEST_CASE("each basic block is a preemption point, unless told otherwise") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c", std::string("#define VALUE (driver == path ? 1 : 2)\n") + entry);
        CHECK(builds(place, {"--compiler", compiler, "a.c"}));
        CHECK(undefined_names(place, "a.so") == "__sanitizer_cov_trace_pc\n");
        CHECK(builds(place, {"--compiler", compiler, "--no-preempt", "a.c"}));
        CHECK(undefined_names(place, "a.so").empty());
    }
}

TEST_CASE("UTF-16 sources, and those with the old end of file") {
    using namespace std::string_view_literals;
    for (const auto& compiler : compilers()) {
        const Workplace place;
        std::string wide = "\xff\xfe";
        for (const char c : std::string("#include \"odd.H\"\n") + entry) wide.append({c, '\0'});
        place.write("wide.c", wide);
        place.write("Odd.h", "#define VALUE 5\n\x1a\0\0"sv);
        CHECK(builds(place, {"--compiler", compiler, "wide.c"}));
    }
}

TEST_CASE("sized integer constants have Microsoft's width") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c",
                    std::string("#define VALUE 0\n_Static_assert(sizeof(1i64) == 8 && 0xFFFFFFFFFFFFFFFFui64 > 0 && "
                                "sizeof(1ui32) == 4, \"\");\n") +
                        entry);
        CHECK(builds(place, {"--compiler", compiler, "a.c"}));
    }
}

TEST_CASE("macros that only the Microsoft preprocessor accepts") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write(
            "a.c", std::string(
                       "#define WIDE(x) L#x\n#define SAY(text) (\"a driver: \"##text)\n#define FIELD(p, m) ((p)->##m)\n"
                       "struct s { int m; } object;\n"
                       "_Static_assert(sizeof(WIDE(abc)) == 8 && sizeof(SAY(\"x\")) == 12, \"\");\n"
                       "#define VALUE FIELD(&object, m)\n") +
                       entry);
        CHECK(builds(place, {"--compiler", compiler, "a.c"}));
    }
}

TEST_CASE("a parent's neighbours are found as the Microsoft compiler finds them") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("src/a.c", std::string("#include \"..\\lib\\lib.h\"\n") + entry);
        place.write("lib/lib.h", "#include \"config.h\"\n");
        place.write("src/config.h", "#define VALUE 9\n");
        CHECK(builds(place, {"--compiler", compiler, "src/a.c"}));
    }
}

TEST_CASE("many sources are compiled side by side into one plug-in") {
    const Workplace place;
    std::vector<std::string> words{"-o", "many.so"};
    std::string calls;
    for (int i = 0; i < 24; ++i) {
        const std::string number = std::to_string(i);
        place.write("part" + number + ".c", "int part" + number + "(void) { return " + number + "; }\n");
        words.push_back("part" + number + ".c");
        calls += " + part" + number + "()";
    }
    place.write("entry.c", "#define VALUE 0" + calls + "\n" + entry);
    words.push_back("entry.c");
    words.push_back("-Wno-implicit-function-declaration");
    CHECK(builds(place, words));
}

TEST_CASE("--integrity sets the flag in the image") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c", std::string("#define VALUE 0\n") + entry);
        const auto flag = [&] {
            return cli_test::run(place, {"nm", "-D", "a.so"}).out.find("A dirql_force_integrity");
        };
        CHECK(builds(place, {"--compiler", compiler, "a.c"}));
        CHECK(flag() == std::string::npos);
        CHECK(builds(place, {"--compiler", compiler, "--integrity", "a.c"}));
        CHECK(flag() != std::string::npos);
    }
}
