// Making objects and giving them their place.
#include "ob/object.hpp"

#include "ex/pool.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/security.hpp"
#include "ob/state.hpp"

#include <utility>

namespace dirql::ob {
namespace {

// Memory for optional name info, header and body, zeroed.
ObjectHeader* allocate(const ObjectType& type, std::size_t body_size, bool named) noexcept {
    const std::size_t before = named ? sizeof(NameInfo) : 0;
    auto* memory = static_cast<std::byte*>(
        ex::allocate_pool(type.pool, before + sizeof(ObjectHeader) + body_size, type.tag, ex::Fill::zero));
    if (memory == nullptr) return nullptr;
    auto* header = reinterpret_cast<ObjectHeader*>(memory + before);
    header->pointer_count = 1;
    header->type = &type;
    header->has_name_info = named;
    header->flags = object_flags::not_inserted;
    return header;
}

// Creating permanent objects takes a privilege that only the system's own processes hold; applications here are users'.
bool may_be_permanent(ULONG attributes, KPROCESSOR_MODE mode) noexcept {
    return (attributes & OBJ_PERMANENT) == 0 || mode == KernelMode;
}

void set_flags(ObjectHeader& header, ULONG attributes) noexcept {
    if ((attributes & OBJ_PERMANENT) != 0) header.flags |= object_flags::permanent;
    if ((attributes & OBJ_EXCLUSIVE) != 0) header.flags |= object_flags::exclusive;
    if (header.owner_mode == KernelMode) header.flags |= object_flags::kernel_object;
}

// What the object that is at the name already means for the one that was to be put there.
NTSTATUS name_taken(const ObjectHeader& header, ULONG attributes, void* existing) noexcept {
    if ((attributes & OBJ_OPENIF) == 0) return STATUS_OBJECT_NAME_COLLISION;
    return &type_of(existing) == header.type ? STATUS_OBJECT_NAME_EXISTS : STATUS_OBJECT_TYPE_MISMATCH;
}

// Puts the object where its name says. Success: *placed is it, or, with OBJ_OPENIF, the one that is there; referenced.
NTSTATUS place_by_name(ObjectHeader& header, ULONG attributes, HANDLE root_handle, void** placed) noexcept {
    void* root = nullptr;
    if (root_handle != nullptr) {
        const NTSTATUS status = reference_by_handle(root_handle, 0, nullptr, header.owner_mode, &root);
        if (!NT_SUCCESS(status)) return status;
    }
    CapturedName name;
    name.reset(std::exchange(header.name_info()->name, {}));
    NameLookup lookup{};
    lookup.root = root;
    lookup.name = name.get();
    lookup.attributes = attributes;
    lookup.type = header.type;
    lookup.mode = header.owner_mode;
    lookup.insert = &header;
    NTSTATUS status = look_up_name(lookup, placed);
    if (root != nullptr) dereference(root);
    if (!NT_SUCCESS(status) || *placed == header.body()) return status;
    status = name_taken(header, attributes, *placed);
    if (!NT_SUCCESS(status)) dereference(*placed);
    return status;
}

ke::Process& handle_process(ULONG attributes) noexcept {
    return (attributes & OBJ_KERNEL_HANDLE) != 0 ? *current_state().system_process : *ke::current_thread()->process;
}

// The handle that the creator asked for, if any. Without it the object does not stay in the namespace.
NTSTATUS first_handle(void* body, void* placed, ACCESS_MASK access, ULONG attributes, HANDLE* handle) noexcept {
    if (handle == nullptr) return STATUS_SUCCESS;
    const OpenReason reason = placed == body ? OpenReason::create : OpenReason::open;
    ACCESS_MASK granted = granted_access(type_of(placed), access);
    if (placed != body) {
        AccessState state(&type_of(placed), access, {});
        const NTSTATUS status = check_open(placed, checked_mode(attributes, header_of(body).owner_mode), state.get());
        if (!NT_SUCCESS(status)) return status;
        granted = state.get().PreviouslyGrantedAccess;
    }
    const NTSTATUS status = create_handle(handle_process(attributes), placed, granted, attributes, reason, handle);
    if (!NT_SUCCESS(status) && placed == body) make_temporary(body);
    return status;
}

} // namespace

NTSTATUS create_object(const ObjectType& type, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode,
                       std::size_t body_size, void** body) noexcept {
    CapturedAttributes captured;
    if (const NTSTATUS status = captured.capture(attributes, mode); !NT_SUCCESS(status)) return status;
    if (!may_be_permanent(captured.attributes, mode)) return STATUS_PRIVILEGE_NOT_HELD;
    ObjectHeader* header = allocate(type, body_size, !captured.name.empty());
    if (header == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    header->owner_mode = mode;
    header->attributes = captured.attributes;
    header->root_directory = captured.root;
    set_flags(*header, captured.attributes);
    if (NameInfo* info = header->name_info()) info->name = captured.name.release();
    ++type_state(current_state(), type).objects;
    if (const NTSTATUS status = capture_security(*header, attributes, mode); !NT_SUCCESS(status)) {
        free_object(*header);
        return status;
    }
    *body = header->body();
    return STATUS_SUCCESS;
}

NTSTATUS insert_object(void* body, ACCESS_MASK access, HANDLE* handle, void** inserted) noexcept {
    ObjectHeader& header = header_of(body);
    const ULONG attributes = std::exchange(header.attributes, 0);
    const HANDLE root = std::exchange(header.root_directory, nullptr);
    header.flags &= static_cast<std::uint8_t>(~object_flags::not_inserted);
    void* placed = body;
    NTSTATUS status = STATUS_SUCCESS;
    if (header.has_name_info != 0) {
        status = place_by_name(header, attributes, root, &placed);
    } else {
        reference(body); // as the walk along a name does
    }
    if (NT_SUCCESS(status) && placed == body) {
        status = assign_security(header, header.owner_mode);
        if (!NT_SUCCESS(status)) {
            make_temporary(body); // it has no handle: its name goes
            dereference(placed);
        }
    } else if (placed != body) {
        release_security(header);
    }
    if (NT_SUCCESS(status)) {
        const NTSTATUS made = first_handle(body, placed, access, attributes, handle);
        if (NT_SUCCESS(made) && inserted != nullptr) *inserted = (reference(placed), placed);
        if (!NT_SUCCESS(made)) status = made;
        dereference(placed);
    }
    if (handle != nullptr || !NT_SUCCESS(status)) dereference(body);
    return status;
}

ACCESS_MASK map_generic(const ObjectType& type, ACCESS_MASK asked) noexcept {
    ACCESS_MASK mask = asked & ~ACCESS_MASK{GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL};
    if ((asked & GENERIC_READ) != 0) mask |= type.mapping.GenericRead;
    if ((asked & GENERIC_WRITE) != 0) mask |= type.mapping.GenericWrite;
    if ((asked & GENERIC_EXECUTE) != 0) mask |= type.mapping.GenericExecute;
    if ((asked & GENERIC_ALL) != 0) mask |= type.mapping.GenericAll;
    return mask;
}

ACCESS_MASK granted_access(const ObjectType& type, ACCESS_MASK asked) noexcept {
    const ACCESS_MASK mask = map_generic(type, asked);
    return ((mask & MAXIMUM_ALLOWED) != 0 ? mask | type.mapping.GenericAll : mask) &
           (type.valid_access | ACCESS_SYSTEM_SECURITY);
}

NTSTATUS open_by_pointer(void* body, ULONG attributes, PACCESS_STATE passed, ACCESS_MASK access, const ObjectType* type,
                         KPROCESSOR_MODE mode, HANDLE* handle) noexcept {
    if ((attributes & ~ULONG{OBJ_VALID_ATTRIBUTES}) != 0) return STATUS_INVALID_PARAMETER;
    if (type != nullptr && type != &type_of(body)) return STATUS_OBJECT_TYPE_MISMATCH;
    if (type == nullptr && mode != KernelMode) return STATUS_OBJECT_TYPE_MISMATCH;
    if (passed != nullptr) access = passed->RemainingDesiredAccess | passed->PreviouslyGrantedAccess;
    const KPROCESSOR_MODE checked = checked_mode(attributes, mode);
    ACCESS_MASK granted = granted_access(type_of(body), access);
    if (checked != KernelMode) {
        AccessState state(&type_of(body), access, {});
        const NTSTATUS status = check_open(body, checked, passed != nullptr ? *passed : state.get());
        if (!NT_SUCCESS(status)) return status;
        granted = (passed != nullptr ? *passed : state.get()).PreviouslyGrantedAccess;
    }
    return create_handle(handle_process(attributes), body, granted, attributes, OpenReason::open, handle);
}

NTSTATUS reference_by_pointer(void* body, const ObjectType* type, KPROCESSOR_MODE mode) noexcept {
    const ObjectType& actual = type_of(body);
    if (&actual != type && (mode != KernelMode || type == &symbolic_link_type)) return STATUS_OBJECT_TYPE_MISMATCH;
    reference(body);
    return STATUS_SUCCESS;
}

void make_temporary(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    header.flags &= static_cast<std::uint8_t>(~object_flags::permanent);
    delete_name_if_unused(header);
}

} // namespace dirql::ob
