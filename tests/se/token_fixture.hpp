// What tests of tokens and of descriptors share.
#pragma once

#include "catch.hpp"
#include "ps/process_fixture.hpp"

#include "rtl/sddl.hpp"
#include "se/descriptor.hpp"

#include <string>
#include <string_view>

namespace dirql::test {

struct TokenFixture : ProcessFixture {
    void in_kernel(const std::function<void()>& body) {
        const auto stop = run(body);
        CHECK(stop.kind == ke::StopKind::none);
    }
};

inline std::u16string text_of(PSECURITY_DESCRIPTOR descriptor) {
    std::u16string text(2000, u' ');
    const auto written = rtl::write_sddl(descriptor, 0xF, text.data(), text.size());
    text.resize(NT_SUCCESS(written.status) ? written.needed : 0);
    return text;
}

struct Parsed {
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    explicit Parsed(std::u16string_view text) {
        REQUIRE(se::make_descriptor(text, rtl::Sddl::full, &descriptor) == STATUS_SUCCESS);
    }
    ~Parsed() { se::free_descriptor(descriptor); }
    Parsed(const Parsed&) = delete;
    Parsed& operator=(const Parsed&) = delete;
};

} // namespace dirql::test
