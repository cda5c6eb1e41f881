// Objects' security: what the object manager asks of the security reference monitor, a layer above it.
#pragma once

#include "ob/object.hpp"

#include <ntifs.h>

namespace dirql::ob {

// All at PASSIVE_LEVEL, in the context of the thread whose rights count.
struct SecurityHooks {
    // The subject of an open; ended with end_access.
    void (*begin_access)(ACCESS_STATE& state) noexcept;
    void (*end_access)(ACCESS_STATE& state) noexcept;
    // Moves what remains to be asked for to what was granted, or says why not. Without a descriptor all is granted.
    NTSTATUS(*check)
    (PSECURITY_DESCRIPTOR descriptor, const ObjectType& type, KPROCESSOR_MODE mode, ACCESS_STATE& state) noexcept;
    // May names be followed through this directory, or be put into it?
    NTSTATUS (*check_directory)(PSECURITY_DESCRIPTOR descriptor, ACCESS_MASK rights) noexcept;
    // The caller's descriptor as one block of the kernel's.
    NTSTATUS (*capture)(const void* descriptor, KPROCESSOR_MODE mode, PSECURITY_DESCRIPTOR* captured) noexcept;
    // What a new object's descriptor is, by what its creator asked for (may be null) and the directory's (may be null).
    NTSTATUS(*assign)
    (const ObjectType& type, KPROCESSOR_MODE mode, PSECURITY_DESCRIPTOR asked, PSECURITY_DESCRIPTOR parent,
     PSECURITY_DESCRIPTOR* result) noexcept;
    void (*release)(PSECURITY_DESCRIPTOR descriptor) noexcept;
};

// The access state of an open by name or pointer, from the first question to the last.
class AccessState {
public:
    AccessState(const ObjectType* type, ACCESS_MASK access, const UNICODE_STRING& name) noexcept;
    ~AccessState();
    AccessState(const AccessState&) = delete;
    AccessState& operator=(const AccessState&) = delete;

    [[nodiscard]] ACCESS_STATE& get() noexcept { return state_; }

private:
    ACCESS_STATE state_{};
};

// The descriptor that opens of the object are checked against; null: none, and everybody may everything.
[[nodiscard]] PSECURITY_DESCRIPTOR descriptor_of(void* body) noexcept;

// Whose rights count: the kernel's own callers may ask to be checked like applications.
[[nodiscard]] constexpr KPROCESSOR_MODE checked_mode(ULONG attributes, KPROCESSOR_MODE mode) noexcept {
    return (attributes & OBJ_FORCE_ACCESS_CHECK) != 0 ? static_cast<KPROCESSOR_MODE>(UserMode) : mode;
}

// Success: state.PreviouslyGrantedAccess is what the handle grants.
[[nodiscard]] NTSTATUS check_open(void* body, KPROCESSOR_MODE mode, ACCESS_STATE& state) noexcept;
[[nodiscard]] NTSTATUS check_directory(Directory& directory, ACCESS_MASK rights, KPROCESSOR_MODE mode) noexcept;

// A new object that has found its place, if it has a name, gets its descriptor.
[[nodiscard]] NTSTATUS assign_security(ObjectHeader& header, KPROCESSOR_MODE mode) noexcept;
// What its creator asked for, between creation and insertion.
[[nodiscard]] NTSTATUS capture_security(ObjectHeader& header, const OBJECT_ATTRIBUTES* attributes,
                                        KPROCESSOR_MODE mode) noexcept;
void release_security(ObjectHeader& header) noexcept;

} // namespace dirql::ob
