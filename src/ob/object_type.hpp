// Object types: what the object manager must know of the objects of a layer above it.
//
// A type is an immutable constant of this process, defined by the layer that implements its objects, and the same for every
// machine. So the variables that drivers read (*IoFileObjectType, *ExEventObjectType ...) hold plain link-time addresses and
// need no machine. What changes from machine to machine, the counts of objects and handles, is in ob's state of the machine,
// found by the type's index.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dirql::ob {

// Each type's place in a machine's table of types.
enum class TypeIndex : std::uint8_t {
    type,
    directory,
    symbolic_link,
    event,
    semaphore,
    callback,
    process,
    thread,
    token,
    controller,
    adapter,
    device,
    driver,
    file,
    io_completion,
    mutant,
    timer,
    desktop,
    section,
    test, // for tests of ob itself
    count,
};

enum class OpenReason : std::uint8_t { create, open, duplicate, inherit };

struct HandleOpen {
    OpenReason reason;
    ke::Process* process;
    void* object;
    ACCESS_MASK granted;
    std::int64_t handles; // of the object, with this one
};

struct HandleClose {
    ke::Process* process;
    void* object;
    ACCESS_MASK granted;
    std::int64_t handles; // of the object, with this one: 1 is the last
};

// Asking for or changing an object's security descriptor.
struct SecurityRequest {
    void* object;
    SECURITY_OPERATION_CODE operation; // SetSecurityDescriptor, QuerySecurityDescriptor
    SECURITY_INFORMATION which;
    PSECURITY_DESCRIPTOR descriptor; // kernel memory: what is set, or where what is asked for goes
    ULONG* length;                   // of that buffer, and then what is needed: STATUS_BUFFER_TOO_SMALL
};

// What an open by name asks of an object at which the object manager's own part of the name ends.
struct ParseRequest {
    void* object;             // the device, the symbolic link
    const _OBJECT_TYPE* type; // asked for; null: any
    PACCESS_STATE access;
    KPROCESSOR_MODE mode;     // whose rights count
    ULONG attributes;         // OBJ_*
    UNICODE_STRING complete;  // the whole name, for reading
    UNICODE_STRING remaining; // what follows the object's own name: empty, or it begins with a backslash
    void* context;            // the caller's: io's packet of an open
    PSECURITY_QUALITY_OF_SERVICE quality_of_service;
    // A parse procedure that returns STATUS_REPARSE sets this to the absolute name to go on with, in pool memory, which the
    // object manager frees.
    UNICODE_STRING reparse_name;
};

} // namespace dirql::ob

// At global scope: drivers' headers know it as an incomplete type.
struct _OBJECT_TYPE {
    std::u16string_view name;
    dirql::ob::TypeIndex index;
    ULONG tag = 0x206A624F; // of its pool blocks: "Obj "
    POOL_TYPE pool = NonPagedPoolNx;
    GENERIC_MAPPING mapping{};
    ACCESS_MASK valid_access = 0;

    // Do ObRegisterCallbacks' routines see its handles? And which rights can they not take away?
    bool has_callbacks = false;
    ACCESS_MASK retained_access = 0;

    // Where the dispatcher header is that a wait for the object waits for. Objects without one are always signalled.
    static constexpr std::int32_t always_signalled = -1;
    std::int32_t wait_offset = always_signalled;

    // The last reference goes at any IRQL <= DISPATCH_LEVEL; must the delete procedure then be put off until PASSIVE_LEVEL?
    bool delete_at_passive = false;

    // Are names of this type looked up without regard to case, whatever the caller says? As on Windows, where the case of what
    // drivers and file systems name never counts. An open of any type is one too.
    bool case_insensitive = false;

    // All are called at PASSIVE_LEVEL (destroy: see above) in the context of the thread that acts.
    // A handle was made. Failure undoes it.
    NTSTATUS (*open)(const dirql::ob::HandleOpen&) noexcept = nullptr;
    // A handle was closed.
    void (*close)(const dirql::ob::HandleClose&) noexcept = nullptr;
    // May this handle be closed?
    bool (*okay_to_close)(dirql::ke::Process*, void* object, HANDLE handle, KPROCESSOR_MODE mode) noexcept = nullptr;
    // The last reference is gone; the object manager frees the memory afterwards.
    void (*destroy)(void* object) noexcept = nullptr;
    // Opens what the rest of a name means. Success: *result is referenced. The object may be one of another type.
    NTSTATUS (*parse)(dirql::ob::ParseRequest&, void** result) noexcept = nullptr;
    // Objects of this type have a descriptor though they have no name.
    bool security_required = false;
    // Not 0: they have a mandatory label of their creator's level, with this policy.
    ACCESS_MASK label_policy = 0;
    // The rights that a handle gets with these.
    ACCESS_MASK (*implied)(ACCESS_MASK granted) noexcept = nullptr;
    // For types that keep descriptors elsewhere than in the header: the one that an open is checked against, or null.
    PSECURITY_DESCRIPTOR (*descriptor)(void* object) noexcept = nullptr;
    NTSTATUS (*security)(dirql::ob::SecurityRequest&) noexcept = nullptr;
    // As ObQueryNameString, for objects that know their names better than the namespace.
    NTSTATUS(*query_name)
    (void* object, bool has_name, POBJECT_NAME_INFORMATION information, ULONG length, PULONG needed) noexcept = nullptr;
};

namespace dirql::ob {

using ObjectType = _OBJECT_TYPE;

// A type's own rights behind GENERIC_READ and so on; the standard ones are added.
inline constexpr GENERIC_MAPPING standard_mapping(ACCESS_MASK read, ACCESS_MASK write, ACCESS_MASK execute,
                                                  ACCESS_MASK all) noexcept {
    constexpr ACCESS_MASK standard = STANDARD_RIGHTS_READ; // the same for writing and executing
    return {standard | read, standard | write, standard | execute, all};
}

} // namespace dirql::ob

// Defines the variable `Name` that drivers read, as *Name, for a type descriptor. At global scope. The headers declare it without
// const; here it is constant, under that symbol, for it belongs to all machines.
#define DIRQL_OBJECT_TYPE_EXPORT(Name, descriptor) \
    static POBJECT_TYPE const dirql_value_of_##Name = const_cast<POBJECT_TYPE>(&(descriptor)); \
    extern "C" { \
    extern __attribute__((visibility("default"))) POBJECT_TYPE* const dirql_variable_##Name asm(#Name); \
    POBJECT_TYPE* const dirql_variable_##Name = const_cast<POBJECT_TYPE*>(&dirql_value_of_##Name); \
    }
