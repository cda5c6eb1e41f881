// Reading from bytes that nobody vouches for: every access is checked, and none needs alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace dirql::ldr {

class ByteView {
public:
    constexpr ByteView() = default;
    constexpr explicit ByteView(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] constexpr std::uint64_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] constexpr std::span<const std::byte> bytes() const noexcept { return bytes_; }

    // The sum `offset + size` may overflow in a hostile file, so it is never formed.
    [[nodiscard]] constexpr bool holds(std::uint64_t offset, std::uint64_t size) const noexcept {
        return offset <= bytes_.size() && size <= bytes_.size() - offset;
    }

    [[nodiscard]] std::optional<ByteView> slice(std::uint64_t offset, std::uint64_t size) const noexcept {
        if (!holds(offset, size)) return std::nullopt;
        return ByteView(bytes_.subspan(offset, size));
    }

    template <class T> [[nodiscard]] std::optional<T> read(std::uint64_t offset) const noexcept {
        static_assert(std::is_trivially_copyable_v<T>);
        if (!holds(offset, sizeof(T))) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }

    // Entry `index` of a table of T that fills the view.
    template <class T> [[nodiscard]] std::optional<T> entry(std::uint64_t index) const noexcept {
        return index < count<T>() ? read<T>(index * sizeof(T)) : std::nullopt;
    }
    template <class T> [[nodiscard]] std::uint64_t count() const noexcept { return bytes_.size() / sizeof(T); }

    // The string at `offset`, without its NUL, which must lie inside the view.
    [[nodiscard]] std::optional<std::string_view> c_string(std::uint64_t offset) const noexcept {
        if (offset >= bytes_.size()) return std::nullopt;
        const auto* begin = reinterpret_cast<const char*>(bytes_.data() + offset);
        const auto* end = static_cast<const char*>(std::memchr(begin, 0, bytes_.size() - offset));
        if (end == nullptr) return std::nullopt;
        return std::string_view(begin, static_cast<std::size_t>(end - begin));
    }

private:
    std::span<const std::byte> bytes_;
};

} // namespace dirql::ldr
