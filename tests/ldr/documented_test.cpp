// The IRQL range of each export against its document.
#include "catch.hpp"

#include "ke/export_rules.hpp"
#include "ldr/documented.hpp"
#include "ldr/exports.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

using namespace dirql;

namespace {

struct Exception {
    std::string_view name;
    std::string_view reason;
};

constexpr Exception exceptions[] = {
#define DIRQL_IRQL_EXCEPTION(Name, Reason) {#Name, Reason},
#include "irql_exceptions.def"
#undef DIRQL_IRQL_EXCEPTION
};

bool agrees(const ldr::Export& entry, const ldr::Documented& document) {
    return document.irql_max == ldr::Documented::no_irql ||
           (entry.irql_min == document.irql_min && entry.irql_max == document.irql_max);
}

} // namespace

TEST_CASE("each export's IRQL range is its document's, or an exception with a reason") {
    std::set<std::string_view> excepted;
    for (const auto& exception : exceptions) {
        CAPTURE(exception.name);
        CHECK(excepted.insert(exception.name).second);
        CHECK(exception.reason.size() > 10);
    }
    unsigned compared = 0;
    for (const auto& entry : ldr::exports()) {
        const auto* document = ldr::find_documented(entry.name);
        if (document == nullptr || entry.kind != ldr::ExportKind::function) continue;
        CAPTURE(entry.name, int{entry.irql_min}, int{entry.irql_max}, int{document->irql_min}, int{document->irql_max});
        CHECK(agrees(entry, *document) == (excepted.erase(entry.name) == 0));
        ++compared;
    }
    CHECK(compared > 200);
    const std::string left = excepted.empty() ? "" : std::string(*excepted.begin());
    CHECK(left == ""); // an exception for what is no export
}

TEST_CASE("documented names are found, and others are not") {
    REQUIRE(ldr::find_documented("IoCreateDevice") != nullptr);
    CHECK(ldr::find_documented("IoCreateDevice")->header == "wdm.h");
    CHECK(ldr::find_documented("IoCreateDevic") == nullptr);
    CHECK(ldr::find_documented("") == nullptr);
    CHECK(ldr::find_documented("zzz") == nullptr);
    CHECK(ldr::documented().size() > 3000);
}
