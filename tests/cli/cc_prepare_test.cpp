// Sources made compilable: which files are copied, and what the copies say.
#include "catch.hpp"
#include "cli/cc_prepare.hpp"
#include "tool.hpp"

using namespace dirql::cli;

namespace {

struct Driver {
    cli_test::Workplace place;
    CcOptions options;

    std::string at(const std::string& name) const { return (place.path() / name).string(); }
    void include_path(const std::string& name) { options.compile.push_back({"-I", at(name), false}); }

    PreparedSource prepare(const std::string& name, Language language = Language::c) {
        DirectoryIndex index;
        IncludeSearch search;
        for (const auto& directory : options.arguments_of("-I")) search.angled.push_back({directory, false});
        search.angled.push_back({at("wdk"), true});
        IncludeResolver resolver(search, index);
        return prepare_source({at(name), language}, options, resolver, at("scratch")).value();
    }
    // A copy's text without its #line.
    std::string body(const std::string& path) const {
        const std::string text = place.read(std::filesystem::relative(path, place.path()).string());
        const auto end = text.find('\n');
        CHECK(text.substr(0, 9) == "#line 1 \"");
        return text.substr(end + 1);
    }
};

} // namespace

TEST_CASE("a source that needs nothing is compiled itself") {
    Driver driver;
    driver.place.write("src/a.c", "#include <ntddk.h>\n#include \"b.h\"\n#include <absent.h>\n");
    driver.place.write("src/b.h", "");
    driver.place.write("wdk/ntddk.h", "#include <Odd.h>"); // ours are not looked into
    const auto prepared = driver.prepare("src/a.c");
    CHECK(prepared.path == driver.at("src/a.c"));
    CHECK(prepared.flags.empty());
    CHECK_FALSE(driver.place.has("scratch"));
}

TEST_CASE("an include in another case is corrected in a copy that names the original") {
    Driver driver;
    driver.place.write("src/a.c", "#include <NtDDK.h>\n#include \"..\\Inc\\B.h\"\n#include \"here.h\"\nint a;\n");
    driver.place.write("src/here.h", "");
    driver.place.write("inc/b.h", "");
    driver.place.write("wdk/ntddk.h", "");
    const auto prepared = driver.prepare("src/a.c");
    CHECK(prepared.path == driver.at("scratch/0/a.c"));
    CHECK(driver.place.read("scratch/0/a.c").find("#line 1 \"" + driver.at("src/a.c") + "\"\n") == 0);
    CHECK(driver.body(prepared.path) == "#include <ntddk.h>\n#include \"" + driver.at("inc/b.h") + "\"\n#include \"" +
                                            driver.at("src/here.h") + "\"\nint a;\n");
    CHECK(prepared.flags ==
          std::vector<std::string>{"-ffile-prefix-map=" + driver.at("scratch/0/") + "=" + driver.at("src/"),
                                   "-iquote" + driver.at("src")});
}

TEST_CASE("includers of a copied header are copied, others are not; circles end") {
    Driver driver;
    driver.place.write("a.c", "#include \"outer.h\"\n#include \"plain.h\"\n");
    driver.place.write("outer.h", "#include \"inner.h\"\n");
    driver.place.write("inner.h", "#include \"outer.h\"\n#include \"PLAIN.h\"\n");
    driver.place.write("plain.h", "");
    const auto prepared = driver.prepare("a.c");
    CHECK(driver.body(prepared.path) ==
          "#include \"" + driver.at("scratch/0/outer.h") + "\"\n#include \"" + driver.at("plain.h") + "\"\n");
    CHECK(driver.body(driver.at("scratch/0/inner.h")) ==
          "#include \"" + driver.at("scratch/0/outer.h") + "\"\n#include \"" + driver.at("plain.h") + "\"\n");
    CHECK_FALSE(driver.place.has("scratch/0/plain.h"));
}

TEST_CASE("a header of another encoding is copied in UTF-8") {
    using namespace std::string_view_literals;
    Driver driver;
    driver.include_path("inc");
    driver.place.write("a.c", "#include <wide.h>\n");
    driver.place.write("inc/wide.h", "\xff\xfe"
                                     "i\0n\0t\0;\0"sv);
    const auto prepared = driver.prepare("a.c");
    CHECK(driver.body(driver.at("scratch/1/wide.h")) == "int;");
    CHECK(driver.body(prepared.path) == "#include \"" + driver.at("scratch/1/wide.h") + "\"\n");
}

TEST_CASE("SEH in a header of the driver counts for the source") {
    Driver driver;
    driver.place.write("a.c", "#include \"guard.h\"\n");
    driver.place.write("b.c", "#include <seh.h>\n");
    driver.place.write("guard.h", "#define BEGIN __try {\n");
    driver.place.write("wdk/seh.h", "#define __try if (1)\n");
    CHECK(driver.prepare("a.c").uses_seh);
    CHECK_FALSE(driver.prepare("b.c").uses_seh);
}

TEST_CASE("forced includes are prepared as well") {
    Driver driver;
    driver.place.write("a.c", "");
    driver.place.write("Pch.h", "#include <NTDDK.H>\n");
    driver.place.write("wdk/ntddk.h", "");
    driver.options.compile.push_back({"-include", driver.at("pch.h"), true});
    const auto prepared = driver.prepare("a.c");
    CHECK(prepared.path == driver.at("a.c"));
    CHECK(prepared.options[0].argument == driver.at("scratch/0/Pch.h"));
    CHECK(driver.body(*prepared.options[0].argument) == "#include <ntddk.h>\n");
}

TEST_CASE("a source that cannot be read is named") {
    Driver driver;
    DirectoryIndex index;
    IncludeResolver resolver({}, index);
    const auto prepared = prepare_source({driver.at("absent.c"), Language::c}, {}, resolver, driver.at("scratch"));
    REQUIRE_FALSE(prepared);
    CHECK(prepared.error().text == driver.at("absent.c") + ": cannot be read");
}
