#include "ob/directory.hpp"

#include "ex/pool.hpp"
#include "ob/capture.hpp"
#include "ob/pool_tags.hpp"

#include <utility>

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_access = DIRECTORY_ALL_ACCESS;

std::u16string_view name_of(const ObjectHeader& object) noexcept {
    return view(const_cast<ObjectHeader&>(object).name_info()->name);
}

// Where the entry of this name is linked, or the end of its chain. Names that differ only in case share a chain.
DirectoryEntry** link_to(Directory& directory, std::u16string_view name, rtl::Case how) noexcept {
    const std::uint32_t hash = rtl::hash_x65599(name, rtl::Case::ignored);
    DirectoryEntry** link = &directory.bucket[hash % Directory::buckets];
    while (*link != nullptr && ((*link)->hash != hash || !rtl::equal(name_of(*(*link)->object), name, how)))
        link = &(*link)->next;
    return link;
}

} // namespace

constinit const ObjectType directory_type{
    .name = u"Directory",
    .index = TypeIndex::directory,
    .tag = pool_tag("Dire"),
    .mapping =
        standard_mapping(DIRECTORY_QUERY | DIRECTORY_TRAVERSE, DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY,
                         DIRECTORY_QUERY | DIRECTORY_TRAVERSE, all_access),
    .valid_access = all_access,
    .delete_at_passive = true,
    .case_insensitive = true,
};

ObjectHeader* find_entry(const Directory& directory, std::u16string_view name, rtl::Case how) noexcept {
    const DirectoryEntry* entry = *link_to(const_cast<Directory&>(directory), name, how);
    return entry == nullptr ? nullptr : entry->object;
}

bool insert_entry(Directory& directory, std::u16string_view name, ObjectHeader& object) noexcept {
    auto* entry = static_cast<DirectoryEntry*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(DirectoryEntry), directory_entry_tag, ex::Fill::zero));
    if (entry == nullptr) return false;
    NameInfo& info = *object.name_info();
    info.name = copy_to_pool(name);
    if (info.name.Buffer == nullptr) {
        ex::free_pool(entry, directory_entry_tag);
        return false;
    }
    entry->hash = rtl::hash_x65599(name, rtl::Case::ignored);
    entry->object = &object;
    DirectoryEntry** bucket = &directory.bucket[entry->hash % Directory::buckets];
    entry->next = std::exchange(*bucket, entry);
    info.directory = &directory;
    reference(&directory);
    reference(object.body());
    return true;
}

void remove_entry(ObjectHeader& object) noexcept {
    NameInfo& info = *object.name_info();
    Directory* directory = std::exchange(info.directory, nullptr);
    DirectoryEntry** link = link_to(*directory, view(info.name), rtl::Case::sensitive);
    DirectoryEntry* entry = *link;
    *link = entry->next;
    ex::free_pool(entry, directory_entry_tag);
    free_pool_string(info.name);
    dereference(directory);
    dereference(object.body());
}

void delete_name_if_unused(ObjectHeader& header) noexcept {
    if (header.handle_count != 0 || header.has(object_flags::permanent)) return;
    const NameInfo* info = header.name_info();
    if (info != nullptr && info->directory != nullptr) remove_entry(header);
}

} // namespace dirql::ob
