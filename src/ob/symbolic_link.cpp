// Symbolic links: names that stand for names.
#include "ob/symbolic_link.hpp"

#include "ke/timer.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/pool_tags.hpp"
#include "ob/service_result.hpp"

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_access = SYMBOLIC_LINK_ALL_ACCESS;

// The target and the rest of the name, with one separator between them.
NTSTATUS join(std::u16string_view target, std::u16string_view rest, UNICODE_STRING& joined) noexcept {
    if (target.ends_with(u'\\') && rest.starts_with(u'\\')) target.remove_suffix(1);
    const std::size_t length = target.size() + rest.size();
    if (length * sizeof(WCHAR) > MAXUSHORT - sizeof(WCHAR)) return STATUS_NAME_TOO_LONG;
    joined = copy_to_pool(target, rest);
    return joined.Buffer == nullptr ? STATUS_INSUFFICIENT_RESOURCES : STATUS_REPARSE;
}

// Who asks for a link by its own name gets it; everybody else goes where it leads.
NTSTATUS parse_link(ParseRequest& request, void** result) noexcept {
    if (request.remaining.Length == 0 && request.type == &symbolic_link_type) {
        reference(request.object);
        *result = request.object;
        return STATUS_SUCCESS;
    }
    const auto& link = *static_cast<const SymbolicLink*>(request.object);
    return join(view(link.target), view(request.remaining), request.reparse_name);
}

void destroy_link(void* object) noexcept { free_pool_string(static_cast<SymbolicLink*>(object)->target); }

NTSTATUS set_target(SymbolicLink& link, std::u16string_view target) noexcept {
    link.target = copy_to_pool(target);
    link.creation_time = ke::system_time(ke::current_machine());
    return link.target.Buffer == nullptr ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

} // namespace

constinit const ObjectType symbolic_link_type{
    .name = u"SymbolicLink",
    .index = TypeIndex::symbolic_link,
    .tag = pool_tag("Symb"),
    .mapping = standard_mapping(SYMBOLIC_LINK_QUERY, 0, SYMBOLIC_LINK_QUERY, all_access),
    .valid_access = all_access,
    .delete_at_passive = true,
    .case_insensitive = true,
    .destroy = destroy_link,
    .parse = parse_link,
};

NTSTATUS make_link(const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode, std::u16string_view target,
                   ACCESS_MASK access, HANDLE* handle) noexcept {
    return make_with_handle<SymbolicLink>(mode, access, attributes, symbolic_link_type, *handle,
                                          [&](SymbolicLink& link) { return set_target(link, target); });
}

NTSTATUS create_symbolic_link(const UNICODE_STRING& name, const UNICODE_STRING& target) noexcept {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, const_cast<PUNICODE_STRING>(&name),
                               OBJ_CASE_INSENSITIVE | OBJ_PERMANENT | OBJ_KERNEL_HANDLE, nullptr, nullptr);
    HANDLE handle = nullptr;
    const NTSTATUS status = make_link(&attributes, KernelMode, view(target), all_access, &handle);
    if (NT_SUCCESS(status)) close(handle, KernelMode);
    return status;
}

NTSTATUS delete_symbolic_link(const UNICODE_STRING& name) noexcept {
    void* link = nullptr;
    const NTSTATUS status =
        reference_by_name(name, OBJ_CASE_INSENSITIVE, DELETE, &symbolic_link_type, KernelMode, nullptr, &link);
    if (!NT_SUCCESS(status)) return status;
    make_temporary(link);
    dereference(link);
    return status;
}

} // namespace dirql::ob
