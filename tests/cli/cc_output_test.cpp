// What a build leaves: the same bytes each time, names of the originals, compile_commands.json.
#include "catch.hpp"
#include "tool.hpp"

#include <nlohmann/json.hpp>

using cli_test::compilers;
using cli_test::dirql;
using cli_test::run;
using cli_test::Workplace;

namespace {

// A driver of two languages whose sources have to be copied.
void write_driver(const Workplace& place) {
    place.write(
        "src/main.c",
        "#include \"ODD.h\"\nint DriverEntry(void* d, void* p) { (void)d; (void)p; return other(__FILE__); }\n");
    place.write("src/odd.h", "int other(const char* file);\n");
    place.write("src/other.cpp",
                "extern \"C\" {\n#include \"Odd.H\"\n}\nnamespace { int hidden(const char* f) { return *f; } }\n"
                "extern \"C\" int other(const char* file) { return hidden(file); }\n");
}

std::vector<std::string> command(const std::string& compiler, const std::string& output) {
    return {"cc", "--compiler", compiler, "-o", output, "src/main.c", "src/other.cpp"};
}

} // namespace

TEST_CASE("the same sources give the same bytes, wherever temporary files are") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        const Workplace elsewhere;
        write_driver(place);
        CHECK(dirql(place, command(compiler, "first.so")).status == 0);
        CHECK(dirql(place, command(compiler, "second.so"), {"TMPDIR=" + elsewhere.path().string(), "OTHER=1"}).status ==
              0);
        CHECK(place.read("first.so") == place.read("second.so"));
        CHECK(place.read("first.so").find("dirql-cc-") == std::string::npos);
    }
}

TEST_CASE("debug information and __FILE__ name the originals") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        write_driver(place);
        CHECK(dirql(place, command(compiler, "a.so")).status == 0);
        const std::string names = run(place, {"readelf", "--debug-dump=info", "a.so"}).out;
        CHECK(names.find(": src/main.c\n") != std::string::npos);
        CHECK(names.find(": src/other.cpp\n") != std::string::npos);
        CHECK(run(place, {"strings", "-a", "a.so"}).out.find("src/main.c\n") != std::string::npos);
    }
}

TEST_CASE("an image depends on no library and shows nothing of its own") {
    for (const auto& compiler : compilers()) {
        const Workplace place;
        write_driver(place);
        CHECK(dirql(place, command(compiler, "a.so")).status == 0);
        const std::string dynamic = run(place, {"readelf", "-d", "a.so"}).out;
        CHECK(dynamic.find("(SYMBOLIC)") != std::string::npos);
        CHECK(dynamic.find("NEEDED") == std::string::npos);
        CHECK(dynamic.find("TEXTREL") == std::string::npos);
        CHECK(run(place, {"nm", "-D", "--defined-only", "a.so"}).out.empty());
    }
}

TEST_CASE("compile_commands.json says how each original is compiled") {
    const Workplace place;
    write_driver(place);
    auto words = command("gcc", "a.so");
    words.insert(words.begin() + 1, {"--compile-commands", "compile_commands.json", "-DSPECIAL=1"});
    REQUIRE(dirql(place, words).status == 0);
    const auto entries = nlohmann::json::parse(place.read("compile_commands.json"));
    REQUIRE(entries.size() == 2);
    CHECK(entries[0]["file"] == "src/main.c");
    CHECK(entries[1]["file"] == "src/other.cpp");
    CHECK(std::filesystem::equivalent(entries[0]["directory"].get<std::string>(), place.path()));
    const auto arguments = entries[0]["arguments"].get<std::vector<std::string>>();
    CHECK(arguments.front() == "gcc");
    for (const auto* word : {"src/main.c", "-DSPECIAL=1", "-fshort-wchar"})
        CHECK(std::find(arguments.begin(), arguments.end(), word) != arguments.end());
    CHECK(place.read("compile_commands.json").find("dirql-cc-") == std::string::npos);
}

TEST_CASE("compile_commands.json is there even when the sources do not compile") {
    const Workplace place;
    place.write("a.c", "#error not yet\n");
    CHECK(dirql(place, {"cc", "--compile-commands", "c.json", "a.c"}).status == 1);
    CHECK(place.has("c.json"));
}

TEST_CASE("--verbose shows the commands") {
    const Workplace place;
    write_driver(place);
    auto words = command("gcc", "a.so");
    words.push_back("--verbose");
    const auto result = dirql(place, words);
    CHECK(result.err.find("gcc -x c -O2 ") != std::string::npos);
    CHECK(result.err.find("-nostdlib") != std::string::npos);
}
