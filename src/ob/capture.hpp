// What a caller says of an object in OBJECT_ATTRIBUTES, checked and copied into the kernel.
#pragma once

#include <ntifs.h>

#include <string_view>

namespace dirql::ob {

// Owns the name's buffer, which is pool memory; a name of no length means that there is none.
class CapturedName {
public:
    CapturedName() noexcept = default;
    ~CapturedName();
    CapturedName(const CapturedName&) = delete;
    CapturedName& operator=(const CapturedName&) = delete;

    // STATUS_OBJECT_NAME_INVALID for half a character, STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES.
    [[nodiscard]] NTSTATUS capture(const UNICODE_STRING* name, KPROCESSOR_MODE mode) noexcept;
    [[nodiscard]] const UNICODE_STRING& get() const noexcept { return name_; }
    [[nodiscard]] bool empty() const noexcept { return name_.Length == 0; }
    // Gives the buffer away.
    [[nodiscard]] UNICODE_STRING release() noexcept;
    void reset(UNICODE_STRING name) noexcept;

private:
    UNICODE_STRING name_{};
};

struct CapturedAttributes {
    HANDLE root = nullptr;
    ULONG attributes = 0; // OBJ_*
    CapturedName name;
    bool has_quality_of_service = false;
    SECURITY_QUALITY_OF_SERVICE quality_of_service{};

    // Null attributes: an object without name or flags.
    [[nodiscard]] NTSTATUS capture(const OBJECT_ATTRIBUTES* from, KPROCESSOR_MODE mode) noexcept;
};

[[nodiscard]] inline std::u16string_view view(const UNICODE_STRING& text) noexcept {
    return {text.Buffer, text.Length / sizeof(WCHAR)};
}

// The text, and another behind it, as one string in pool memory, with a terminator. Null buffer when memory is short.
[[nodiscard]] UNICODE_STRING copy_to_pool(std::u16string_view text, std::u16string_view more = {}) noexcept;
void free_pool_string(UNICODE_STRING& text) noexcept;

} // namespace dirql::ob
