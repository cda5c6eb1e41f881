#include "ldr/documented.hpp"

#include "ke/export_rules.hpp"

#include <algorithm>

namespace dirql::ldr {
namespace {

namespace level {
using namespace ke::export_irql;
constexpr std::uint8_t none = Documented::no_irql;
} // namespace level

constexpr Documented rows[] = {
#define DIRQL_DOCUMENTED(Name, Header, Image, Min, Max) {#Name, Header, #Image, level::Min, level::Max},
#include "ldr/documented.def"
#undef DIRQL_DOCUMENTED
};

static_assert(std::ranges::is_sorted(rows, std::ranges::less_equal{}, &Documented::name), "sorted, each name once");

} // namespace

std::span<const Documented> documented() { return rows; }

const Documented* find_documented(std::string_view name) {
    const auto* found = std::ranges::lower_bound(rows, name, {}, &Documented::name);
    return found != std::end(rows) && found->name == name ? found : nullptr;
}

} // namespace dirql::ldr
