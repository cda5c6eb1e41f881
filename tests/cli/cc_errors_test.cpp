// Builds that fail: what is said, the exit status, and what is left behind.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::compilers;
using cli_test::dirql;
using cli_test::Workplace;

namespace {

constexpr const char* entry = "int DriverEntry(void* driver, void* path) { (void)driver; (void)path; return use(); }\n";

std::size_t files_in(const std::filesystem::path& directory) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

} // namespace

TEST_CASE("missing functions are all named, each with what it may be") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c",
                    std::string("void IoNoSuchFunction(void); void FsRtlNoSuch(void); int printf(const char*, ...); "
                                "int puts(const char*);\n"
                                "void* malloc(unsigned long); void WdfDriverNoSuch(void); extern int other_file;\n"
                                "static int use(void) { IoNoSuchFunction(); FsRtlNoSuch(); WdfDriverNoSuch();\n"
                                "return printf(\"%p\", malloc(4)) + printf(\"x\") + puts(\"\") + other_file; }\n") +
                        entry);
        place.write("a.so", "an older build");
        const auto result = dirql(place, {"cc", "--compiler", compiler, "a.c"});
        CHECK(result.status == 5);
        CHECK(has_line(result.err, "dirql cc: IoNoSuchFunction: kernel function that dirql does not have"));
        CHECK(has_line(result.err, "dirql cc: FsRtlNoSuch: kernel function that dirql does not have"));
        CHECK(has_line(result.err, "dirql cc: malloc: only the host's C library has it; a kernel does not"));
        CHECK(has_line(result.err, "dirql cc: puts: only the host's C library has it; a kernel does not"));
        CHECK(result.err.find("putchar") == std::string::npos); // which compilers would make of these
        CHECK(has_line(result.err, "dirql cc: printf: only the host's C library has it; a kernel does not"));
        CHECK(
            has_line(result.err,
                     "dirql cc: WdfDriverNoSuch: function of the driver framework (KMDF), which dirql does not have"));
        CHECK(has_line(result.err, "dirql cc: other_file: neither the sources nor dirql define it"));
        CHECK(files_in(place.path()) == 1); // the source; no output, new or old
    }
}

TEST_CASE("an undeclared kernel function is one that dirql does not have, not a syntax error") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c", std::string("static int use(void) { KeNotDeclared(1); return 0; }\n") + entry);
        const auto result = dirql(place, {"cc", "--compiler", compiler, "a.c"});
        CHECK(result.status == 5);
        CHECK(has_line(result.err, "dirql cc: KeNotDeclared: kernel function that dirql does not have"));
    }
}

TEST_CASE("a C++ driver's run-time is named too") {
    const Workplace place;
    place.write(
        "a.cpp",
        "int* kept;\nextern \"C\" int DriverEntry(int* driver, void*) { kept = new int(*driver); return 0; }\n");
    const auto result = dirql(place, {"cc", "a.cpp"});
    CHECK(result.status == 5);
    CHECK(has_line(result.err, "dirql cc: _Znwm: operator new, which a driver has to define itself"));
}

TEST_CASE("no plug-in without DriverEntry") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("a.c", "int helper(void) { return 0; }\n");
        const auto result = dirql(place, {"cc", "--compiler", compiler, "a.c"});
        CHECK(result.status == 5);
        CHECK(result.err == "dirql cc: no DriverEntry function\n");
        CHECK(files_in(place.path()) == 1);
    }
}

TEST_CASE("no plug-in with static constructors") {
    const Workplace place;
    place.write("a.cpp", "struct Global { int v; Global(); }; Global::Global() : v(1) {}\nGlobal global;\n"
                         "extern \"C\" int DriverEntry(void*, void*) { return global.v; }\n");
    const auto result = dirql(place, {"cc", "a.cpp"});
    CHECK(result.status == 5);
    CHECK(result.err.find("dirql cc: a static constructor") == 0);
    CHECK_FALSE(place.has("a.so"));
}

TEST_CASE("compile errors are the compiler's own, of all sources, and name the originals") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        place.write("src/a.c", "#include \"Odd.h\"\nint a = undeclared_a;\n");
        place.write("src/odd.h", "#define ODD\n\nint odd = undeclared_odd;\n");
        place.write("src/b.c", "int b = undeclared_b;\n");
        const auto result = dirql(place, {"cc", "--compiler", compiler, "src/a.c", "src/b.c"});
        CHECK(result.status == 1);
        CHECK(result.err.find("src/a.c:2:9: error:") != std::string::npos);
        CHECK(result.err.find("src/odd.h:3:11: error:") != std::string::npos);
        CHECK(result.err.find("src/b.c:1:9: error:") != std::string::npos);
        CHECK(result.err.find("dirql-cc-") == std::string::npos); // no temporary path
        CHECK(files_in(place.path()) == 1);
    }
}

TEST_CASE("link errors are the linker's own") {
    const Workplace place;
    place.write("a.c", std::string("int twice(void) { return 1; }\nstatic int use(void) { return 0; }\n") + entry);
    place.write("b.c", "int twice(void) { return 2; }\n");
    const auto result = dirql(place, {"cc", "a.c", "b.c"});
    CHECK(result.status == 1);
    CHECK(result.err.find("multiple definition of `twice'") != std::string::npos);
    CHECK_FALSE(place.has("a.so"));
}

TEST_CASE("usage errors are one line and touch nothing") {
    const Workplace place;
    place.write("a.c", std::string("static int use(void) { return 0; }\n") + entry);
    place.write("a.so", "an older build");
    const auto one_line = [&](std::vector<std::string> words, const std::string& expected) {
        words.insert(words.begin(), "cc");
        const auto result = dirql(place, words);
        CHECK(result.status == 2);
        CHECK(result.err == "dirql cc: " + expected + "\n");
        CHECK(result.out.empty());
        CHECK(place.read("a.so") == "an older build");
    };
    one_line({}, "no sources (dirql cc --help shows how)");
    one_line({"--frobnicate", "a.c"}, "unknown option '--frobnicate' (dirql cc --help lists them)");
    one_line({"absent.c"}, "absent.c: no such file");
    one_line({"--include-root", "nowhere", "a.c"}, "--include-root nowhere: no directories km and shared there");
}

TEST_CASE("a compiler that is none is said to be none") {
    const Workplace place;
    place.write("a.c", std::string("static int use(void) { return 0; }\n") + entry);
    CHECK(dirql(place, {"cc", "--compiler", "no-such-cc", "a.c"}).err ==
          "dirql cc: no-such-cc cannot be run: No such file or directory\n");
    const auto result = dirql(place, {"cc", "a.c"}, {"CC=true"});
    CHECK(result.status == 2);
    CHECK(result.err == "dirql cc: true: neither gcc nor clang\n");
}

TEST_CASE("resources are passed over with a note") {
    const Workplace place;
    place.write("a.c", std::string("static int use(void) { return 0; }\n") + entry);
    const auto result = dirql(place, {"cc", "a.c", "a.rc"});
    CHECK(result.status == 0);
    CHECK(result.err == "dirql cc: a.rc: passed over: resources are not part of a plug-in\n");
}

TEST_CASE("no temporary file outlives a build, a failure or an interrupt") {
    const Workplace place;
    place.write("tmp/keep", "");
    place.write("good.c", std::string("static int use(void) { return 0; }\n") + entry);
    place.write("bad.c", "#error no\n");
    place.write("slow", "#!/bin/sh\ncase \"$*\" in *-dM*|*-print*) exec gcc \"$@\";; esac\n"
                        "touch $TMPDIR/litter; kill -TERM $PARENT_OF_ALL 2>/dev/null; kill -TERM $PPID; sleep 60\n");
    place.make_executable("slow");
    const std::vector<std::string> environment{"TMPDIR=" + (place.path() / "tmp").string()};
    CHECK(dirql(place, {"cc", "good.c"}, environment).status == 0);
    CHECK(dirql(place, {"cc", "bad.c"}, environment).status == 1);
    CHECK(dirql(place, {"cc", "--compiler", "./slow", "good.c"}, environment).status == 128 + 15);
    CHECK(files_in(place.path() / "tmp") == 1);
    CHECK_FALSE(place.has("good.so"));
}
