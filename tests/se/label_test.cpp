// The mandatory label of an object, told from the rest of its system list.
#include "catch.hpp"
#include "ps/process_fixture.hpp"

#include "rtl/sddl.hpp"
#include "se/assign.hpp"
#include "se/descriptor.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

GENERIC_MAPPING mapping{0x20001, 0x20002, 0x20004, 0x1F000F};

PSECURITY_DESCRIPTOR parse(std::u16string_view text) {
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    REQUIRE(se::make_descriptor(text, rtl::Sddl::full, &descriptor) == STATUS_SUCCESS);
    return descriptor;
}

std::u16string text_of(const void* descriptor) {
    std::u16string text(1000, u' ');
    const auto written = rtl::write_sddl(const_cast<void*>(descriptor), 0xF, text.data(), text.size());
    text.resize(NT_SUCCESS(written.status) ? written.needed : 0);
    return text;
}

std::u16string queried(std::u16string_view from, SECURITY_INFORMATION which) {
    PSECURITY_DESCRIPTOR descriptor = parse(from);
    alignas(8) std::byte buffer[512];
    ULONG length = 0;
    CHECK(SeQuerySecurityDescriptorInfo(&which, buffer, &length, &descriptor) == STATUS_BUFFER_TOO_SMALL);
    ULONG room = length - 1;
    CHECK(SeQuerySecurityDescriptorInfo(&which, buffer, &room, &descriptor) == STATUS_BUFFER_TOO_SMALL);
    CHECK(room == length);
    CHECK(SeQuerySecurityDescriptorInfo(&which, buffer, &length, &descriptor) == STATUS_SUCCESS);
    se::free_descriptor(descriptor);
    return text_of(buffer);
}

std::u16string changed(std::u16string_view old, SECURITY_INFORMATION which, std::u16string_view by) {
    PSECURITY_DESCRIPTOR before = parse(old);
    PSECURITY_DESCRIPTOR changes = parse(by);
    PSECURITY_DESCRIPTOR descriptor = before;
    REQUIRE(SeSetSecurityDescriptorInfo(nullptr, &which, changes, &descriptor, PagedPool, &mapping) == STATUS_SUCCESS);
    std::u16string text = text_of(descriptor);
    for (PSECURITY_DESCRIPTOR done : {before, changes, descriptor}) se::free_descriptor(done);
    return text;
}

constexpr SECURITY_INFORMATION audit = SACL_SECURITY_INFORMATION;
constexpr SECURITY_INFORMATION label = LABEL_SECURITY_INFORMATION;

} // namespace

TEST_CASE_METHOD(ProcessFixture, "a label is asked for apart from what is audited") {
    const auto stop = run([] {
        constexpr std::u16string_view both = u"O:SYS:(AU;FA;CC;;;WD)(ML;;NW;;;HI)(AU;SA;DC;;;BA)";
        CHECK(queried(both, label) == u"S:(ML;;NW;;;HI)");
        CHECK(queried(both, audit) == u"S:(AU;FA;CC;;;WD)(AU;SA;DC;;;BA)");
        CHECK(queried(both, audit | label | OWNER_SECURITY_INFORMATION) == both);
        CHECK(queried(u"O:SYS:(ML;;NW;;;HI)", audit).empty());
        CHECK(queried(u"O:SYS:(ML;;NW;;;HI)", label) == u"S:(ML;;NW;;;HI)");
        CHECK(queried(u"O:SYS:(AU;FA;CC;;;WD)", label).empty());
        CHECK(queried(u"O:SY", audit | label).empty());
        CHECK(queried(u"O:SYS:P", audit) == u"S:P");
        CHECK(queried(u"O:SYS:P(ML;;NW;;;HI)", label) == u"S:(ML;;NW;;;HI)"); // protected is what is audited
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ProcessFixture, "a label is set apart from what is audited") {
    const auto stop = run([] {
        constexpr std::u16string_view old = u"S:(AU;FA;CC;;;WD)(ML;;NW;;;HI)";
        constexpr std::u16string_view by = u"S:(ML;;NR;;;ME)(AU;SA;DC;;;BA)";
        CHECK(changed(old, label, by) == u"S:(AU;FA;CC;;;WD)(ML;;NR;;;ME)");
        CHECK(changed(old, audit, by) == u"S:(AU;SA;DC;;;BA)(ML;;NW;;;HI)");
        CHECK(changed(old, audit | label, by) == by);
        CHECK(changed(old, label, u"O:SY") == u"S:(AU;FA;CC;;;WD)");
        CHECK(changed(old, audit, u"O:SY") == u"S:(ML;;NW;;;HI)");
        CHECK(changed(old, audit | label, u"O:SY").empty());
        CHECK(changed(u"O:SY", label, by) == u"O:SYS:(ML;;NR;;;ME)");
        CHECK(changed(u"O:SY", audit, by) == u"O:SYS:(AU;SA;DC;;;BA)");
        CHECK(changed(u"O:SYS:P(AU;FA;CC;;;WD)", label, by) == u"O:SYS:P(AU;FA;CC;;;WD)(ML;;NR;;;ME)");
        CHECK(changed(u"O:SY", audit, u"S:P") == u"O:SYS:P");
        CHECK(changed(old, DACL_SECURITY_INFORMATION, u"D:(A;;CC;;;WD)") ==
              u"D:(A;;CC;;;WD)S:(AU;FA;CC;;;WD)(ML;;NW;;;HI)");
    });
    CHECK(stop.kind == ke::StopKind::none);
}
