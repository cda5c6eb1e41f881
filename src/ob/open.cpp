// Opening by name.
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/security.hpp"
#include "ob/state.hpp"

namespace dirql::ob {
namespace {

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
                      ACCESS_MASK access, void* parse_context, HANDLE* handle, ULONG forced) noexcept {
    if (attributes == nullptr) return STATUS_INVALID_PARAMETER;
    CapturedAttributes captured;
    NTSTATUS status = captured.capture(attributes, mode);
    if (!NT_SUCCESS(status)) return status;
    AccessState access_state(type, access, captured.name.get());
    ACCESS_STATE& state = access_state.get();
    void* found = nullptr;
    status = look_up(captured, captured.name.get(), type, mode, state, parse_context, &found);
    if (!NT_SUCCESS(status)) return status;
    NTSTATUS opened = STATUS_SUCCESS;
    ObjectHeader& header = header_of(found);
    // What a parse procedure made just now was checked there; what remains its maker may have.
    if (!header.has(object_flags::not_inserted))
        opened = check_open(found, checked_mode(captured.attributes, mode), state);
    header.flags &= static_cast<std::uint8_t>(~object_flags::not_inserted);
    const ACCESS_MASK granted = state.RemainingDesiredAccess | state.PreviouslyGrantedAccess;
    if (NT_SUCCESS(opened))
        opened = open_by_pointer(found, captured.attributes | forced, nullptr, granted, type, KernelMode, handle);
    dereference(found);
    return NT_SUCCESS(opened) ? status : opened;
}

NTSTATUS reference_by_name(const UNICODE_STRING& name, ULONG attributes, ACCESS_MASK access, const ObjectType* type,
                           KPROCESSOR_MODE mode, void* parse_context, void** body) noexcept {
    CapturedAttributes captured;
    captured.attributes = attributes;
    AccessState state(type, access, name);
    NTSTATUS status = look_up(captured, name, type, mode, state.get(), parse_context, body);
    if (!NT_SUCCESS(status) || header_of(*body).has(object_flags::not_inserted)) return status;
    const NTSTATUS allowed = check_open(*body, checked_mode(attributes, mode), state.get());
    if (NT_SUCCESS(allowed)) return status;
    dereference(*body);
    *body = nullptr;
    return allowed;
}

} // namespace dirql::ob
