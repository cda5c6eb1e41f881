// What the services that make a dispatcher object by handle have in common, and those that change one.
#pragma once

#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ke/user_memory.hpp"

namespace dirql::ob {

// A new object of this type whose body `initialize` makes, or the one that is there already, and a handle to it.
template <class Body, class Initialize>
NTSTATUS create_by_handle(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, const ObjectType& type,
                          Initialize initialize) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(result, mode);
    if (!NT_SUCCESS(status)) return status;
    void* body = nullptr;
    status = create_object(type, attributes, mode, sizeof(Body), &body);
    if (!NT_SUCCESS(status)) return status;
    initialize(*static_cast<Body*>(body));
    HANDLE handle = nullptr;
    status = insert_object(body, access, &handle);
    if (!NT_SUCCESS(status)) return status;
    const NTSTATUS written = ke::copy_out(result, handle, mode);
    return NT_SUCCESS(written) ? status : written;
}

// Runs `act` on the object, which returns a status and sets what is handed out at `result`, where the caller wants it.
template <class Body, class Value, class Act>
NTSTATUS change_by_handle(HANDLE handle, ACCESS_MASK access, const ObjectType& type, Value* result, Act act) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    void* body = nullptr;
    NTSTATUS status = result == nullptr ? STATUS_SUCCESS : ke::probe_out(result, mode);
    if (NT_SUCCESS(status)) status = reference_by_handle(handle, access, &type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    Value value{};
    status = act(*static_cast<Body*>(body), value);
    dereference(body);
    return NT_SUCCESS(status) ? ke::copy_out_if_wanted(result, value, mode) : status;
}

} // namespace dirql::ob
