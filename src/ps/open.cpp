// Handles to processes and threads, by identifier.
#include "ke/exports/ps.hpp"
#include "ke/system_service.hpp"
#include "ob/object.hpp"
#include "ob/security.hpp"
#include "ob/service_result.hpp"
#include "ps/lookup.hpp"
#include "ps/ps.hpp"
#include "ps/services.hpp"
#include "se/access_check.hpp"

namespace dirql::ps {
namespace {

struct Asked {
    ULONG attributes;
    CLIENT_ID id;
};

// A process has an identifier and no name: exactly one of the two is given, and it is that.
NTSTATUS capture(const OBJECT_ATTRIBUTES* attributes, const CLIENT_ID* id, KPROCESSOR_MODE mode,
                 Asked& asked) noexcept {
    OBJECT_ATTRIBUTES copy{};
    NTSTATUS status = ke::copy_in(copy, attributes, mode);
    if (NT_SUCCESS(status) && (copy.ObjectName != nullptr || id == nullptr)) return STATUS_INVALID_PARAMETER_MIX;
    if (NT_SUCCESS(status)) status = ke::copy_in(asked.id, id, mode);
    asked.attributes = mode == KernelMode ? copy.Attributes : copy.Attributes & ~ULONG{OBJ_KERNEL_HANDLE};
    return status;
}

// Who may debug may all, whatever descriptors and labels say.
void grant_to_debuggers(const ob::ObjectType& type, KPROCESSOR_MODE mode, ACCESS_STATE& state) noexcept {
    if (!se::check_privilege(SeExports->SeDebugPrivilege, mode)) return;
    const ACCESS_MASK asked = state.RemainingDesiredAccess;
    state.PreviouslyGrantedAccess |= (asked & MAXIMUM_ALLOWED) != 0 ? type.mapping.GenericAll : 0;
    state.PreviouslyGrantedAccess |= asked & ~ACCESS_MASK{MAXIMUM_ALLOWED};
    state.RemainingDesiredAccess = 0;
}

// The reference that is taken here ends with the call.
NTSTATUS open(void* body, const ob::ObjectType& type, ULONG attributes, ACCESS_MASK access, KPROCESSOR_MODE mode,
              HANDLE& handle) noexcept {
    if (body == nullptr) return STATUS_INVALID_CID;
    ob::reference(body);
    ob::AccessState state(&type, access, {});
    grant_to_debuggers(type, mode, state.get());
    const NTSTATUS status = ob::open_by_pointer(body, attributes, &state.get(), 0, &type, mode, &handle);
    ob::dereference(body);
    return status;
}

// With a thread's identifier its process is meant, which must be the one that is named beside it.
void* named_process(const CLIENT_ID& id) noexcept {
    if (id.UniqueThread == nullptr) return find_process(id.UniqueProcess);
    ke::Thread* thread = find_thread(id.UniqueThread);
    if (thread == nullptr) return nullptr;
    ke::Process& process = process_of(*thread);
    return reinterpret_cast<HANDLE>(process.id) == id.UniqueProcess ? &process : nullptr;
}

void* named_thread(const CLIENT_ID& id) noexcept {
    ke::Thread* thread = find_thread(id.UniqueThread);
    if (thread == nullptr || id.UniqueProcess == nullptr) return thread;
    return reinterpret_cast<HANDLE>(process_of(*thread).id) == id.UniqueProcess ? thread : nullptr;
}

NTSTATUS open_by_id(PHANDLE result, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes, const CLIENT_ID* id,
                    const ob::ObjectType& type, void* (*named)(const CLIENT_ID&) noexcept) noexcept {
    return ob::hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        Asked asked{};
        const NTSTATUS status = capture(attributes, id, mode, asked);
        return NT_SUCCESS(status) ? open(named(asked.id), type, asked.attributes, access, mode, handle) : status;
    });
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             PCLIENT_ID ClientId) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenProcess);
        return ps::open_by_id(ProcessHandle, DesiredAccess, ObjectAttributes, ClientId, ps::process_type,
                              ps::named_process);
    });
}

NTSTATUS NTAPI ZwOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             PCLIENT_ID ClientId) {
    DIRQL_DOOR(ZwOpenProcess);
    const ke::KernelModeCaller caller;
    return NtOpenProcess(ProcessHandle, DesiredAccess, ObjectAttributes, ClientId);
}

NTSTATUS NTAPI NtOpenThread(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PCLIENT_ID ClientId) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenThread);
        return ps::open_by_id(ThreadHandle, DesiredAccess, ObjectAttributes, ClientId, ps::thread_type,
                              ps::named_thread);
    });
}

NTSTATUS NTAPI ZwOpenThread(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PCLIENT_ID ClientId) {
    DIRQL_DOOR(ZwOpenThread);
    const ke::KernelModeCaller caller;
    return NtOpenThread(ThreadHandle, DesiredAccess, ObjectAttributes, ClientId);
}
}
