#include "se/token_query.hpp"

#include "rtl/acl.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"

#include <bit>
#include <cstdint>
#include <span>
#include <utility>

namespace dirql::se {
namespace {

// Fixed parts first, then what they point to.
class Answer {
public:
    Answer(void* buffer, const void* address, std::size_t room) noexcept
        : to_(static_cast<std::byte*>(buffer)), address_(reinterpret_cast<std::uintptr_t>(address)), room_(room) {}

    std::size_t reserve(std::size_t bytes, std::size_t alignment = 8) noexcept {
        used_ = (used_ + alignment - 1) & ~(alignment - 1);
        return std::exchange(used_, used_ + bytes);
    }
    void write(std::size_t at, const void* from, std::size_t bytes) noexcept {
        if (at + bytes <= room_) rtl::move_memory(to_ + at, from, bytes);
    }
    template <class T> void put(const T& value) noexcept {
        write(reserve(sizeof value, alignof(T)), &value, sizeof value);
    }
    // Where a copy will be found.
    void* copy(const void* from, std::size_t bytes) noexcept {
        const std::size_t at = reserve(bytes, 4);
        write(at, from, bytes);
        return reinterpret_cast<void*>(address_ + at);
    }
    void* copy_sid(PSID sid) noexcept { return copy(sid, rtl::length_of_sid(sid)); }

    [[nodiscard]] NTSTATUS finish(std::size_t* needed) const noexcept {
        *needed = used_;
        return used_ <= room_ ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
    }

private:
    std::byte* to_;
    std::uintptr_t address_;
    std::size_t room_;
    std::size_t used_ = 0;
};

void put_sid(Answer& answer, const SID_AND_ATTRIBUTES* sid) noexcept {
    const std::size_t at = answer.reserve(sizeof(SID_AND_ATTRIBUTES));
    SID_AND_ATTRIBUTES out{};
    if (sid != nullptr) out = {answer.copy_sid(sid->Sid), sid->Attributes};
    answer.write(at, &out, sizeof out);
}

void put_pointer(Answer& answer, const void* from, std::size_t bytes) noexcept {
    const std::size_t at = answer.reserve(sizeof(void*));
    const void* out = from == nullptr ? nullptr : answer.copy(from, bytes);
    answer.write(at, &out, sizeof out);
}

void put_groups(Answer& answer, std::span<const SID_AND_ATTRIBUTES> groups) noexcept {
    const auto count = static_cast<ULONG>(groups.size());
    const std::size_t at = answer.reserve(offsetof(TOKEN_GROUPS, Groups) + groups.size_bytes());
    answer.write(at, &count, sizeof count);
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const SID_AND_ATTRIBUTES out{answer.copy_sid(groups[i].Sid), groups[i].Attributes};
        answer.write(at + offsetof(TOKEN_GROUPS, Groups) + i * sizeof out, &out, sizeof out);
    }
}

void put_privileges(Answer& answer, const Token& token) noexcept {
    answer.put(static_cast<ULONG>(std::popcount(token.present)));
    for (Privileges left = token.present; left != 0; left &= left - 1) {
        const auto number = static_cast<ULONG>(std::countr_zero(left));
        const Privileges bit = privilege(number);
        const ULONG attributes = ((token.enabled & bit) != 0 ? SE_PRIVILEGE_ENABLED : 0) |
                                 ((token.enabled_by_default & bit) != 0 ? SE_PRIVILEGE_ENABLED_BY_DEFAULT : 0);
        const LUID_AND_ATTRIBUTES out{{number, 0}, attributes};
        answer.write(answer.reserve(sizeof out, 4), &out, sizeof out);
    }
}

void put_statistics(Answer& answer, const Token& token) noexcept {
    TOKEN_STATISTICS out{};
    out.TokenId = token.id;
    out.AuthenticationId = token.authentication_id;
    out.ExpirationTime.QuadPart = MAXLONGLONG; // never
    out.TokenType = token.type;
    out.ImpersonationLevel = token.level;
    out.DynamicCharged = 0x1000;
    out.GroupCount = token.sid_count - 1;
    out.PrivilegeCount = static_cast<ULONG>(std::popcount(token.present));
    out.ModifiedId = token.modified_id;
    answer.put(out);
}

bool put(Answer& answer, const Token& token, TOKEN_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case TokenUser: put_sid(answer, &token.sids[0]); return true;
    case TokenGroups: put_groups(answer, {token.sids + 1, token.sid_count - 1}); return true;
    case TokenRestrictedSids: put_groups(answer, {token.restricted, token.restricted_count}); return true;
    case TokenPrivileges: put_privileges(answer, token); return true;
    case TokenOwner: {
        PSID owner = token.sids[token.owner].Sid;
        put_pointer(answer, owner, rtl::length_of_sid(owner));
        return true;
    }
    case TokenPrimaryGroup: {
        PSID group = token.sids[token.primary_group].Sid;
        put_pointer(answer, group, rtl::length_of_sid(group));
        return true;
    }
    case TokenDefaultDacl:
        put_pointer(answer, token.default_dacl, token.default_dacl == nullptr ? 0 : token.default_dacl->AclSize);
        return true;
    case TokenSource: answer.put(token.source); return true;
    case TokenType: answer.put(token.type); return true;
    case TokenImpersonationLevel: answer.put(token.level); return true;
    case TokenStatistics: put_statistics(answer, token); return true;
    case TokenSessionId: answer.put(token.session); return true;
    case TokenElevationType: answer.put(token.elevation); return true;
    case TokenElevation: answer.put(TOKEN_ELEVATION{token.elevation == TokenElevationTypeFull}); return true;
    case TokenHasRestrictions: answer.put(ULONG{token.restricted_count != 0}); return true;
    case TokenIntegrityLevel: put_sid(answer, token.label()); return true;
    case TokenMandatoryPolicy: answer.put(TOKEN_MANDATORY_POLICY{token.policy}); return true;
    default: return false;
    }
}

} // namespace

NTSTATUS query_token(const Token& token, TOKEN_INFORMATION_CLASS which, void* buffer, const void* address,
                     std::size_t room, std::size_t* needed) noexcept {
    if (which == TokenImpersonationLevel && token.type != TokenImpersonation) return STATUS_INVALID_PARAMETER;
    Answer answer(buffer, address, room);
    return put(answer, token, which) ? answer.finish(needed) : STATUS_INVALID_INFO_CLASS;
}

} // namespace dirql::se
