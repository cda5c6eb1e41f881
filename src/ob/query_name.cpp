// The full name of an object.
#include "ob/capture.hpp"
#include "ob/object.hpp"
#include "ob/namespace.hpp"
#include "ob/state.hpp"

#include <string_view>

namespace dirql::ob {
namespace {

constexpr std::u16string_view orphan_prefix = u"..."; // a directory on the way up has lost its own name

// Calls step(name) for the object's name and those of the directories above it, last first. Returns whether the root was reached.
template <class Step> bool climb(ObjectHeader& object, Step step) noexcept {
    const Directory* root = current_state().root;
    ObjectHeader* header = &object;
    for (;;) {
        const NameInfo* info = header->name_info();
        if (info == nullptr || info->directory == nullptr) return false;
        step(view(info->name));
        if (info->directory == root) return true;
        header = &header_of(info->directory);
    }
}

std::size_t length_of(ObjectHeader& object) noexcept {
    std::size_t length = 0;
    const bool rooted = climb(object, [&](std::u16string_view name) { length += 1 + name.size(); });
    return rooted ? length : length + orphan_prefix.size();
}

void write(ObjectHeader& object, char16_t* end) noexcept {
    *end = 0;
    const auto prepend = [&](std::u16string_view text) {
        end -= text.size();
        text.copy(end, text.size());
    };
    const bool rooted = climb(object, [&](std::u16string_view name) {
        prepend(name);
        prepend(u"\\");
    });
    if (!rooted) prepend(orphan_prefix);
}

bool is_named(ObjectHeader& header) noexcept {
    const NameInfo* info = header.name_info();
    return info != nullptr && info->directory != nullptr;
}

} // namespace

NTSTATUS query_name_string(void* body, POBJECT_NAME_INFORMATION information, ULONG length, ULONG* needed) noexcept {
    ObjectHeader& header = header_of(body);
    const bool is_root = body == current_state().root;
    const bool named = is_root || is_named(header);
    if (header.type->query_name != nullptr) return header.type->query_name(body, named, information, length, needed);
    const std::size_t characters = is_root ? 1 : named ? length_of(header) : 0;
    const std::size_t bytes = sizeof *information + (named ? (characters + 1) * sizeof(WCHAR) : 0);
    *needed = static_cast<ULONG>(bytes);
    if (length < bytes) return STATUS_INFO_LENGTH_MISMATCH;
    information->Name = {};
    if (!named) return STATUS_SUCCESS;
    auto* text = reinterpret_cast<char16_t*>(information + 1);
    if (is_root) {
        text[0] = u'\\';
        text[1] = 0;
    } else {
        write(header, text + characters);
    }
    information->Name.Buffer = text;
    information->Name.Length = static_cast<USHORT>(characters * sizeof(WCHAR));
    information->Name.MaximumLength = static_cast<USHORT>((characters + 1) * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

} // namespace dirql::ob
