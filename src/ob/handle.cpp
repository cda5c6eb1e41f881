// Handles: made, followed, closed.
#include "ob/handle_table.hpp"

#include "ke/critical_region.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ob/handle_callbacks.hpp"
#include "ob/handle_entries.hpp"
#include "ob/namespace.hpp"
#include "ob/state.hpp"

namespace dirql::ob {
namespace {

constexpr const char* close_document = "Bug Check 0x93: INVALID_KERNEL_HANDLE";

// May one more handle be made? An exclusive object has handles in one process only, the one that asked for exclusiveness.
NTSTATUS check_exclusive(const ObjectHeader& header, const ke::Process& process, ULONG attributes,
                         OpenReason reason) noexcept {
    const bool wanted = (attributes & OBJ_EXCLUSIVE) != 0;
    if (wanted && (attributes & OBJ_INHERIT) != 0) return STATUS_INVALID_PARAMETER;
    if (wanted && reason != OpenReason::create && !header.has(object_flags::exclusive)) return STATUS_INVALID_PARAMETER;
    if (header.handle_count == 0) return STATUS_SUCCESS;
    if (wanted) return header.exclusive_owner == &process ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
    return header.exclusive_owner == nullptr ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

} // namespace

NTSTATUS add_handle(ObjectHeader& header, ke::Process& process, ACCESS_MASK granted, ULONG attributes,
                    OpenReason reason) noexcept {
    const NTSTATUS status = check_exclusive(header, process, attributes, reason);
    if (!NT_SUCCESS(status)) return status;
    if ((attributes & OBJ_EXCLUSIVE) != 0) header.exclusive_owner = &process;
    ++header.handle_count;
    reference(header.body());
    ++type_state(current_state(), *header.type).handles;
    return header.type->open == nullptr
               ? STATUS_SUCCESS
               : header.type->open({reason, &process, header.body(), granted, header.handle_count});
}

namespace {

// One handle less. Returns how many there were.
std::int64_t count_down(ObjectHeader& header) noexcept {
    --type_state(current_state(), *header.type).handles;
    const std::int64_t handles = header.handle_count--;
    if (handles == 1) header.exclusive_owner = nullptr;
    return handles;
}

// What remains to do for a handle that is gone: with the last one a temporary object loses its name.
void forget_handle(ObjectHeader& header) noexcept {
    delete_name_if_unused(header);
    dereference(header.body());
}

} // namespace

void undo_handle(ObjectHeader& header, std::int64_t handles_before) noexcept {
    if (header.handle_count == handles_before) return;
    count_down(header);
    forget_handle(header);
}

namespace {

// The close procedure may wait, and may find the object's handles reopened meanwhile; the handle's reference keeps the object.
void close_entry(HandleTable& table, std::uint64_t value) noexcept {
    const HandleEntry entry = *table.find(value);
    free_entry(table, value);
    ObjectHeader& header = *entry.object;
    const std::int64_t handles = count_down(header);
    if (header.type->close != nullptr) header.type->close({table.process, header.body(), entry.granted, handles});
    forget_handle(header);
}

bool is_pseudo(HANDLE handle) noexcept { return handle == NtCurrentProcess() || handle == NtCurrentThread(); }

NTSTATUS invalid_close(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode && handle != nullptr && !is_pseudo(handle)) {
        ke::bug_check(INVALID_KERNEL_HANDLE, ke::parameter(handle), 1, 0, 0,
                      {.rule = "kernel code closed a handle that is not open", .document = close_document});
    }
    return STATUS_INVALID_HANDLE;
}

NTSTATUS protected_close(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) {
        ke::bug_check(
            INVALID_KERNEL_HANDLE, ke::parameter(handle), 0, 0, 0,
            {.rule = "kernel code closed a handle that is protected from being closed", .document = close_document});
    }
    return STATUS_HANDLE_NOT_CLOSABLE;
}

HANDLE handle_of(const HandleTable& table, std::uint32_t index, ULONG attributes) noexcept {
    const std::uint64_t value = std::uint64_t{index} << 2;
    const bool kernel = (attributes & OBJ_KERNEL_HANDLE) != 0 && &table == current_state().kernel_handles;
    return reinterpret_cast<HANDLE>(kernel ? value | kernel_handle_mark : value);
}

NTSTATUS reference_pseudo(HANDLE handle, const ObjectType* type, void** body,
                          OBJECT_HANDLE_INFORMATION* information) noexcept {
    ke::Thread* thread = ke::current_thread();
    void* object = handle == NtCurrentThread() ? static_cast<void*>(thread) : thread->process;
    const ObjectType& actual = type_of(object);
    if (type != nullptr && type != &actual) return STATUS_OBJECT_TYPE_MISMATCH;
    if (information != nullptr) *information = {0, actual.valid_access};
    reference(object);
    *body = object;
    return STATUS_SUCCESS;
}

} // namespace

HandlePlace locate(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    const auto value = reinterpret_cast<std::uint64_t>(handle);
    if (!is_kernel_handle(handle)) return {table_of(process), value};
    return {mode == KernelMode ? current_state().kernel_handles : nullptr, value ^ kernel_handle_mark};
}

namespace {

HandleEntry entry_for(ObjectHeader& header, ACCESS_MASK granted, ULONG attributes) noexcept {
    return {{{granted}, static_cast<std::uint16_t>(attributes), data_flags_of(granted)}, &header};
}

NTSTATUS make_handle(ke::Process& process, void* body, ACCESS_MASK granted, ULONG attributes, OpenReason reason,
                     HANDLE* handle) noexcept {
    HandleTable* table = table_of(process);
    if (table == nullptr || table->closed) return STATUS_PROCESS_IS_TERMINATING;
    ObjectHeader& header = header_of(body);
    if (header.type->implied != nullptr) granted = header.type->implied(granted);
    const std::int64_t handles = header.handle_count;
    NTSTATUS status = add_handle(header, process, granted, attributes, reason);
    std::uint32_t index = 0;
    if (NT_SUCCESS(status) && table->closed) status = STATUS_PROCESS_IS_TERMINATING; // while the type's procedure ran
    if (NT_SUCCESS(status)) {
        index = take_entry(*table, entry_for(header, granted, attributes & handle_attributes::inherit));
        if (index == 0) status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (index != 0) {
        *handle = handle_of(*table, index, attributes);
    } else {
        undo_handle(header, handles);
    }
    return status;
}

} // namespace

NTSTATUS create_handle(ke::Process& process, void* body, ACCESS_MASK granted, ULONG attributes, OpenReason reason,
                       HANDLE* handle, ke::Process* source) noexcept {
    const ke::CriticalRegion region; // as a normal kernel APC could end the thread
    if (!type_of(body).has_callbacks || !has_handle_callbacks(type_of(body)))
        return make_handle(process, body, granted, attributes, reason, handle);
    HandleOperation operation{body, &process, source, attributes, reason, granted, handle, make_handle};
    return call_handle_callbacks(operation);
}

namespace {

NTSTATUS reference_entry(ke::Process& process, HANDLE handle, ACCESS_MASK access, const ObjectType* type,
                         KPROCESSOR_MODE mode, void** body, OBJECT_HANDLE_INFORMATION* information) noexcept {
    const HandlePlace place = locate(process, handle, mode);
    const HandleEntry* entry = place.table == nullptr ? nullptr : place.table->find(place.value);
    if (entry == nullptr) return STATUS_INVALID_HANDLE;
    if (type != nullptr && type != entry->object->type) return STATUS_OBJECT_TYPE_MISMATCH;
    if (mode != KernelMode && (access & ~entry->granted) != 0) return STATUS_ACCESS_DENIED;
    if (information != nullptr) *information = {entry->attributes, entry->granted};
    *body = entry->object->body();
    reference(*body);
    return STATUS_SUCCESS;
}

} // namespace

NTSTATUS reference_by_handle(HANDLE handle, ACCESS_MASK access, const ObjectType* type, KPROCESSOR_MODE mode,
                             void** body, OBJECT_HANDLE_INFORMATION* information) noexcept {
    *body = nullptr;
    if (is_pseudo(handle)) return reference_pseudo(handle, type, body, information);
    return reference_entry(*ke::current_thread()->process, handle, access, type, mode, body, information);
}

NTSTATUS reference_in_process(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode, void** body,
                              OBJECT_HANDLE_INFORMATION& information) noexcept {
    if (is_pseudo(handle)) return reference_pseudo(handle, nullptr, body, &information);
    return reference_entry(process, handle, 0, nullptr, mode, body, &information);
}

NTSTATUS close_in_process(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    const ke::CriticalRegion region; // as a normal kernel APC could end the thread
    const HandlePlace place = is_pseudo(handle) ? HandlePlace{} : locate(process, handle, mode);
    const HandleEntry* entry = place.table == nullptr ? nullptr : place.table->find(place.value);
    if (entry == nullptr) return invalid_close(handle, mode);
    if ((entry->attributes & handle_attributes::protect_from_close) != 0) return protected_close(handle, mode);
    const ObjectType& type = *entry->object->type;
    if (type.okay_to_close != nullptr &&
        !type.okay_to_close(place.table->process, entry->object->body(), handle, mode)) {
        return STATUS_HANDLE_NOT_CLOSABLE;
    }
    close_entry(*place.table, place.value);
    return STATUS_SUCCESS;
}

NTSTATUS close(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    return close_in_process(*ke::current_thread()->process, handle, mode);
}

void close_all_handles(ke::Process& process) noexcept {
    const ke::CriticalRegion region; // as a normal kernel APC could end the thread
    HandleTable& table = *table_of(process);
    table.closed = true; // what is made behind the place that the walk has reached would stay for good
    for (std::uint64_t value = 0; table.count != 0 && value / 4 / HandleTable::page_entries < table.page_count;
         value += 4) {
        if (table.find(value) != nullptr) close_entry(table, value);
    }
}

} // namespace dirql::ob
