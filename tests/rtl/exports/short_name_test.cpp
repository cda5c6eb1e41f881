#include "catch.hpp"

#include <ntifs.h>

#include <cstring>
#include <set>
#include <string>

namespace {

BOOLEAN legal(const char16_t* name, BOOLEAN* spaces = nullptr) {
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return RtlIsNameLegalDOS8Dot3(&string, nullptr, spaces);
}

} // namespace

TEST_CASE("what a short name is", "[short]") {
    for (const auto* name : {u"a", u"readme.txt", u"README.TXT", u"12345678.123", u".", u"..", u"a b.c d", u"file.x",
                             u"é.ü", u"~1!@#$%^.&()", u"{}-_`'"})
        CHECK(legal(name));
    for (const auto* name : {u"",
                             u"123456789",
                             u"12345678.1234",
                             u"a.b.c",
                             u".profile",
                             u"a.",
                             u"a ",
                             u"a .b",
                             u"a.b ",
                             u"...",
                             u" ",
                             u"a+b",
                             u"a,b",
                             u"a;b",
                             u"a=b",
                             u"a[b",
                             u"a]b",
                             u"a*b",
                             u"a?b",
                             u"a:b",
                             u"a/b",
                             u"a\\b",
                             u"a|b",
                             u"a<b",
                             u"a>b",
                             u"a\"b",
                             u"a\x1F",
                             u"Ж",
                             u"1234567890123"})
        CHECK_FALSE(legal(name));
    BOOLEAN spaces = 7;
    CHECK(legal(u"a b", &spaces));
    CHECK(spaces == TRUE);
    CHECK(legal(u"ab.c", &spaces));
    CHECK(spaces == FALSE);
}

TEST_CASE("a legal name is given back in the OEM page's upper case", "[short]") {
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, u"caf\u00E9.txt");
    char room[12];
    OEM_STRING oem{0, sizeof(room), room};
    CHECK(RtlIsNameLegalDOS8Dot3(&name, &oem, nullptr));
    CHECK(std::string(room, oem.Length) == "CAF\x90.TXT");
    oem.MaximumLength = 7;
    CHECK_FALSE(RtlIsNameLegalDOS8Dot3(&name, &oem, nullptr));
}

namespace {

class Generator {
public:
    explicit Generator(const char16_t* name, BOOLEAN extended = FALSE) : extended_(extended) {
        RtlInitUnicodeString(&name_, name);
    }

    std::u16string next() {
        WCHAR room[12];
        UNICODE_STRING made{0, sizeof(room), room};
        status = RtlGenerate8dot3Name(&name_, extended_, &context, &made);
        return {made.Buffer, made.Length / sizeof(WCHAR)};
    }

    GENERATE_NAME_CONTEXT context{};
    NTSTATUS status = STATUS_SUCCESS;

private:
    UNICODE_STRING name_;
    BOOLEAN extended_;
};

} // namespace

TEST_CASE("short names of a long one", "[short]") {
    CHECK(Generator(u"Long file name.text").next() == u"LONGFI~1.TEX");
    CHECK(Generator(u"archive.tar.gz").next() == u"ARCHIV~1.GZ");
    CHECK(Generator(u"..profile").next() == u"PROFIL~1");
    CHECK(Generator(u"a+b=c;[d],e:f").next() == u"A_B_C_~1");
    CHECK(Generator(u"n\u00E9e na\u00EFve", FALSE).next() == u"N_ENA_~1");
    CHECK(Generator(u"caf\u00E9s.\u00FC", TRUE).next() == u"CAF\u00C9S~1.\u00DC");
    CHECK(Generator(u"name.").next() == u"NAME~1");

    Generator names(u"Quarterly report.docx");
    std::set<std::u16string> made;
    for (const auto* expected : {u"QUARTE~1.DOC", u"QUARTE~2.DOC", u"QUARTE~3.DOC", u"QUARTE~4.DOC"}) {
        CHECK(names.next() == expected);
        made.insert(expected);
    }
    const std::u16string fifth = names.next();
    CHECK(fifth.substr(0, 2) == u"QU");
    CHECK(fifth.substr(6) == u"~1.DOC");
    made.insert(fifth);
    for (int i = 0; i < 2000; ++i) {
        const std::u16string name = names.next();
        REQUIRE(made.insert(name).second);
        REQUIRE(legal(name.c_str()));
    }
    CHECK(Generator(u"Quarterly report 2.docx").next() == u"QUARTE~1.DOC");

    Generator brief(u"a"); // with the checksum at once
    const std::u16string first = brief.next();
    CHECK(first.size() == 7);
    CHECK(first[0] == u'A');
    CHECK(first.substr(5) == u"~1");
    brief.context.LastIndexValue = 999'998;
    CHECK(brief.next() == u"A~999999");
    brief.next();
    CHECK(brief.status == STATUS_FILE_SYSTEM_LIMITATION);
}
