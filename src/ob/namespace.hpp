// The namespace: directories of named objects, symbolic links, and the walk along a name.
//
// A name is followed component by component from the root, or from the root directory that the caller gives. An object whose
// type has a parse procedure takes over the rest of the name: a symbolic link gives another name to go on with, a device opens
// a file. `\??` is where device names of applications live: the same directory as `\GLOBAL??`, and what `\DosDevices` links to.
#pragma once

#include "ob/object.hpp"

#include <ntifs.h>

#include <string_view>

namespace dirql::ob {

extern const ObjectType directory_type;
extern const ObjectType symbolic_link_type;

struct DirectoryEntry {
    DirectoryEntry* next;
    ObjectHeader* object; // referenced
    std::uint32_t hash;
};

struct Directory {
    static constexpr unsigned buckets = 37;
    DirectoryEntry* bucket[buckets];
};

struct SymbolicLink {
    LARGE_INTEGER creation_time;
    UNICODE_STRING target; // pool memory
};

// As ObOpenObjectByName: finds or, through a parse procedure, makes what the name means, and a handle to it.
// Statuses as NT's: OBJECT_PATH_SYNTAX_BAD, OBJECT_NAME_INVALID, OBJECT_PATH_NOT_FOUND, OBJECT_NAME_NOT_FOUND, OBJECT_TYPE_MISMATCH,
// NAME_TOO_LONG, and whatever the parse procedure returns. `forced` are attributes (OBJ_...) that the handle has whatever the
// caller's say. PASSIVE_LEVEL.
[[nodiscard]] NTSTATUS open_by_name(const OBJECT_ATTRIBUTES* attributes, const ObjectType* type, KPROCESSOR_MODE mode,
                                    ACCESS_MASK access, void* parse_context, HANDLE* handle, ULONG forced = 0) noexcept;

// The body of the NtOpenXxx services: by the mode of the caller, with the handle written to the caller's memory.
[[nodiscard]] NTSTATUS open_service(HANDLE* handle, ACCESS_MASK access, OBJECT_ATTRIBUTES* attributes,
                                    const ObjectType& type) noexcept;

// As ObReferenceObjectByName: a reference instead of a handle.
[[nodiscard]] NTSTATUS reference_by_name(const UNICODE_STRING& name, ULONG attributes, ACCESS_MASK access,
                                         const ObjectType* type, KPROCESSOR_MODE mode, void* parse_context,
                                         void** body) noexcept;

// For IoCreateSymbolicLink and IoDeleteSymbolicLink: permanent links of the kernel, names without regard to case.
[[nodiscard]] NTSTATUS create_symbolic_link(const UNICODE_STRING& name, const UNICODE_STRING& target) noexcept;
[[nodiscard]] NTSTATUS delete_symbolic_link(const UNICODE_STRING& name) noexcept;

// The walk itself. `insert` (may be null) is put where the name says if nothing is there. Success: *found is referenced; it is
// the inserted object, an existing one, or what a parse procedure made.
struct NameLookup {
    void* root; // referenced by the caller, or null: the namespace's root
    UNICODE_STRING name;
    ULONG attributes;
    const ObjectType* type; // null: any
    KPROCESSOR_MODE mode;
    PACCESS_STATE access;
    void* parse_context;
    PSECURITY_QUALITY_OF_SERVICE quality_of_service;
    ObjectHeader* insert;
};
[[nodiscard]] NTSTATUS look_up_name(const NameLookup& lookup, void** found) noexcept;

// Takes the object's name out of the namespace when it has no handle and is not permanent.
void delete_name_if_unused(ObjectHeader& header) noexcept;

} // namespace dirql::ob
