// What is read out of a source's text.
#include "catch.hpp"
#include "cli/cc_source.hpp"
#include "tool.hpp"

using namespace dirql::cli;

namespace {

std::vector<std::string> included(std::string_view text) {
    std::vector<std::string> names;
    for (const auto& directive : scan_source(text, Language::c).includes)
        names.push_back((directive.quoted ? "q:" : "a:") + directive.name);
    return names;
}

bool uses_seh(std::string_view text, Language language = Language::c) { return scan_source(text, language).uses_seh; }

std::string rewritten(std::string text) {
    const auto facts = scan_source(text, Language::c);
    for (auto it = facts.replacements.rbegin(); it != facts.replacements.rend(); ++it)
        text.replace(it->begin, it->end - it->begin, it->text);
    return text;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("includes are found in both forms, with blanks and either slash") {
    CHECK(included("#include <ntddk.h>\n") == Names{"a:ntddk.h"});
    CHECK(included("  #  include\t\"..\\inc\\Public.h\"\r\n#include\"b.h\"") == Names{"q:..\\inc\\Public.h", "q:b.h"});
    CHECK(included("#ifdef X\n#include <never.h>\n#endif\n") == Names{"a:never.h"});
}

TEST_CASE("an include's place covers the operand with its delimiters") {
    const std::string_view text = "int a;\n#include \"x.h\" // why\n";
    const auto facts = scan_source(text, Language::c);
    REQUIRE(facts.includes.size() == 1);
    CHECK(text.substr(facts.includes[0].begin, facts.includes[0].end - facts.includes[0].begin) == "\"x.h\"");
}

TEST_CASE("what only looks like an include is none") {
    CHECK(included("// #include <a.h>\n/* \n#include <b.h>\n*/\n").empty());
    CHECK(included("const char* s = \"\\\n#include <c.h>\";\n").empty());
    CHECK(included("x = a #include <d.h>\n").empty());
    CHECK(included("#include HEADER\n#include <unfinished\n#include \"open\n").empty());
    CHECK(included("#if 0 // don't\n#include <e.h>\n#endif") == Names{"a:e.h"});
}

TEST_CASE("SEH is found in every spelling") {
    CHECK(uses_seh("void f(){ __try { } __except(1) { } }"));
    CHECK(uses_seh("void f(){ __try { } __finally { } }", Language::cpp));
    CHECK(uses_seh("void f(){ try { } except (EXCEPTION_EXECUTE_HANDLER) { } }"));
    CHECK(uses_seh("void f(){ try // now\n /* and */\n { } finally { } }"));
    CHECK(uses_seh("#define GUARDED __try {\n"));
}

TEST_CASE("words in comments and literals are no SEH, nor is C++'s own try") {
    CHECK_FALSE(uses_seh("// __try { } __except\n/* try { finally */ char* s = \"__try\";"));
    CHECK_FALSE(uses_seh("int try_count; /* finally */ struct x { int y; };"));
    CHECK_FALSE(uses_seh("#define try_return(S) { S; goto try_exit; }\n"));
    CHECK_FALSE(uses_seh("void f() { try { g(); } catch (int) { } }", Language::cpp));
}

TEST_CASE("sized integer constants are those of the two compilers") {
    CHECK(rewritten("a = 1i64 + 0xFFFFui64 - 7UI64;") == "a = 1L + 0xFFFFUL - 7UL;");
    CHECK(rewritten("1i8 2I16 3ui32 4i32") == "1 2 3U 4");
    const std::string same = "x1i64 1 0x1F 10u 1e5 1i 5i65 _1i64 \"1i64\" // 1i64";
    CHECK(rewritten(same) == same);
}

TEST_CASE("pastes that can never make a token are taken apart") {
    CHECK(rewritten("#define A(x) f(\"%s: \"##x, y)\n") == "#define A(x) f(\"%s: \" x, y)\n");
    CHECK(rewritten("#define A(x) \\\n  f(\"a\" \\\r\n ## x)\n") == "#define A(x) \\\n  f(\"a\" \\\r\n   x)\n");
    CHECK(rewritten("#define A(m) (p->##m)\n") == "#define A(m) (p-> m)\n");
    CHECK(rewritten("#define A(m) m##(1)\n") == "#define A(m) m (1)\n");
    for (const std::string same :
         {"#define A(x) L##x L## #x a##x, ##__VA_ARGS__\n", "#define A(x) L##\"text\"\n", "x(\"a\"##b)\n",
          "#define A 1\n\"a\"##b\n", "#define A(x) \"##\" // \"a\"##x\n", "#define A(x) x##-\n"})
        CHECK(rewritten(same) == same);
}

TEST_CASE("the wide string of a macro's argument") {
    CHECK(rewritten("#define W(x) L#x\n") == "#define W(x) L## #x\n");
    for (const std::string same : {"#define W(x) #x\n", "#define W(x) ALL#x\n", "#define W(x) L #x\n"})
        CHECK(rewritten(same) == same);
}

TEST_CASE("encodings are undone") {
    const cli_test::Workplace place;
    const auto reading = [&](std::string_view bytes) {
        place.write("f.c", bytes);
        return *read_source((place.path() / "f.c").string());
    };
    using namespace std::string_view_literals;

    const auto little = reading("\xff\xfe"
                                "a\0\xe9\0\n\0"sv);
    CHECK(little.text == "a\xc3\xa9\n");
    CHECK(little.altered);
    const auto big = reading("\xfe\xff"
                             "\0a\xd8\x3d\xde\x00"sv); // a surrogate pair
    CHECK(big.text == "a\xf0\x9f\x98\x80");
    const auto marked = reading("\xef\xbb\xbf"
                                "int a;");
    CHECK(marked.text == "int a;");
    CHECK_FALSE(marked.altered);
    const auto old = reading("int a;\n\x1a rubbish");
    CHECK(old.text == "int a;\n");
    CHECK(old.altered);
    const auto code_page = reading("// \xe9t\xe9\n"); // Windows-1252 passes through
    CHECK(code_page.text == "// \xe9t\xe9\n");
    CHECK_FALSE(code_page.altered);
    CHECK_FALSE(read_source((place.path() / "absent.c").string()));
}
