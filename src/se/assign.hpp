// Descriptors of new objects, and changes to those of old ones.
#pragma once

#include "se/token.hpp"

#include <ntifs.h>

namespace dirql::se {

struct AssignQuestion {
    const void* parent; // the container's, or null
    const void* asked;  // what the creator asked for, or null
    bool container;     // the new object is one
    ULONG flags;        // SEF_...
    const Token* token; // the creator's
    const GENERIC_MAPPING* mapping;
    KPROCESSOR_MODE mode; // applications need to be allowed the owner and the audit list that they ask for
    POOL_TYPE pool;
    ACCESS_MASK label_policy =
        0; // not 0: it gets a label of the token's level with this policy, unless one was asked for
};
// STATUS_INVALID_OWNER, STATUS_PRIVILEGE_NOT_HELD, STATUS_INVALID_SECURITY_DESCR (a list that is too
// long), STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS assign(const AssignQuestion& question, PSECURITY_DESCRIPTOR* result) noexcept;

// May this be the owner of what the token makes or has?
[[nodiscard]] bool may_own(const Token& token, PSID owner) noexcept;

// `old` with the parts of `changes` that `which` names. Generic rights are mapped.
[[nodiscard]] NTSTATUS change(const void* old, SECURITY_INFORMATION which, const void* changes,
                              const GENERIC_MAPPING& mapping, POOL_TYPE pool, PSECURITY_DESCRIPTOR* result) noexcept;
// The named parts as one self-relative block. STATUS_BUFFER_TOO_SMALL; `length` is then, and always, what is needed.
[[nodiscard]] NTSTATUS query(const void* descriptor, SECURITY_INFORMATION which, void* buffer, ULONG* length) noexcept;

// The rights that a handle must grant for this.
[[nodiscard]] ACCESS_MASK rights_to_query(SECURITY_INFORMATION which) noexcept;
[[nodiscard]] ACCESS_MASK rights_to_set(SECURITY_INFORMATION which) noexcept;

} // namespace dirql::se
