// Names as NT counts them, and object attributes in one expression.
#pragma once

#include <ntdef.h>

#include <string_view>

namespace dirql::test {

// The text outlives the string.
[[nodiscard]] inline UNICODE_STRING unicode(std::u16string_view text) noexcept {
    const auto bytes = static_cast<USHORT>(text.size() * sizeof(char16_t));
    return {bytes, bytes, const_cast<char16_t*>(text.data())};
}

[[nodiscard]] inline std::u16string_view view(const UNICODE_STRING& string) noexcept {
    return {string.Buffer, string.Length / sizeof(char16_t)};
}

class Attributes {
public:
    explicit Attributes(std::u16string_view name, ULONG flags = 0, HANDLE root = nullptr,
                        PVOID descriptor = nullptr) noexcept
        : name_(unicode(name)) {
        InitializeObjectAttributes(&value_, &name_, flags, root, descriptor);
    }
    explicit Attributes(ULONG flags = 0) noexcept {
        InitializeObjectAttributes(&value_, nullptr, flags, nullptr, nullptr);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    [[nodiscard]] POBJECT_ATTRIBUTES get() noexcept { return &value_; }

private:
    UNICODE_STRING name_{};
    OBJECT_ATTRIBUTES value_{};
};

} // namespace dirql::test
