// Objects: a header, then the body that everybody points to.
//
// An object lives while it is referenced. A handle is a reference, and so is an entry in a directory, unless the object is
// permanent, in which case the entry stays when the last handle goes. Between two export doors kernel code is atomic, so the
// counts are plain integers; see reference_count.hpp.
#pragma once

#include "ke/machine.hpp"
#include "ob/object_type.hpp"
#include "ob/reference_count.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::ob {

struct Directory;

namespace object_flags {
enum : std::uint8_t {
    not_inserted = 0x01, // created and not yet inserted: no handle, no place in the namespace
    kernel_object = 0x02,
    permanent = 0x10,
    exclusive = 0x08,
};
}

// Before the header of an object that may have a name.
struct NameInfo {
    Directory* directory; // referenced; null until inserted, and again when the name was taken out
    UNICODE_STRING name;  // the last component; before insertion the whole name. Pool memory
    ULONG64 reserved;
};

// The size and the places of the counts are those of x64 NT.
struct ObjectHeader {
    std::int64_t pointer_count;
    union {
        std::int64_t handle_count;
        ObjectHeader* next_to_delete;
    };
    const ObjectType* type;
    std::uint8_t has_name_info;
    std::uint8_t flags;
    KPROCESSOR_MODE owner_mode;
    std::uint8_t reserved;
    ULONG attributes; // OBJ_*, from creation to insertion
    union {
        HANDLE root_directory; // from creation to insertion: what the name is relative to
        ke::Process* exclusive_owner;
    };
    PSECURITY_DESCRIPTOR security_descriptor;

    [[nodiscard]] void* body() noexcept { return this + 1; }
    [[nodiscard]] NameInfo* name_info() noexcept {
        return has_name_info != 0 ? reinterpret_cast<NameInfo*>(this) - 1 : nullptr;
    }
    [[nodiscard]] bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
};
static_assert(sizeof(ObjectHeader) == 0x30 && offsetof(ObjectHeader, handle_count) == 8);
static_assert(sizeof(NameInfo) == 0x20);

[[nodiscard]] inline ObjectHeader& header_of(const void* body) noexcept {
    return *(static_cast<ObjectHeader*>(const_cast<void*>(body)) - 1);
}
[[nodiscard]] inline const ObjectType& type_of(const void* body) noexcept { return *header_of(body).type; }

// Makes an object that has one reference, the caller's. Its body is zeroed. `attributes` (may be null) gives the name, the
// root directory and OBJ_*; they are captured by the rules of `mode` and take effect with insert_object. PASSIVE_LEVEL.
// STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_INVALID, STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS create_object(const ObjectType& type, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode,
                                     std::size_t body_size, void** body) noexcept;

// Gives the object its place in the namespace and, where `handle` is not null, a handle of the current process (or the
// kernel, by OBJ_KERNEL_HANDLE) with `access`.
//
// Success with a handle: the handle takes over the creator's reference. Success without: the creator keeps it.
// Failure: the object is dereferenced, and is gone. Name taken: STATUS_OBJECT_NAME_COLLISION; with OBJ_OPENIF, for an object of
// the same type, STATUS_OBJECT_NAME_EXISTS (a success): the handle is to the existing object and the new one is gone.
// `inserted` (may be null) receives the body that the handle is to, with a reference for the caller. PASSIVE_LEVEL.
[[nodiscard]] NTSTATUS insert_object(void* body, ACCESS_MASK access, HANDLE* handle,
                                     void** inserted = nullptr) noexcept;

// Referencing. IRQL <= DISPATCH_LEVEL.
// The end of an object whose type's delete procedure has run, or is not to.
void free_object(ObjectHeader& header) noexcept;

namespace detail {
[[gnu::cold]] void last_reference_gone(ObjectHeader& header, bool may_delete_now) noexcept;
[[noreturn, gnu::cold]] void reference_violation(ObjectHeader& header, const char* rule) noexcept;
} // namespace detail

inline std::int64_t reference(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    const std::int64_t count = add_reference(header.pointer_count);
    if (count <= 1) [[unlikely]]
        detail::reference_violation(header, "a reference was taken to an object that had none left");
    return count;
}

// False, and no reference, for an object that is being deleted.
inline bool reference_safely(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    if (header.pointer_count <= 0) return false;
    add_reference(header.pointer_count);
    return true;
}

inline std::int64_t dereference(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    const std::int64_t count = drop_reference(header.pointer_count);
    if (count <= 0) [[unlikely]]
        detail::last_reference_gone(header, true);
    return count;
}

// As dereference, but the object, should it go, goes later, in a worker thread. For callers that hold locks.
inline void dereference_deferred(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    if (drop_reference(header.pointer_count) <= 0) [[unlikely]]
        detail::last_reference_gone(header, false);
}

// STATUS_OBJECT_TYPE_MISMATCH when the object is not of this type (null: any).
[[nodiscard]] NTSTATUS reference_by_pointer(void* body, const ObjectType* type, KPROCESSOR_MODE mode) noexcept;

// Makes a handle to a referenced object, whose references stay as they are. PASSIVE_LEVEL.
// STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED (exclusive objects), STATUS_INSUFFICIENT_RESOURCES, and what the type's open
// procedure returns.
[[nodiscard]] NTSTATUS open_by_pointer(void* body, ULONG attributes, PACCESS_STATE passed, ACCESS_MASK access,
                                       const ObjectType* type, KPROCESSOR_MODE mode, HANDLE* handle) noexcept;

// Generic rights as the type's own.
[[nodiscard]] ACCESS_MASK map_generic(const ObjectType& type, ACCESS_MASK asked) noexcept;
// The rights that a caller gets who asks for these, generic ones and MAXIMUM_ALLOWED among them, where no access list stands
// against it: what the type knows of is granted.
[[nodiscard]] ACCESS_MASK granted_access(const ObjectType& type, ACCESS_MASK asked) noexcept;

// Forgets that the object is permanent: with its last handle its name goes. PASSIVE_LEVEL.
void make_temporary(void* body) noexcept;

// As ObQueryNameString. STATUS_INFO_LENGTH_MISMATCH with the length needed.
[[nodiscard]] NTSTATUS query_name_string(void* body, POBJECT_NAME_INFORMATION information, ULONG length,
                                         ULONG* needed) noexcept;

// At boot, on the host's stack: types, the directories that every machine has, the kernel's handle table.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

} // namespace dirql::ob
