// The security descriptor definition language: words, mistakes, round trips of generated descriptors, and noise.
#include "catch.hpp"

#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/sddl.hpp"

#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace dirql::rtl;

namespace {

constexpr SECURITY_INFORMATION all_parts =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | SACL_SECURITY_INFORMATION;

struct Parsed {
    NTSTATUS status;
    std::vector<std::uint64_t> block; // aligned
    std::size_t bytes;

    [[nodiscard]] const void* get() const { return block.data(); }
    [[nodiscard]] DescriptorParts parts() const { return parts_of(block.data()); }
};

Parsed parse(std::u16string_view text, Sddl how = Sddl::full) {
    const SddlResult measured = parse_sddl(text, how, nullptr, 0);
    if (measured.status != STATUS_BUFFER_TOO_SMALL) return {measured.status, {}, 0};
    Parsed parsed{STATUS_SUCCESS, std::vector<std::uint64_t>(measured.needed / 8 + 1), measured.needed};
    const SddlResult made = parse_sddl(text, how, parsed.block.data(), measured.needed);
    parsed.status = made.status;
    if (made.needed != measured.needed) parsed.status = -1;
    return parsed;
}

std::u16string write(const void* descriptor, SECURITY_INFORMATION which = all_parts) {
    const SddlResult measured = write_sddl(descriptor, which, nullptr, 0);
    if (measured.status == STATUS_NOT_SUPPORTED) return u"not supported";
    std::u16string text(measured.needed, u'?');
    const SddlResult written = write_sddl(descriptor, which, text.data(), text.size());
    return NT_SUCCESS(written.status) && written.needed == text.size() ? text : u"failed";
}

// Comes back as it was written.
void check_same(std::u16string_view text) {
    const Parsed parsed = parse(text);
    REQUIRE(parsed.status == STATUS_SUCCESS);
    CHECK(valid_relative_descriptor(parsed.get(), parsed.bytes, 0));
    CHECK(write(parsed.get()) == text);
}

void check_becomes(std::u16string_view text, std::u16string_view expected) {
    const Parsed parsed = parse(text);
    REQUIRE(parsed.status == STATUS_SUCCESS);
    CHECK(write(parsed.get()) == expected);
}

using Random = std::mt19937_64;
template <class T, std::size_t N> const T& one_of(Random& random, const T (&list)[N]) { return list[random() % N]; }

std::u16string random_account(Random& random) {
    static const char16_t* const names[] = {u"SY", u"BA", u"WD", u"AU", u"CO", u"LA", u"UD", u"OW", u"ME", u"RM"};
    if (random() % 2 != 0) return one_of(random, names);
    SidBuffer sid;
    initialize_sid(sid.get(), {{0, 0, 0, 0, 0, static_cast<UCHAR>(random() % 30)}}, random() % 16);
    for (std::size_t at = sid_size(0); at < sid.size(); at += 4) {
        const auto value = static_cast<ULONG>(random());
        std::memcpy(sid.bytes + at, &value, 4);
    }
    if (random() % 8 == 0) sid.bytes[3] = std::byte{7}; // an authority beyond 32 bits
    char16_t text[max_sid_text];
    const std::size_t length = write_sid(sid.get(), text);
    return {text, length};
}

std::u16string random_guid(Random& random) {
    static const char16_t* const guids[] = {u"", u"bf967aba-0de6-11d0-a285-00aa003049e2",
                                            u"00000000-0000-0000-0000-000000000001"};
    return one_of(random, guids);
}

std::u16string random_ace(Random& random, bool dacl) {
    static const char16_t* const allow[] = {u"A", u"D", u"OA", u"OD", u"XA", u"XD", u"ZA"};
    static const char16_t* const audit[] = {u"AU", u"AL", u"OU", u"OL", u"XU", u"ML", u"SP", u"TL"};
    static const char16_t* const flags[] = {u"", u"OI", u"OICI", u"CIIO", u"NP", u"ID", u"SAFA", u"OICINPIOIDCRSAFA"};
    static const char16_t* const rights[] = {u"GA",
                                             u"GRGWGX",
                                             u"RCWD",
                                             u"FA",
                                             u"FR",
                                             u"KA",
                                             u"0x1201bf",
                                             u"CC",
                                             u"0xffffffff",
                                             u"SDWO",
                                             u"CCDCLCSWRPWPDTLOCRSDRCWDWO",
                                             u""};
    const std::u16string type = dacl ? one_of(random, allow) : one_of(random, audit);
    const bool object = type[0] == u'O' || type == u"ZA";
    std::u16string ace = u"(" + type + u";" + one_of(random, flags) + u";";
    ace += type == u"ML" ? std::u16string(u"NWNR") : std::u16string(one_of(random, rights));
    ace += u";" + (object ? random_guid(random) : u"") + u";" + (object ? random_guid(random) : u"") + u";";
    return ace + random_account(random) + u")";
}

std::u16string random_text(Random& random) {
    static const char16_t* const list_flags[] = {u"", u"P", u"AI", u"PAI", u"AR", u"PARAI"};
    std::u16string text;
    if (random() % 2 != 0) text += u"O:" + random_account(random);
    if (random() % 2 != 0) text += u"G:" + random_account(random);
    for (const bool dacl : {true, false}) {
        if (random() % 4 == 0) continue;
        text += dacl ? u"D:" : u"S:";
        text += one_of(random, list_flags);
        if (random() % 16 == 0) {
            text += u"NO_ACCESS_CONTROL";
            continue;
        }
        for (std::size_t i = random() % 6; i != 0; --i) text += random_ace(random, dacl);
    }
    return text;
}

} // namespace

TEST_CASE("SDDL is read and written") {
    check_same(u"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    check_same(u"O:BAG:SYD:PAI(A;OICI;FA;;;SY)(D;;FR;;;WD)S:P(AU;SAFA;GA;;;WD)(ML;;NW;;;ME)");
    check_same(u"D:NO_ACCESS_CONTROL");
    check_same(u"D:P");
    check_same(u"");
    check_same(u"D:(OA;CI;CC;bf967aba-0de6-11d0-a285-00aa003049e2;;AU)");
    check_same(u"O:S-1-5-84-0-0-0-0-1D:(A;;0x12019b;;;S-1-15-2-99)");
    check_becomes(u" D:P ( A ; ; GRGW ; ; ; wd ) ", u"D:P(A;;GWGR;;;WD)");
    check_becomes(u"D:(A;;0x10000000;;;S-1-5-18)", u"D:(A;;GA;;;SY)");
    check_becomes(u"D:(A;;0x1F01FF;;;SY)(A;;8;;;SY)(A;;010;;;SY)", u"D:(A;;FA;;;SY)(A;;SW;;;SY)(A;;SW;;;SY)");
    check_becomes(u"D:(a;;gx;;;sy)", u"D:(A;;GX;;;SY)");
    check_becomes(u"S:(ML;;NXNRNW;;;HI)", u"S:(ML;;NWNRNX;;;HI)");

    const Parsed parsed = parse(u"O:BAD:P(A;;GRGX;;;WD)(OD;;CC;;bf967aba-0de6-11d0-a285-00aa003049e2;UD)");
    const DescriptorParts parts = parsed.parts();
    CHECK(parts.control == (SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_PROTECTED));
    CHECK(equal_sids(parts.owner, sids::administrators.get()));
    CHECK(parts.group == nullptr);
    REQUIRE(parts.dacl != nullptr);
    CHECK(parts.dacl->AclRevision == ACL_REVISION_DS);
    CHECK(parts.dacl->AceCount == 2);
    const ACE_HEADER* ace = first_ace(*parts.dacl);
    CHECK(view_of(*ace).mask == (GENERIC_READ | GENERIC_EXECUTE));
    CHECK(equal_sids(view_of(*ace).sid, sids::world.get()));
    const AceView second = view_of(*next_ace(ace));
    CHECK(second.object_type == nullptr);
    REQUIRE(second.inherited_object_type != nullptr);
    CHECK(second.inherited_object_type->Data1 == 0xbf967aba);
    CHECK(sid_of(second.sid).SubAuthorityCount == 6);
    CHECK(write(parsed.get(), OWNER_SECURITY_INFORMATION) == u"O:BA");
}

TEST_CASE("text that is no SDDL is refused") {
    for (const auto* text : {u"D",
                             u"X:",
                             u"D:(",
                             u"D:(A",
                             u"D:(A;;GA;;;SY",
                             u"D:(A;;GA;;SY)",
                             u"D:(A;;GA;;;)",
                             u"D:(A;;GA;;;SYX)",
                             u"D:(Q;;GA;;;SY)",
                             u"D:(A;XX;GA;;;SY)",
                             u"D:(A;O;GA;;;SY)",
                             u"D:(A;;G;;;SY)",
                             u"D:(A;;GAX;;;SY)",
                             u"D:(A;;0x100000000;;;SY)",
                             u"D:(A;;0x1g;;;SY)",
                             u"D:(A;;09;;;SY)",
                             u"D:(A;;GA;;;ZZ)",
                             u"D:PD:P",
                             u"O:BAO:BA",
                             u"O:",
                             u"O:B",
                             u"D:(AU;SA;GA;;;WD)",
                             u"S:(A;;GA;;;WD)",
                             u"D:(A;;GA;1;;SY)",
                             u"D:(OA;;GA;bf967aba-0de6-11d0-a285-00aa003049e;;SY)",
                             u"D:(A;;GA;bf967aba-0de6-11d0-a285-00aa003049e2;;SY)",
                             u"D:P(A;;GA;;;SY)x",
                             u"D:((A;;GA;;;SY))"}) {
        CHECK(parse(text).status == STATUS_INVALID_PARAMETER);
    }
    CHECK(parse(u"D:(A;;GA;;;DA)").status == STATUS_NONE_MAPPED);
    CHECK(parse(u"D:(XA;;GA;;;SY;(x == 1))").status == STATUS_NOT_SUPPORTED);
    CHECK(parse(u"S:(RA;;;;;WD)").status == STATUS_NOT_SUPPORTED);
}

TEST_CASE("devices take a subset of SDDL") {
    CHECK(parse(u"D:P", Sddl::device_object).status == STATUS_SUCCESS);
    CHECK(parse(u"D:P(A;;GRGWGX;;;WD)(A;;0x1200a9;;;S-1-5-84-0-0-0-0-0)", Sddl::device_object).status ==
          STATUS_SUCCESS);
    for (const auto* text : {u"", u"O:BAD:P", u"D:PS:", u"D:P(D;;GA;;;WD)", u"D:P(A;OI;GA;;;WD)", u"D:PAI(A;;GA;;;WD)",
                             u"D:NO_ACCESS_CONTROL", u"S:(AU;SA;GA;;;WD)"}) {
        CHECK(parse(text, Sddl::device_object).status == STATUS_INVALID_PARAMETER);
    }
}

// Ten thousand descriptors: text, block, text, block; and each block is valid and as long as was said.
TEST_CASE("SDDL makes the way there and back") {
    Random random(20261120);
    unsigned kept = 0;
    for (int step = 0; step < 10'000; ++step) {
        const std::u16string text = random_text(random);
        const Parsed first = parse(text);
        if (first.status != STATUS_SUCCESS) continue;
        const bool valid = valid_relative_descriptor(first.get(), first.bytes, 0) && valid_descriptor(first.get()) &&
                           length_of_descriptor(first.get()) == first.bytes;
        const Parsed second = parse(write(first.get()));
        kept += valid && second.status == STATUS_SUCCESS && second.bytes == first.bytes &&
                std::memcmp(first.get(), second.get(), first.bytes) == 0;
    }
    CHECK(kept == 10'000);
}

// Nothing that is read may lead outside: the blocks end at a heap block's end, and what is found valid can be walked and written.
TEST_CASE("noise is refused, or is a descriptor") {
    Random random(7);
    unsigned taken = 0;
    for (int step = 0; step < 20'000; ++step) {
        std::u16string text = random_text(random);
        for (std::size_t i = random() % 4; i != 0 && !text.empty(); --i) {
            static const char16_t letters[] = u";():-0xASDPGOIW 9\u00e9";
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
            case 0: text[at] = letters[random() % (std::size(letters) - 1)]; break;
            case 1: text.erase(at, 1 + random() % 5); break;
            default: text.insert(at, 1, letters[random() % (std::size(letters) - 1)]); break;
            }
        }
        const Parsed parsed = parse(text);
        if (parsed.status == STATUS_SUCCESS && !valid_relative_descriptor(parsed.get(), parsed.bytes, 0))
            FAIL("noise became a descriptor that is not valid");
        taken += parsed.status == STATUS_SUCCESS;
    }
    CHECK(taken > 1000);
    unsigned valid = 0;
    for (int step = 0; step < 20'000; ++step) {
        const Parsed parsed = parse(random_text(random));
        REQUIRE(parsed.status == STATUS_SUCCESS);
        auto* bytes = reinterpret_cast<UCHAR*>(const_cast<void*>(parsed.get()));
        const std::size_t length = random() % 3 == 0 ? random() % (parsed.bytes + 1) : parsed.bytes;
        for (std::size_t i = random() % 4; i != 0; --i) bytes[random() % parsed.bytes] = static_cast<UCHAR>(random());
        std::vector<ULONG> exact((length + 3) / 4);
        if (length != 0) std::memcpy(exact.data(), bytes, length);
        if (!valid_relative_descriptor(exact.data(), length, 0)) continue;
        ++valid;
        (void)write(exact.data());
        if (length_of_descriptor(exact.data()) < sizeof(SECURITY_DESCRIPTOR_RELATIVE)) FAIL("no length");
    }
    CHECK(valid > 1000);
}
