#include "rtl/sid.hpp"

#include "rtl/integer_text.hpp"
#include "rtl/memory.hpp"

namespace dirql::rtl {
namespace {

constexpr std::uint64_t max_authority = (std::uint64_t{1} << 48) - 1;

std::uint64_t authority_of(const SID& sid) noexcept {
    std::uint64_t value = 0;
    for (const UCHAR byte : sid.IdentifierAuthority.Value) value = value << 8 | byte;
    return value;
}

bool same_bytes(const void* left, const void* right, std::size_t bytes) noexcept {
    return equal_bytes(left, right, bytes) == bytes;
}

// A number off the front of the text. False without a digit, and beyond the limit.
bool read_number(std::u16string_view& text, std::uint64_t limit, std::uint64_t& value) noexcept {
    const bool hexadecimal = text.starts_with(u"0x") || text.starts_with(u"0X");
    const unsigned base = hexadecimal ? 16 : 10;
    if (hexadecimal) text.remove_prefix(2);
    if (text.empty() || digit_value(text[0]) >= base) return false;
    value = 0;
    while (!text.empty() && digit_value(text[0]) < base) {
        value = value * base + digit_value(text[0]);
        if (value > limit) return false;
        text.remove_prefix(1);
    }
    return true;
}

char16_t* append(char16_t* end, std::string_view digits) noexcept {
    for (const char c : digits) *end++ = static_cast<char16_t>(c);
    return end;
}

} // namespace

bool valid_sid_within(const void* sid, std::size_t bytes) noexcept {
    return bytes >= sid_size(0) && valid_sid(sid) && length_of_sid(sid) <= bytes;
}

bool equal_sids(const void* left, const void* right) noexcept {
    const SID& a = sid_of(left);
    const SID& b = sid_of(right);
    return a.Revision == b.Revision && a.SubAuthorityCount == b.SubAuthorityCount &&
           same_bytes(left, right, length_of_sid(left));
}

bool equal_prefix(const void* left, const void* right) noexcept {
    const SID& a = sid_of(left);
    const SID& b = sid_of(right);
    if (a.Revision != b.Revision || a.SubAuthorityCount != b.SubAuthorityCount) return false;
    return same_bytes(left, right, sid_size(a.SubAuthorityCount == 0 ? 0 : a.SubAuthorityCount - 1u));
}

void copy_sid(void* to, const void* from) noexcept { move_memory(to, from, length_of_sid(from)); }

bool initialize_sid(void* sid, const SID_IDENTIFIER_AUTHORITY& authority, unsigned sub_authorities) noexcept {
    if (sub_authorities > SID_MAX_SUB_AUTHORITIES) return false;
    auto& to = *static_cast<SID*>(sid);
    to.Revision = SID_REVISION;
    to.SubAuthorityCount = static_cast<UCHAR>(sub_authorities);
    to.IdentifierAuthority = authority;
    fill_memory(to.SubAuthority, 0, 4 * sub_authorities);
    return true;
}

std::size_t write_sid(const void* sid, char16_t (&text)[max_sid_text]) noexcept {
    const SID& from = sid_of(sid);
    char16_t* end = append(text, "S-");
    end = append(end, Digits(from.Revision, 10).view());
    *end++ = u'-';
    const std::uint64_t authority = authority_of(from);
    if (authority <= MAXULONG) {
        end = append(end, Digits(authority, 10).view());
    } else {
        end = append(end, "0x");
        for (int shift = 44; shift >= 0; shift -= 4) *end++ = u"0123456789abcdef"[authority >> shift & 0xF];
    }
    const ULONG* sub = from.SubAuthority;
    for (unsigned i = 0; i < from.SubAuthorityCount; ++i) {
        *end++ = u'-';
        end = append(end, Digits(sub[i], 10).view());
    }
    return static_cast<std::size_t>(end - text);
}

bool read_sid(std::u16string_view& text, SidBuffer& sid) noexcept {
    if (text.size() < 2 || (text[0] | 0x20) != u's' || text[1] != u'-') return false;
    text.remove_prefix(2);
    std::uint64_t number = 0;
    if (!read_number(text, MAXUCHAR, number) || number != SID_REVISION || !text.starts_with(u'-')) return false;
    text.remove_prefix(1);
    if (!read_number(text, max_authority, number)) return false;
    SID_IDENTIFIER_AUTHORITY authority{};
    for (unsigned i = 0; i < 6; ++i) authority.Value[i] = static_cast<UCHAR>(number >> (8 * (5 - i)));
    initialize_sid(sid.get(), authority, 0);
    auto& to = *static_cast<SID*>(sid.get());
    auto* sub = reinterpret_cast<ULONG*>(sid.bytes + sid_size(0));
    while (text.starts_with(u'-')) {
        text.remove_prefix(1);
        if (to.SubAuthorityCount == SID_MAX_SUB_AUTHORITIES || !read_number(text, MAXULONG, number)) return false;
        sub[to.SubAuthorityCount++] = static_cast<ULONG>(number);
    }
    return true;
}

} // namespace dirql::rtl
