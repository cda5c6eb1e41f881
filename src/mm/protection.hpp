// Page protections, NT's and the host's.
#pragma once

#include <ntifs.h>

#include <sys/mman.h>

namespace dirql::mm {

inline constexpr ULONG protection_modifiers = PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE;

// One kind of access, with the modifiers that go with it.
[[nodiscard]] constexpr bool valid_protection(ULONG protect) noexcept {
    const ULONG access = protect & ~protection_modifiers;
    if (access == 0 || (access & (access - 1)) != 0 || access > PAGE_EXECUTE_WRITECOPY) return false;
    if (access == PAGE_NOACCESS && (protect & protection_modifiers) != 0) return false;
    const ULONG caching = protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE);
    return caching == 0 || (caching != (PAGE_NOCACHE | PAGE_WRITECOMBINE) && (protect & PAGE_GUARD) == 0);
}

[[nodiscard]] constexpr bool allows_read(ULONG protect) noexcept {
    return (protect & (PAGE_NOACCESS | PAGE_GUARD)) == 0;
}
[[nodiscard]] constexpr bool allows_write(ULONG protect) noexcept {
    constexpr ULONG writable = PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    return (protect & PAGE_GUARD) == 0 && (protect & writable) != 0;
}
[[nodiscard]] constexpr bool allows_execute(ULONG protect) noexcept {
    return (protect & ~protection_modifiers) >= PAGE_EXECUTE;
}

// A guard page allows nothing. What may be executed may be read, as on x64.
[[nodiscard]] constexpr int host_protection(ULONG protect) noexcept {
    if (!allows_read(protect)) return PROT_NONE;
    return PROT_READ | (allows_write(protect) ? PROT_WRITE : 0) | (allows_execute(protect) ? PROT_EXEC : 0);
}

} // namespace dirql::mm
