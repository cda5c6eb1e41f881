// The command line of cc.
#include "catch.hpp"
#include "cli/cc_options.hpp"
#include "tool.hpp"

#include <initializer_list>

using namespace dirql::cli;

namespace {

using Words = std::vector<std::string>;

// A directory with sources in it, made the current one.
struct Sources {
    cli_test::Workplace place;
    std::filesystem::path before = std::filesystem::current_path();

    Sources() {
        for (const auto* name : {"a.c", "B.C", "c.CPP", "d.cc", "e.cxx", "f.txt", "g.o", "dir with blank/h.c"})
            place.write(name, "");
        std::filesystem::current_path(place.path());
    }
    ~Sources() { std::filesystem::current_path(before); }
};

Outcome<CcOptions> parse(std::initializer_list<std::string_view> words) {
    return parse_cc_options(Arguments(words.begin(), words.size()));
}

std::string error_of(std::initializer_list<std::string_view> words) {
    const auto parsed = parse(words);
    if (parsed) return "";
    CHECK(parsed.error().status == exit_usage);
    return parsed.error().text;
}

std::vector<std::string> words_of(const CcOptions& options) {
    std::vector<std::string> words;
    for (const auto& option : options.compile) option.append_to(words);
    return words;
}

} // namespace

TEST_CASE("sources are known by their suffix in any case") {
    const Sources sources;
    const auto options = parse({"a.c", "B.C", "c.CPP", "d.cc", "e.cxx", "g.o", "dir with blank/h.c"}).value();
    std::vector<Language> languages;
    for (const auto& source : options.sources) languages.push_back(source.language);
    CHECK(languages == std::vector{Language::c, Language::c, Language::cpp, Language::cpp, Language::cpp,
                                   Language::object, Language::c});
    CHECK(options.output == "a.so");
    CHECK(options.preempt);
}

TEST_CASE("sources and include directories may be spelled as on Windows") {
    const Sources sources;
    const auto options = parse({"Dir With Blank\\H.c", "./a.c", "-IDIR with blank", "-I", "absent\\dir"}).value();
    CHECK(options.sources[0].path == "dir with blank/h.c");
    CHECK(options.sources[1].path == "./a.c");
    CHECK(options.arguments_of("-I") == Words{"dir with blank", "absent\\dir"});
    CHECK(options.output == "h.so");
}

TEST_CASE("-x says what the sources after it are") {
    const Sources sources;
    const auto options = parse({"-xc++", "a.c", "f.txt", "-x", "none", "B.C"}).value();
    CHECK(options.sources[0].language == Language::cpp);
    CHECK(options.sources[1].language == Language::cpp);
    CHECK(options.sources[2].language == Language::c);
}

TEST_CASE("compiler options keep their order and their form") {
    const Sources sources;
    const auto options = parse({"-I", "a.c", "-Idir with blank", "-DX=a b", "-D", "Y", "-O1", "-include", "B.C",
                                "-std=c++20", "--param", "max=1", "-Wall", "d.cc"})
                             .value();
    CHECK(words_of(options) == Words{"-I", "a.c", "-Idir with blank", "-DX=a b", "-D", "Y", "-O1", "-include", "B.C",
                                     "-std=c++20", "--param", "max=1", "-Wall"});
    CHECK(options.sources.size() == 1); // the arguments of -I and -include are no sources
    CHECK(options.arguments_of("-I") == Words{"a.c", "dir with blank"});
}

TEST_CASE("the linker's options go to the linker") {
    const Sources sources;
    const auto options = parse({"-Wl,--foo", "-lm", "-L", "lib", "-shared", "-s", "a.c"}).value();
    CHECK(options.link == Words{"-Wl,--foo", "-lm", "-L", "lib"});
    CHECK(words_of(options) == Words{"-shared", "-s"});
}

TEST_CASE("a macro that an option speaks of is known") {
    const Sources sources;
    const auto options = parse({"-DDBG=0", "-U", "UNICODE", "-DMAX(a,b)=a", "a.c"}).value();
    CHECK(options.speaks_of_macro("DBG"));
    CHECK(options.speaks_of_macro("UNICODE"));
    CHECK(options.speaks_of_macro("MAX"));
    CHECK_FALSE(options.speaks_of_macro("DB"));
}

TEST_CASE("cc's own options") {
    const Sources sources;
    const auto options = parse({"-o", "out.so", "--compiler", "clang", "--no-preempt", "--compile-commands=cc.json",
                                "--include-root", "inc", "--verbose", "a.c"})
                             .value();
    CHECK(options.output == "out.so");
    CHECK(options.compiler == "clang");
    CHECK(options.compile_commands == "cc.json");
    CHECK(options.include_root == "inc");
    CHECK_FALSE(options.preempt);
    CHECK(options.verbose);
    CHECK_FALSE(options.integrity);
    CHECK(parse({"--integrity", "a.c"}).value().integrity);
    CHECK(parse({"-oother.so", "a.c"}).value().output == "other.so");
    CHECK(parse({"--help"}).value().help);
}

TEST_CASE("what cannot be compiled is passed over with a note, or refused") {
    const Sources sources;
    const auto options = parse({"a.c", "driver.rc", "Messages.MC", "wdmsec.lib"}).value();
    REQUIRE(options.notes.size() == 3);
    CHECK(options.notes[0].find("driver.rc: passed over") == 0);
    CHECK(error_of({"f.txt"}) == "f.txt: not a C or C++ source (.c .cpp .cc .cxx)");
}

TEST_CASE("one clear line for each misuse") {
    const Sources sources;
    CHECK(error_of({}) == "no sources (dirql cc --help shows how)");
    CHECK(error_of({"g.o"}) == "no sources (dirql cc --help shows how)");
    CHECK(error_of({"--frobnicate", "a.c"}) == "unknown option '--frobnicate' (dirql cc --help lists them)");
    CHECK(error_of({"--preempt", "a.c"}) == "unknown option '--preempt' (dirql cc --help lists them)");
    CHECK(error_of({"nothing.c"}) == "nothing.c: no such file");
    CHECK(error_of({"dir with blank"}) == "dir with blank: a directory");
    CHECK(error_of({"a.c", "-o"}) == "-o needs an argument");
    CHECK(error_of({"a.c", "-I"}) == "-I needs an argument");
    CHECK(error_of({"a.c", "--compiler"}) == "--compiler needs an argument");
    CHECK(error_of({"a.c", "--compiler="}) == "--compiler needs an argument");
    CHECK(error_of({"-c", "a.c"}) == "-c: dirql cc compiles and links in one step");
    CHECK(error_of({"-x", "fortran", "a.c"}) == "-x fortran: a driver is written in c or c++");
    CHECK(error_of({"a.c", "-o", "nowhere/a.so"}) == "-o nowhere/a.so: no such directory");
    CHECK(error_of({"a.c", "-o", "dir with blank"}) == "-o dir with blank: not a regular file");
    CHECK(error_of({"a.c", "-o", "./a.c"}) == "-o ./a.c: that is one of the sources");
    CHECK(error_of({"a.c", "--compile-commands", "a.c"}) == "--compile-commands a.c: that is one of the sources");
}
