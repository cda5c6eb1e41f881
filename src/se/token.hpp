// Access tokens: who a process or thread is, and what that allows.
#pragma once

#include "ke/thread.hpp"
#include "ob/object_type.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace dirql::se {

extern const ob::ObjectType token_type;

// Privileges are numbers from 2 to 36: a set of them is a word.
using Privileges = std::uint64_t;
[[nodiscard]] constexpr Privileges privilege(ULONG number) noexcept { return Privileges{1} << number; }
[[nodiscard]] constexpr Privileges privilege_of(const LUID& luid) noexcept {
    return luid.HighPart == 0 && luid.LowPart < 64 ? privilege(luid.LowPart) : 0;
}

// Immutable but for which privileges are enabled: whoever needs another one makes a duplicate.
struct Token {
    TOKEN_TYPE type;
    SECURITY_IMPERSONATION_LEVEL level; // of impersonation tokens
    LUID id;
    LUID parent_id; // of the token it was made from by filtering
    LUID authentication_id;
    LUID modified_id; // changes when the token does
    TOKEN_SOURCE source;
    ULONG session;
    ULONG policy; // TOKEN_MANDATORY_POLICY_...
    TOKEN_ELEVATION_TYPE elevation;
    Privileges present;
    Privileges enabled;
    Privileges enabled_by_default;
    // One block of pool, which the pointers lead into. The user is the first, the groups follow.
    void* memory;
    SID_AND_ATTRIBUTES* sids;
    ULONG sid_count;
    SID_AND_ATTRIBUTES* restricted;
    ULONG restricted_count;
    ULONG owner;         // of objects it makes: an index of sids
    ULONG primary_group; // likewise
    PACL default_dacl;   // may be null

    [[nodiscard]] PSID user() const noexcept { return sids[0].Sid; }
    // The integrity label; null: none.
    [[nodiscard]] const SID_AND_ATTRIBUTES* label() const noexcept;
    [[nodiscard]] bool has_enabled(Privileges all) const noexcept { return (enabled & all) == all; }
};

[[nodiscard]] inline Token& token_of(PACCESS_TOKEN token) noexcept { return *static_cast<Token*>(token); }

// Is one of the token's SIDs this one? For denying, also those that are there for that only.
[[nodiscard]] bool has_sid(const Token& token, PSID sid, bool deny) noexcept;
[[nodiscard]] bool has_restricted_sid(const Token& token, PSID sid) noexcept;
[[nodiscard]] bool is_admin(const Token& token) noexcept;

struct TokenParts {
    TOKEN_TYPE type = TokenPrimary;
    SECURITY_IMPERSONATION_LEVEL level = SecurityAnonymous;
    LUID parent_id{};
    LUID authentication_id{};
    TOKEN_SOURCE source{};
    ULONG session = 0;
    ULONG policy = 0;
    TOKEN_ELEVATION_TYPE elevation = TokenElevationTypeDefault;
    Privileges present = 0;
    Privileges enabled = 0;
    Privileges enabled_by_default = 0;
    std::span<const SID_AND_ATTRIBUTES> sids;
    std::span<const SID_AND_ATTRIBUTES> restricted;
    ULONG owner = 0;
    ULONG primary_group = 0;
    const ACL* default_dacl = nullptr;
};
// An object with one reference, the caller's. STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS make_token(const TokenParts& parts, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode,
                                  Token** token) noexcept;
[[nodiscard]] TokenParts parts_of(const Token& token) noexcept;
// As NtDuplicateToken. `effective_only`: without what is not enabled.
[[nodiscard]] NTSTATUS duplicate(const Token& token, TOKEN_TYPE type, SECURITY_IMPERSONATION_LEVEL level,
                                 bool effective_only, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode,
                                 Token** copy) noexcept;
[[nodiscard]] LUID next_luid() noexcept;

// Whose token a process gets.
enum class Account : std::uint8_t { system, administrator, user };
[[nodiscard]] NTSTATUS make_account_token(Account account, Token** token) noexcept;

// A process's token. The new one replaces what was there. False when memory is short.
[[nodiscard]] bool give_token(ke::Process& process, Account account) noexcept;
// A copy of another process's. False when memory is short.
[[nodiscard]] bool inherit_token(const ke::Process& from, ke::Process& process) noexcept;
void drop_token(ke::Process& process) noexcept;
void drop_impersonation(ke::Thread& thread) noexcept;

// What a thread is impersonating.
struct Impersonation {
    Token* token; // null: nobody
    SECURITY_IMPERSONATION_LEVEL level;
    bool copy_on_open;
    bool effective_only;
};
[[nodiscard]] Impersonation impersonation_of(const ke::Thread& thread) noexcept;
// The thread gets a reference of its own.
void impersonate(ke::Thread& thread, const Impersonation& whom) noexcept;
// As PsImpersonateClient: with a copy that can only identify where the thread's process may not be that client.
[[nodiscard]] NTSTATUS impersonate_checked(ke::Thread& thread, Token* token, bool copy_on_open, bool effective_only,
                                           SECURITY_IMPERSONATION_LEVEL level) noexcept;

// Subjects. Both tokens are referenced.
void capture_subject(ke::Thread* thread, ke::Process& process, SECURITY_SUBJECT_CONTEXT& subject) noexcept;
void release_subject(SECURITY_SUBJECT_CONTEXT& subject) noexcept;
// Null when the client's level does not let its token be used.
[[nodiscard]] const Token* effective_token(const SECURITY_SUBJECT_CONTEXT& subject) noexcept;

// At boot, before ps: types, and ob's questions are answered.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

} // namespace dirql::se
