// The access check: may this subject have these rights to what that descriptor protects?
#pragma once

#include "rtl/descriptor.hpp"
#include "se/token.hpp"

#include <ntifs.h>

namespace dirql::se {

struct AccessQuestion {
    const void* descriptor; // null: nobody from user mode has access
    const SECURITY_SUBJECT_CONTEXT* subject;
    ACCESS_MASK desired;    // no generic rights; MAXIMUM_ALLOWED asks for all that there is to have
    ACCESS_MASK previously; // granted before
    const GENERIC_MAPPING* mapping;
    KPROCESSOR_MODE mode;
};
struct AccessAnswer {
    NTSTATUS status;     // STATUS_SUCCESS: all of it
    ACCESS_MASK granted; // none unless all of what was asked for
    Privileges used;     // those that some of it was granted by
};
[[nodiscard]] AccessAnswer check_access(const AccessQuestion& question) noexcept;

// Is the caller allowed this privilege? As SePrivilegeCheck: those that the subject has are marked in the set.
[[nodiscard]] bool check_privileges(PRIVILEGE_SET& required, const Token* token) noexcept;
// The subject's of the current thread.
[[nodiscard]] bool check_privilege(const LUID& luid, KPROCESSOR_MODE mode) noexcept;

} // namespace dirql::se
