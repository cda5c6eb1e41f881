#include "ob/capture.hpp"

#include "ex/pool.hpp"
#include "ke/user_memory.hpp"
#include "ob/pool_tags.hpp"

#include <utility>

namespace dirql::ob {
namespace {

// User mode may not ask for handles of the kernel.
ULONG sanitized(ULONG attributes, KPROCESSOR_MODE mode) noexcept {
    return mode == KernelMode ? attributes : attributes & ~ULONG{OBJ_KERNEL_HANDLE};
}

UNICODE_STRING string_buffer(std::size_t bytes) noexcept {
    auto* buffer =
        static_cast<char16_t*>(ex::allocate_pool(NonPagedPoolNx, bytes + sizeof(WCHAR), name_tag, ex::Fill::none));
    if (buffer == nullptr) return {};
    buffer[bytes / sizeof(WCHAR)] = 0;
    return {static_cast<USHORT>(bytes), static_cast<USHORT>(bytes + sizeof(WCHAR)), buffer};
}

} // namespace

CapturedName::~CapturedName() { free_pool_string(name_); }

UNICODE_STRING CapturedName::release() noexcept { return std::exchange(name_, {}); }

void CapturedName::reset(UNICODE_STRING name) noexcept {
    free_pool_string(name_);
    name_ = name;
}

NTSTATUS CapturedName::capture(const UNICODE_STRING* name, KPROCESSOR_MODE mode) noexcept {
    constexpr USHORT longest = MAXUSHORT - 3; // with its terminator
    return ke::capture_string(name, mode, longest, STATUS_OBJECT_NAME_INVALID, [&](USHORT bytes) -> void* {
        const UNICODE_STRING copy = string_buffer(bytes);
        if (copy.Buffer != nullptr) reset(copy);
        return copy.Buffer;
    });
}

NTSTATUS CapturedAttributes::capture(const OBJECT_ATTRIBUTES* from, KPROCESSOR_MODE mode) noexcept {
    if (from == nullptr) return STATUS_SUCCESS;
    OBJECT_ATTRIBUTES copy;
    NTSTATUS status = ke::copy_in(copy, from, mode);
    if (!NT_SUCCESS(status)) return status;
    if (copy.Length != sizeof copy || (copy.Attributes & ~ULONG{OBJ_VALID_ATTRIBUTES}) != 0)
        return STATUS_INVALID_PARAMETER;
    root = copy.RootDirectory;
    attributes = sanitized(copy.Attributes, mode);
    if (copy.SecurityQualityOfService != nullptr) {
        status = ke::copy_in(quality_of_service,
                             static_cast<const SECURITY_QUALITY_OF_SERVICE*>(copy.SecurityQualityOfService), mode);
        if (!NT_SUCCESS(status)) return status;
        has_quality_of_service = true;
    }
    if (copy.ObjectName != nullptr) status = name.capture(copy.ObjectName, mode);
    // A root without a name says nothing.
    if (NT_SUCCESS(status) && name.empty() && root != nullptr && copy.ObjectName == nullptr)
        status = STATUS_OBJECT_NAME_INVALID;
    return status;
}

UNICODE_STRING copy_to_pool(std::u16string_view text, std::u16string_view more) noexcept {
    UNICODE_STRING copy = string_buffer((text.size() + more.size()) * sizeof(WCHAR));
    if (copy.Buffer == nullptr) return copy;
    text.copy(copy.Buffer, text.size());
    more.copy(copy.Buffer + text.size(), more.size());
    return copy;
}

void free_pool_string(UNICODE_STRING& text) noexcept {
    if (text.Buffer != nullptr) ex::free_pool(text.Buffer, name_tag);
    text = {};
}

} // namespace dirql::ob
