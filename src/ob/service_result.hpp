// What the services that hand out a handle, and those that change an object and tell what it was, have in common.
#pragma once

#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"

#include <type_traits>

namespace dirql::ob {

// The place for the handle is looked at before anything is done, then `make(mode, handle)` makes it. A success that tells
// something, as STATUS_OBJECT_NAME_EXISTS, is the service's.
template <class Make> [[nodiscard]] NTSTATUS hand_out_handle(PHANDLE result, Make make) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(result, mode);
    if (!NT_SUCCESS(status)) return status;
    HANDLE handle = nullptr;
    status = make(mode, handle);
    if (!NT_SUCCESS(status)) return status;
    const NTSTATUS written = ke::copy_out(result, handle, mode);
    return NT_SUCCESS(written) ? status : written;
}

// A new object of this type whose body `initialize` makes, or the one that is there already, and a handle to it. Where
// `initialize` returns a status and fails, the object goes, and its destroy procedure sees what was made.
template <class Body, class Initialize>
[[nodiscard]] NTSTATUS make_with_handle(KPROCESSOR_MODE mode, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
                                        const ObjectType& type, HANDLE& handle, Initialize initialize) noexcept {
    void* body = nullptr;
    NTSTATUS status = create_object(type, attributes, mode, sizeof(Body), &body);
    if (!NT_SUCCESS(status)) return status;
    if constexpr (std::is_void_v<decltype(initialize(*static_cast<Body*>(body)))>) {
        initialize(*static_cast<Body*>(body));
    } else if (status = initialize(*static_cast<Body*>(body)); !NT_SUCCESS(status)) {
        dereference(body);
        return status;
    }
    return insert_object(body, access, &handle);
}

template <class Body, class Initialize>
[[nodiscard]] NTSTATUS create_by_handle(PHANDLE result, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
                                        const ObjectType& type, Initialize initialize) noexcept {
    return hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        return make_with_handle<Body>(mode, access, attributes, type, handle, initialize);
    });
}

// Runs `act` on the object, which returns a status and sets what is handed out at `result`, where the caller wants it.
template <class Body, class Value, class Act>
[[nodiscard]] NTSTATUS change_by_handle(HANDLE handle, ACCESS_MASK access, const ObjectType& type, Value* result,
                                        Act act) noexcept {
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
