// A second handle for an object, in the same process or another.
#include "ke/exports/ps.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/security.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

constexpr ACCESS_MASK duplicate_access = 0x0040; // PROCESS_DUP_HANDLE

// A reference to the process of a handle; it ends with this.
class ProcessReference {
public:
    ProcessReference() noexcept = default;
    ~ProcessReference() {
        if (body_ != nullptr) ob::dereference(body_);
    }
    ProcessReference(const ProcessReference&) = delete;
    ProcessReference& operator=(const ProcessReference&) = delete;

    [[nodiscard]] NTSTATUS take(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
        return ob::reference_by_handle(handle, duplicate_access, &process_type, mode, &body_);
    }
    [[nodiscard]] ke::Process& operator*() const noexcept { return static_cast<ProcessObject*>(body_)->process; }

private:
    void* body_ = nullptr;
};

struct Request {
    HANDLE source_process;
    HANDLE source;
    HANDLE target_process;
    PHANDLE target;
    ACCESS_MASK access;
    ULONG attributes;
    ULONG options;
};

// What the source grants may be handed on. More of it is an open, which is checked, but types that keep their security themselves
// give no more than the source has.
NTSTATUS check_access(void* body, ACCESS_MASK asked, ACCESS_MASK source, KPROCESSOR_MODE mode,
                      ACCESS_MASK& granted) noexcept {
    const ob::ObjectType& type = ob::type_of(body);
    granted = ob::map_generic(type, asked) & (type.valid_access | ACCESS_SYSTEM_SECURITY);
    if ((granted & ~source) == 0) return STATUS_SUCCESS;
    if (type.security != nullptr) return STATUS_ACCESS_DENIED;
    ob::AccessState state(&type, granted, {});
    const NTSTATUS status = ob::check_open(body, mode, state.get());
    granted = state.get().PreviouslyGrantedAccess;
    return status;
}

NTSTATUS make_duplicate(const Request& request, ke::Process& source_process, KPROCESSOR_MODE mode, HANDLE& made,
                        bool& is_open) noexcept {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION source{};
    NTSTATUS status = ob::reference_in_process(source_process, request.source, mode, &body, source);
    is_open = NT_SUCCESS(status);
    if (!is_open) return status;
    ProcessReference target;
    status = target.take(request.target_process, mode);
    ACCESS_MASK granted = source.GrantedAccess;
    if (NT_SUCCESS(status) && (request.options & DUPLICATE_SAME_ACCESS) == 0)
        status = check_access(body, request.access, source.GrantedAccess, mode, granted);
    if (NT_SUCCESS(status)) {
        ULONG attributes =
            (request.options & DUPLICATE_SAME_ATTRIBUTES) != 0 ? source.HandleAttributes : request.attributes;
        if (mode != KernelMode) attributes &= ~ULONG{OBJ_KERNEL_HANDLE};
        status =
            ob::create_handle(*target, body, granted, attributes, ob::OpenReason::duplicate, &made, &source_process);
    }
    ob::dereference(body);
    return status;
}

NTSTATUS duplicate(const Request& request) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = request.target == nullptr ? STATUS_SUCCESS : ke::probe_out(request.target, mode);
    ProcessReference source;
    if (NT_SUCCESS(status)) status = source.take(request.source_process, mode);
    if (!NT_SUCCESS(status)) return status;
    HANDLE made = nullptr;
    bool is_open = true;
    if (request.target_process != nullptr) {
        status = make_duplicate(request, *source, mode, made, is_open);
    } else if ((request.options & DUPLICATE_CLOSE_SOURCE) == 0) {
        status = STATUS_INVALID_PARAMETER;
    }
    // The source is closed even where the duplicate failed, unless there is none.
    if (is_open && (request.options & DUPLICATE_CLOSE_SOURCE) != 0) ob::close_in_process(*source, request.source, mode);
    const NTSTATUS written = ke::copy_out_if_wanted(request.target, made, mode);
    return NT_SUCCESS(status) ? written : status;
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle, HANDLE TargetProcessHandle,
                                 PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                                 ULONG Options) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtDuplicateObject);
        return ps::duplicate({SourceProcessHandle, SourceHandle, TargetProcessHandle, TargetHandle, DesiredAccess,
                              HandleAttributes, Options});
    });
}

NTSTATUS NTAPI ZwDuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle, HANDLE TargetProcessHandle,
                                 PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                                 ULONG Options) {
    DIRQL_DOOR(ZwDuplicateObject);
    const ke::KernelModeCaller caller;
    return NtDuplicateObject(SourceProcessHandle, SourceHandle, TargetProcessHandle, TargetHandle, DesiredAccess,
                             HandleAttributes, Options);
}
}
