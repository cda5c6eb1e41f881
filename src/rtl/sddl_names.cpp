// The words of the security descriptor definition language.
#include "rtl/sddl.hpp"

#include "rtl/acl.hpp"
#include "rtl/counted_text.hpp"

#include <iterator>

namespace dirql::rtl::sddl {
namespace {

// Accounts of the forms S-1-5-32-x and S-1-5-x and so on: an authority and up to two numbers.
struct AccountName {
    char16_t text[3];
    UCHAR authority;
    UCHAR count;
    ULONG sub[2];
};
constexpr AccountName accounts[] = {
    {u"WD", 1, 1, {0, 0}},       {u"CO", 3, 1, {0, 0}},       {u"CG", 3, 1, {1, 0}},       {u"OW", 3, 1, {4, 0}},
    {u"NU", 5, 1, {2, 0}},       {u"IU", 5, 1, {4, 0}},       {u"SU", 5, 1, {6, 0}},       {u"AN", 5, 1, {7, 0}},
    {u"ED", 5, 1, {9, 0}},       {u"PS", 5, 1, {10, 0}},      {u"AU", 5, 1, {11, 0}},      {u"RC", 5, 1, {12, 0}},
    {u"SY", 5, 1, {18, 0}},      {u"LS", 5, 1, {19, 0}},      {u"NS", 5, 1, {20, 0}},      {u"WR", 5, 1, {33, 0}},
    {u"BA", 5, 2, {32, 544}},    {u"BU", 5, 2, {32, 545}},    {u"BG", 5, 2, {32, 546}},    {u"PU", 5, 2, {32, 547}},
    {u"AO", 5, 2, {32, 548}},    {u"SO", 5, 2, {32, 549}},    {u"PO", 5, 2, {32, 550}},    {u"BO", 5, 2, {32, 551}},
    {u"RE", 5, 2, {32, 552}},    {u"RU", 5, 2, {32, 554}},    {u"RD", 5, 2, {32, 555}},    {u"NO", 5, 2, {32, 556}},
    {u"MU", 5, 2, {32, 558}},    {u"LU", 5, 2, {32, 559}},    {u"IS", 5, 2, {32, 568}},    {u"CY", 5, 2, {32, 569}},
    {u"ER", 5, 2, {32, 573}},    {u"CD", 5, 2, {32, 574}},    {u"RA", 5, 2, {32, 575}},    {u"ES", 5, 2, {32, 576}},
    {u"MS", 5, 2, {32, 577}},    {u"HA", 5, 2, {32, 578}},    {u"AA", 5, 2, {32, 579}},    {u"RM", 5, 2, {32, 580}},
    {u"AC", 15, 2, {2, 1}},      {u"LW", 16, 1, {0x1000, 0}}, {u"ME", 16, 1, {0x2000, 0}}, {u"MP", 16, 1, {0x2100, 0}},
    {u"HI", 16, 1, {0x3000, 0}}, {u"SI", 16, 1, {0x4000, 0}}, {u"AS", 18, 1, {1, 0}},      {u"SS", 18, 1, {2, 0}},
};

// S-1-5-84-0-0-0-0-0: drivers of the user-mode framework.
constexpr auto user_mode_drivers = make_sid(5, 84, 0, 0, 0, 0, 0);

// Accounts of a domain or forest: a computer that has joined none cannot tell who they are.
constexpr const char16_t* domain_accounts[] = {u"CA", u"CN", u"DA", u"DC", u"DD", u"DG", u"DU", u"EA",
                                               u"EK", u"KA", u"AP", u"PA", u"RO", u"RS", u"SA"};

constexpr Name ace_types[] = {
    {u"A", ACCESS_ALLOWED_ACE_TYPE},
    {u"D", ACCESS_DENIED_ACE_TYPE},
    {u"AU", SYSTEM_AUDIT_ACE_TYPE},
    {u"AL", SYSTEM_ALARM_ACE_TYPE},
    {u"OA", ACCESS_ALLOWED_OBJECT_ACE_TYPE},
    {u"OD", ACCESS_DENIED_OBJECT_ACE_TYPE},
    {u"OU", SYSTEM_AUDIT_OBJECT_ACE_TYPE},
    {u"OL", SYSTEM_ALARM_OBJECT_ACE_TYPE},
    {u"XA", ACCESS_ALLOWED_CALLBACK_ACE_TYPE},
    {u"XD", ACCESS_DENIED_CALLBACK_ACE_TYPE},
    {u"ZA", ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE},
    {u"XU", SYSTEM_AUDIT_CALLBACK_ACE_TYPE},
    {u"ML", SYSTEM_MANDATORY_LABEL_ACE_TYPE},
    {u"RA", SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE},
    {u"SP", SYSTEM_SCOPED_POLICY_ID_ACE_TYPE},
    {u"TL", SYSTEM_PROCESS_TRUST_LABEL_ACE_TYPE},
    {u"FL", SYSTEM_ACCESS_FILTER_ACE_TYPE},
};

constexpr Name ace_flags[] = {
    {u"OI", OBJECT_INHERIT_ACE},         {u"CI", CONTAINER_INHERIT_ACE},  {u"NP", NO_PROPAGATE_INHERIT_ACE},
    {u"IO", INHERIT_ONLY_ACE},           {u"ID", INHERITED_ACE},          {u"CR", CRITICAL_ACE_FLAG},
    {u"SA", SUCCESSFUL_ACCESS_ACE_FLAG}, {u"FA", FAILED_ACCESS_ACE_FLAG},
};

constexpr Name bits[] = {
    {u"GA", GENERIC_ALL},  {u"GR", GENERIC_READ}, {u"GW", GENERIC_WRITE}, {u"GX", GENERIC_EXECUTE},
    {u"RC", READ_CONTROL}, {u"SD", DELETE},       {u"WD", WRITE_DAC},     {u"WO", WRITE_OWNER},
    {u"CC", 0x1},          {u"DC", 0x2},          {u"LC", 0x4},           {u"SW", 0x8},
    {u"RP", 0x10},         {u"WP", 0x20},         {u"DT", 0x40},          {u"LO", 0x80},
    {u"CR", 0x100},
};
constexpr Name label_bits[] = {
    {u"NW", SYSTEM_MANDATORY_LABEL_NO_WRITE_UP},
    {u"NR", SYSTEM_MANDATORY_LABEL_NO_READ_UP},
    {u"NX", SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP},
};
// Rights of files and registry keys, many at once. The first of two names for one mask is the one that is written.
constexpr Name masks[] = {
    {u"FA", 0x1F01FF}, {u"FR", 0x120089}, {u"FW", 0x120116}, {u"FX", 0x1200A0},
    {u"KA", 0xF003F},  {u"KR", 0x20019},  {u"KW", 0x20006},  {u"KX", 0x20019},
};

template <std::size_t N> std::optional<ULONG> value_in(const Name (&names)[N], std::u16string_view text) noexcept {
    for (const Name& name : names) {
        if (equal(name.view(), text, Case::ignored)) return name.value;
    }
    return {};
}

template <std::size_t N> std::u16string_view name_in(const Name (&names)[N], ULONG value) noexcept {
    for (const Name& name : names) {
        if (name.value == value) return name.view();
    }
    return {};
}

void fill(const AccountName& account, SidBuffer& sid) noexcept {
    initialize_sid(sid.get(), {{0, 0, 0, 0, 0, account.authority}}, account.count);
    auto* sub = reinterpret_cast<ULONG*>(sid.bytes + sid_size(0));
    for (unsigned i = 0; i < account.count; ++i) sub[i] = account.sub[i];
}

struct LocalAccount {
    const char16_t* text;
    PSID sid;
};
constexpr LocalAccount local_accounts[] = {
    {u"LA", sids::computer_administrator.get()}, {u"LG", sids::computer_guest.get()}, {u"UD", user_mode_drivers.get()}};

} // namespace

Account find_account(std::u16string_view text, SidBuffer& sid) noexcept {
    for (const AccountName& account : accounts) {
        if (!equal(account.text, text, Case::ignored)) continue;
        fill(account, sid);
        return Account::known;
    }
    for (const LocalAccount& account : local_accounts) {
        if (!equal(account.text, text, Case::ignored)) continue;
        copy_sid(sid.get(), account.sid);
        return Account::known;
    }
    for (const auto* name : domain_accounts) {
        if (equal(name, text, Case::ignored)) return Account::unmapped;
    }
    return Account::unknown;
}

const char16_t* letters_of(const void* sid) noexcept {
    SidBuffer known;
    for (const AccountName& account : accounts) {
        fill(account, known);
        if (equal_sids(known.get(), sid)) return account.text;
    }
    for (const LocalAccount& account : local_accounts) {
        if (equal_sids(account.sid, sid)) return account.text;
    }
    return nullptr;
}

std::optional<UCHAR> ace_type(std::u16string_view text) noexcept {
    const auto value = value_in(ace_types, text);
    return value ? std::optional(static_cast<UCHAR>(*value)) : std::nullopt;
}
std::u16string_view name_of_ace_type(UCHAR type) noexcept { return name_in(ace_types, type); }
std::optional<ULONG> ace_flag(std::u16string_view text) noexcept { return value_in(ace_flags, text); }
std::u16string_view name_of_ace_flag(ULONG bit) noexcept { return name_in(ace_flags, bit); }

std::optional<ACCESS_MASK> right(std::u16string_view text, bool label) noexcept {
    if (label) return value_in(label_bits, text);
    const auto bit = value_in(bits, text);
    return bit ? bit : value_in(masks, text);
}
std::u16string_view name_of_mask(ACCESS_MASK mask) noexcept { return name_in(masks, mask); }
std::u16string_view name_of_right(ACCESS_MASK bit, bool label) noexcept {
    return label ? name_in(label_bits, bit) : name_in(bits, bit);
}

} // namespace dirql::rtl::sddl
