// Security identifiers: their layout, their text, and those that every system knows.
#pragma once

#include <ntifs.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dirql::rtl {

[[nodiscard]] constexpr std::size_t sid_size(unsigned sub_authorities) noexcept { return 8 + 4 * sub_authorities; }
inline constexpr std::size_t max_sid_size = sid_size(SID_MAX_SUB_AUTHORITIES);

[[nodiscard]] inline const SID& sid_of(const void* sid) noexcept { return *static_cast<const SID*>(sid); }
[[nodiscard]] inline std::size_t length_of_sid(const void* sid) noexcept {
    return sid_size(sid_of(sid).SubAuthorityCount);
}
[[nodiscard]] inline bool valid_sid(const void* sid) noexcept {
    return sid != nullptr && (sid_of(sid).Revision & 0x0F) == SID_REVISION &&
           sid_of(sid).SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}
// The same for one that may reach beyond its memory.
[[nodiscard]] bool valid_sid_within(const void* sid, std::size_t bytes) noexcept;
[[nodiscard]] bool equal_sids(const void* left, const void* right) noexcept;
// All but the last sub-authority are the same: two accounts of one domain.
[[nodiscard]] bool equal_prefix(const void* left, const void* right) noexcept;
void copy_sid(void* to, const void* from) noexcept;
// The sub-authorities are zero. False when there would be too many.
bool initialize_sid(void* sid, const SID_IDENTIFIER_AUTHORITY& authority, unsigned sub_authorities) noexcept;

// A SID with room for the longest.
struct SidBuffer {
    alignas(4) std::byte bytes[max_sid_size];

    [[nodiscard]] PSID get() noexcept { return bytes; }
    [[nodiscard]] std::size_t size() const noexcept { return length_of_sid(bytes); }
};

// Constants: laid out as SIDs.
template <unsigned N> struct ConstantSid {
    UCHAR revision = SID_REVISION;
    UCHAR count = N;
    UCHAR authority[6]{};
    std::array<ULONG, N> sub{};

    [[nodiscard]] constexpr PSID get() const noexcept { return const_cast<ConstantSid*>(this); }
};
template <class... Sub> [[nodiscard]] constexpr auto make_sid(UCHAR authority, Sub... sub) noexcept {
    return ConstantSid<sizeof...(Sub)>{
        SID_REVISION, sizeof...(Sub), {0, 0, 0, 0, 0, authority}, {static_cast<ULONG>(sub)...}};
}
static_assert(sizeof(ConstantSid<2>) == sid_size(2));

namespace sids {
inline constexpr auto null_sid = make_sid(0, 0);
inline constexpr auto world = make_sid(1, 0);
inline constexpr auto local = make_sid(2, 0);
inline constexpr auto console_logon = make_sid(2, 1);
inline constexpr auto creator_owner = make_sid(3, 0);
inline constexpr auto creator_group = make_sid(3, 1);
inline constexpr auto owner_rights = make_sid(3, 4);
inline constexpr auto nt_authority = make_sid(5);
inline constexpr auto dialup = make_sid(5, 1);
inline constexpr auto network = make_sid(5, 2);
inline constexpr auto batch = make_sid(5, 3);
inline constexpr auto interactive = make_sid(5, 4);
inline constexpr auto service = make_sid(5, 6);
inline constexpr auto anonymous = make_sid(5, 7);
inline constexpr auto principal_self = make_sid(5, 10);
inline constexpr auto authenticated_users = make_sid(5, 11);
inline constexpr auto restricted = make_sid(5, 12);
inline constexpr auto this_organization = make_sid(5, 15);
inline constexpr auto iusr = make_sid(5, 17);
inline constexpr auto local_system = make_sid(5, 18);
inline constexpr auto local_service = make_sid(5, 19);
inline constexpr auto network_service = make_sid(5, 20);
inline constexpr auto local_account = make_sid(5, 113);
inline constexpr auto local_account_and_administrator = make_sid(5, 114);
inline constexpr auto administrators = make_sid(5, 32, 544);
inline constexpr auto users = make_sid(5, 32, 545);
inline constexpr auto guests = make_sid(5, 32, 546);
inline constexpr auto power_users = make_sid(5, 32, 547);
inline constexpr auto account_operators = make_sid(5, 32, 548);
inline constexpr auto system_operators = make_sid(5, 32, 549);
inline constexpr auto print_operators = make_sid(5, 32, 550);
inline constexpr auto backup_operators = make_sid(5, 32, 551);
inline constexpr auto ntlm_authentication = make_sid(5, 64, 10);
inline constexpr auto untrusted_label = make_sid(16, 0);
inline constexpr auto low_label = make_sid(16, 0x1000);
inline constexpr auto medium_label = make_sid(16, 0x2000);
inline constexpr auto high_label = make_sid(16, 0x3000);
inline constexpr auto system_label = make_sid(16, 0x4000);
// Accounts of this computer: S-1-5-21 and three numbers that Windows draws at its installation.
inline constexpr auto computer = make_sid(5, 21, 1004336348, 1177238915, 682003330);
inline constexpr auto computer_administrator = make_sid(5, 21, 1004336348, 1177238915, 682003330, 500);
inline constexpr auto computer_guest = make_sid(5, 21, 1004336348, 1177238915, 682003330, 501);
inline constexpr auto computer_none = make_sid(5, 21, 1004336348, 1177238915, 682003330, 513);
inline constexpr auto computer_admin_user = make_sid(5, 21, 1004336348, 1177238915, 682003330, 1001);
inline constexpr auto computer_plain_user = make_sid(5, 21, 1004336348, 1177238915, 682003330, 1002);
} // namespace sids

// S-1-5-32-544; an authority beyond 32 bits is in hexadecimal. Returns the length; `text` has room for that.
inline constexpr std::size_t max_sid_text = 2 + 3 + 1 + 14 + SID_MAX_SUB_AUTHORITIES * 11;
[[nodiscard]] std::size_t write_sid(const void* sid, char16_t (&text)[max_sid_text]) noexcept;

// Reads "S-1-..." off the front of `text`, numbers decimal or 0x hexadecimal. False when it does not begin with a SID.
[[nodiscard]] bool read_sid(std::u16string_view& text, SidBuffer& sid) noexcept;

} // namespace dirql::rtl
