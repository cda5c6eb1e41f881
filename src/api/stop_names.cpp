#include "api/stop_names.hpp"

#include "diag/unicode.hpp"
#include "ke/address_space.hpp"
#include "ldr/exports.hpp"
#include "ob/object.hpp"

#include <algorithm>
#include <optional>

namespace dirql::api {
namespace {

constexpr unsigned deepest = 16;          // directories above an object
constexpr std::size_t longest_name = 260; // characters of one component

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

// The kernel's objects and names are nowhere else; what a driver has put in their place may point at the host's memory.
bool in_system_half(std::uint64_t address, std::size_t bytes) noexcept {
    constexpr std::uint64_t size = ke::slot_size * ke::max_slots;
    const std::uint64_t offset = address - ke::halves().system;
    return offset < size && size - offset >= bytes;
}

template <class T> std::optional<T> object(const diag::GuardedMemory& memory, std::uint64_t address) {
    return in_system_half(address, sizeof(T)) ? memory.read<T>(address) : std::nullopt;
}

std::string component(const diag::GuardedMemory& memory, const UNICODE_STRING& name) {
    std::u16string text(std::min<std::size_t>(name.Length / sizeof(char16_t), longest_name), u'\0');
    const std::size_t bytes = text.size() * sizeof(char16_t);
    if (!in_system_half(number(name.Buffer), bytes) || !memory.copy(text.data(), number(name.Buffer), bytes)) return {};
    return diag::to_utf8(text);
}

} // namespace

StopNames::StopNames() {
    for (const ldr::Export& each : ldr::exports()) {
        if (each.address != nullptr && each.kind != ldr::ExportKind::compiler)
            exports_.emplace(number(each.address), each.name);
    }
}

diag::CodeName StopNames::locate(std::uint64_t address, bool returned_to) {
    ldr::CodeLocation found = returned_to ? symbolizer_.locate_caller(address) : symbolizer_.locate(address);
    return {std::move(found.image), found.offset, std::move(found.function), std::move(found.file), found.line};
}

std::string_view StopNames::export_at(std::uint64_t address) {
    const auto found = exports_.find(address);
    return found == exports_.end() ? std::string_view{} : found->second;
}

// The directories' names are put before the object's, up to the root, which has none. Where a driver has written over the
// links, the walk ends with what has been read.
std::string StopNames::device_name(std::uint64_t device) {
    std::string path;
    std::uint64_t body = device;
    for (unsigned i = 0; i < deepest; ++i) {
        const std::uint64_t at = body - sizeof(ob::ObjectHeader);
        const auto header = object<ob::ObjectHeader>(memory_, at);
        if (!header || header->has_name_info == 0) return path;
        const auto info = object<ob::NameInfo>(memory_, at - sizeof(ob::NameInfo));
        if (!info || info->directory == nullptr) return path;
        const std::string name = component(memory_, info->name);
        if (name.empty() || name == "\\") return path;
        path.insert(0, "\\" + name);
        body = number(info->directory);
    }
    return path;
}

} // namespace dirql::api
