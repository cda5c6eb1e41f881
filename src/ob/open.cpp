// Opening by name.
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/state.hpp"

namespace dirql::ob {
namespace {

// What the open carries of its caller; create requests show it to drivers.
ACCESS_STATE access_state(const ObjectType* type, ACCESS_MASK access, const UNICODE_STRING& name) noexcept {
    ACCESS_STATE state{};
    state.OriginalDesiredAccess = access;
    state.RemainingDesiredAccess = type == nullptr ? access : map_generic(*type, access);
    state.ObjectName = name;
    return state;
}

NTSTATUS look_up(const CapturedAttributes& captured, const UNICODE_STRING& name, const ObjectType* type,
                 KPROCESSOR_MODE mode, ACCESS_STATE& access, void* parse_context, void** found) noexcept {
    void* root = nullptr;
    if (captured.root != nullptr) {
        const NTSTATUS status = reference_by_handle(captured.root, 0, nullptr, mode, &root);
        if (!NT_SUCCESS(status)) return status;
    }
    NameLookup lookup{};
    lookup.root = root;
    lookup.name = name;
    lookup.attributes = captured.attributes;
    lookup.type = type;
    lookup.mode = mode;
    lookup.access = &access;
    lookup.parse_context = parse_context;
    auto quality_of_service = captured.quality_of_service;
    lookup.quality_of_service = captured.has_quality_of_service ? &quality_of_service : nullptr;
    const NTSTATUS status = look_up_name(lookup, found);
    if (root != nullptr) dereference(root);
    return status;
}

} // namespace

NTSTATUS open_by_name(const OBJECT_ATTRIBUTES* attributes, const ObjectType* type, KPROCESSOR_MODE mode,
                      ACCESS_MASK access, void* parse_context, HANDLE* handle) noexcept {
    if (attributes == nullptr) return STATUS_INVALID_PARAMETER;
    CapturedAttributes captured;
    NTSTATUS status = captured.capture(attributes, mode);
    if (!NT_SUCCESS(status)) return status;
    ACCESS_STATE state = access_state(type, access, captured.name.get());
    void* found = nullptr;
    status = look_up(captured, captured.name.get(), type, mode, state, parse_context, &found);
    if (!NT_SUCCESS(status)) return status;
    // What an open asked of a parse procedure, it may have been granted already.
    const ACCESS_MASK asked = state.RemainingDesiredAccess | state.PreviouslyGrantedAccess;
    const NTSTATUS opened = open_by_pointer(found, captured.attributes, nullptr, asked, type, KernelMode, handle);
    dereference(found);
    return NT_SUCCESS(opened) ? status : opened;
}

NTSTATUS reference_by_name(const UNICODE_STRING& name, ULONG attributes, ACCESS_MASK access, const ObjectType* type,
                           KPROCESSOR_MODE mode, void* parse_context, void** body) noexcept {
    CapturedAttributes captured;
    captured.attributes = attributes;
    ACCESS_STATE state = access_state(type, access, name);
    return look_up(captured, name, type, mode, state, parse_context, body);
}

} // namespace dirql::ob
