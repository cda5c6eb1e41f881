#include "ob/altitude.hpp"

namespace dirql::ob {
namespace {

struct Number {
    std::u16string_view whole;
    std::u16string_view fraction;
};

Number split(std::u16string_view text) noexcept {
    const std::size_t point = text.find(u'.');
    Number number{text.substr(0, point), point == text.npos ? std::u16string_view{} : text.substr(point + 1)};
    while (number.whole.starts_with(u'0')) number.whole.remove_prefix(1);
    while (number.fraction.ends_with(u'0')) number.fraction.remove_suffix(1);
    return number;
}

} // namespace

int compare_altitudes(std::u16string_view a, std::u16string_view b) noexcept {
    const Number left = split(a);
    const Number right = split(b);
    if (left.whole.size() != right.whole.size()) return left.whole.size() < right.whole.size() ? -1 : 1;
    const int whole = left.whole.compare(right.whole);
    return whole != 0 ? whole : left.fraction.compare(right.fraction);
}

} // namespace dirql::ob
