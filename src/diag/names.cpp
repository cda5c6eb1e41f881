// Statuses and bug checks: the big tables, searched by value.
#include "diag/names.hpp"

#include <algorithm>
#include <iterator>
#include <span>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

struct Named {
    std::uint32_t value;
    std::string_view name;
};

constexpr Named statuses[] = {
#define NAME(Name) {static_cast<std::uint32_t>(Name), #Name},
#include "diag/status_names.def"
#undef NAME
};

constexpr Named bug_checks[] = {
#define NAME(Name) {static_cast<std::uint32_t>(Name), #Name},
#include "diag/bug_check_names.def"
#undef NAME
};

constexpr bool in_order(std::span<const Named> table) {
    for (std::size_t i = 1; i < table.size(); ++i) {
        if (table[i - 1].value >= table[i].value) return false;
    }
    return true;
}
static_assert(in_order(statuses) && in_order(bug_checks), "the tables are searched by halving");

std::string_view find(std::span<const Named> table, std::uint32_t value) noexcept {
    const auto place = std::ranges::lower_bound(table, value, {}, &Named::value);
    return place != table.end() && place->value == value ? place->name : std::string_view{};
}

} // namespace

std::string_view status_name(NTSTATUS status) noexcept { return find(statuses, static_cast<std::uint32_t>(status)); }

std::string_view bug_check_name(std::uint32_t code) noexcept {
    const std::string_view name = find(bug_checks, code);
    return name.empty() && code >= 0xC0000000 ? find(statuses, code) : name; // such a stop bears its status
}

std::string status_text(NTSTATUS status) {
    const std::string_view name = status_name(status);
    return name.empty() ? fmt::format("0x{:08X}", static_cast<std::uint32_t>(status)) : std::string(name);
}

} // namespace dirql::diag
