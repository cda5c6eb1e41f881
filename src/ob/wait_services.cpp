// Waiting for what a handle means.
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"

namespace dirql::ob {
namespace {

void* wait_object(void* body) noexcept {
    const std::int32_t offset = type_of(body).wait_offset;
    if (offset == ObjectType::always_signalled) return &current_state().always_signalled;
    return static_cast<std::byte*>(body) + offset;
}

// A time-out of the caller's, or none.
class Timeout {
public:
    [[nodiscard]] NTSTATUS capture(const LARGE_INTEGER* from, KPROCESSOR_MODE mode) noexcept {
        given_ = from != nullptr;
        return given_ ? ke::copy_in(value_, from, mode) : STATUS_SUCCESS;
    }
    [[nodiscard]] PLARGE_INTEGER get() noexcept { return given_ ? &value_ : nullptr; }

private:
    bool given_ = false;
    LARGE_INTEGER value_{};
};

// References to what an array of handles means; they end with it.
class WaitObjects {
public:
    WaitObjects() noexcept = default;
    ~WaitObjects() {
        while (count_ != 0) dereference(body_[--count_]);
    }
    WaitObjects(const WaitObjects&) = delete;
    WaitObjects& operator=(const WaitObjects&) = delete;

    [[nodiscard]] NTSTATUS add(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
        const NTSTATUS status = reference_by_handle(handle, SYNCHRONIZE, nullptr, mode, &body_[count_]);
        if (!NT_SUCCESS(status)) return status;
        object_[count_] = wait_object(body_[count_]);
        ++count_;
        return STATUS_SUCCESS;
    }
    // A wait for all of the same object twice could never be satisfied as meant.
    [[nodiscard]] bool has_duplicates() const noexcept {
        for (ULONG i = 1; i < count_; ++i) {
            for (ULONG j = 0; j < i; ++j) {
                if (object_[i] == object_[j]) return true;
            }
        }
        return false;
    }
    [[nodiscard]] void** objects() noexcept { return object_; }
    [[nodiscard]] ULONG count() const noexcept { return count_; }

private:
    ULONG count_ = 0;
    void* body_[MAXIMUM_WAIT_OBJECTS];
    void* object_[MAXIMUM_WAIT_OBJECTS];
};

NTSTATUS wait_single(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    Timeout limit;
    NTSTATUS status = limit.capture(timeout, mode);
    if (!NT_SUCCESS(status)) return status;
    void* body = nullptr;
    status = reference_by_handle(handle, SYNCHRONIZE, nullptr, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    status = KeWaitForSingleObject(wait_object(body), UserRequest, mode, alertable, limit.get());
    dereference(body);
    return status;
}

NTSTATUS wait_multiple(ULONG count, const HANDLE* handles, WAIT_TYPE type, BOOLEAN alertable,
                       const LARGE_INTEGER* timeout) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (count == 0 || count > MAXIMUM_WAIT_OBJECTS) return STATUS_INVALID_PARAMETER_1;
    if (type != WaitAny && type != WaitAll) return STATUS_INVALID_PARAMETER_3;
    HANDLE captured[MAXIMUM_WAIT_OBJECTS];
    NTSTATUS status = ke::copy_bytes_in(captured, handles, count * sizeof *handles, mode);
    Timeout limit;
    if (NT_SUCCESS(status)) status = limit.capture(timeout, mode);
    WaitObjects objects;
    for (ULONG i = 0; i < count && NT_SUCCESS(status); ++i) status = objects.add(captured[i], mode);
    if (!NT_SUCCESS(status)) return status;
    if (type == WaitAll && objects.has_duplicates()) return STATUS_INVALID_PARAMETER_MIX;
    KWAIT_BLOCK blocks[MAXIMUM_WAIT_OBJECTS];
    return KeWaitForMultipleObjects(objects.count(), objects.objects(), type, UserRequest, mode, alertable, limit.get(),
                                    blocks);
}

} // namespace
} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtWaitForSingleObject);
        return ob::wait_single(Handle, Alertable, Timeout);
    });
}

NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG HandleCount, PHANDLE Handles, WAIT_TYPE WaitType, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtWaitForMultipleObjects);
        return ob::wait_multiple(HandleCount, Handles, WaitType, Alertable, Timeout);
    });
}

NTSTATUS NTAPI ZwWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout) {
    DIRQL_DOOR(ZwWaitForSingleObject);
    const ke::KernelModeCaller caller;
    return NtWaitForSingleObject(Handle, Alertable, Timeout);
}

NTSTATUS NTAPI ZwWaitForMultipleObjects(ULONG HandleCount, PHANDLE Handles, WAIT_TYPE WaitType, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout) {
    DIRQL_DOOR(ZwWaitForMultipleObjects);
    const ke::KernelModeCaller caller;
    return NtWaitForMultipleObjects(HandleCount, Handles, WaitType, Alertable, Timeout);
}
}
