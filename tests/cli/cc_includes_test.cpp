// Which file an #include means.
#include "catch.hpp"
#include "cli/cc_includes.hpp"
#include "tool.hpp"

using namespace dirql::cli;
using cli_test::Workplace;

namespace {

struct Tree {
    Workplace place;
    DirectoryIndex index;

    std::string at(const std::string& name) const { return (place.path() / name).string(); }
    std::string found(const std::string& directory, std::string_view name) {
        const auto path = index.find(at(directory), name);
        return path ? path->substr(place.path().string().size() + 1) : "-";
    }
};

IncludeDirective quoted(std::string name) { return {0, 0, std::move(name), true}; }
IncludeDirective angled(std::string name) { return {0, 0, std::move(name), false}; }

} // namespace

TEST_CASE("a name is found in any case and with either slash") {
    Tree tree;
    tree.place.write("Src/Inc/Public.h", "");
    tree.place.write("Src/a.c", "");
    CHECK(tree.found("Src", "inc/PUBLIC.H") == "Src/Inc/Public.h");
    CHECK(tree.found("Src", ".\\INC\\public.h") == "Src/Inc/Public.h");
    CHECK(tree.found("Src/Inc", "..\\A.C") == "Src/Inc/../a.c");
    CHECK(tree.found("Src", "inc//Public.h") == "Src/Inc/Public.h");
    CHECK(tree.found("Src", "missing.h") == "-");
    CHECK(tree.found("Src", "inc") == "-"); // a directory is no file
    CHECK(tree.found("Src", "a.c/x.h") == "-");
    CHECK(tree.found("Nowhere", "x.h") == "-");
    CHECK(tree.found("Src", "") == "-");
    CHECK(*tree.index.find("", tree.at("src/INC/public.h").substr(0)) == tree.at("Src/Inc/Public.h"));
}

TEST_CASE("an exact name goes before one in another case") {
    Tree tree;
    tree.place.write("Common.h", "");
    tree.place.write("common.h", "");
    CHECK(tree.found("", "common.h") == "common.h");
    CHECK(tree.found("", "Common.h") == "Common.h");
    CHECK(tree.found("", "COMMON.H") == "Common.h"); // the first in order, on every host
}

TEST_CASE("beside the includer, then beside its includers, then the search path") {
    Tree tree;
    for (const auto* name : {"src/own.h", "lib/own.h", "lib/inner.h", "inc/own.h", "inc/inc.h"})
        tree.place.write(name, "");
    IncludeResolver resolver({{}, {{tree.at("inc"), false}}}, tree.index);
    const std::vector<std::string> stack{tree.at("src"), tree.at("lib")}; // src/x.c includes lib/y.h, which includes:

    CHECK(resolver.resolve(quoted("own.h"), stack)->path == tree.at("lib/own.h"));
    CHECK(resolver.resolve(quoted("INC.h"), stack)->path == tree.at("inc/inc.h"));
    CHECK(resolver.resolve(angled("own.h"), stack)->path == tree.at("inc/own.h"));
    CHECK_FALSE(resolver.resolve(angled("inner.h"), stack));

    std::filesystem::remove(tree.at("lib/own.h"));
    DirectoryIndex fresh;
    IncludeResolver again({{}, {{tree.at("inc"), false}}}, fresh);
    const auto found = again.resolve(quoted("own.h"), stack);
    CHECK(found->path == tree.at("src/own.h"));
    CHECK_FALSE(found->as_written); // gcc and clang would take inc/own.h
}

TEST_CASE("an include that the compilers understand stays as it is written") {
    Tree tree;
    for (const auto* name : {"src/a.h", "inc/b.h"}) tree.place.write(name, "");
    IncludeResolver resolver({{}, {{tree.at("inc"), true}}}, tree.index);
    const std::vector<std::string> stack{tree.at("src")};

    CHECK(resolver.resolve(quoted("a.h"), stack)->as_written);
    CHECK(resolver.resolve(quoted("./a.h"), stack)->as_written);
    CHECK_FALSE(resolver.resolve(quoted("A.h"), stack)->as_written);
    const auto own = resolver.resolve(angled("B.H"), stack);
    CHECK_FALSE(own->as_written);
    CHECK(own->own_header);
    CHECK(own->name == "b.h");
    CHECK(resolver.resolve(angled("b.h"), stack)->as_written);
}
