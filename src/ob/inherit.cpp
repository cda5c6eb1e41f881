#include "ob/inherit.hpp"

#include "ke/critical_region.hpp"
#include "ob/handle_entries.hpp"
#include "ob/object.hpp"

namespace dirql::ob {
namespace {

bool inherit(HandleTable& table, std::uint32_t index, const HandleEntry& entry) noexcept {
    ObjectHeader& header = *entry.object;
    const std::int64_t handles = header.handle_count;
    const NTSTATUS status = add_handle(header, *table.process, entry.granted, OBJ_INHERIT, OpenReason::inherit);
    if (NT_SUCCESS(status) && place_entry(table, index, entry)) return true;
    undo_handle(header, handles);
    return !NT_SUCCESS(status);
}

} // namespace

// The parent's table may grow and shrink while a type's open procedure runs: each entry is looked up afresh.
bool inherit_handles(ke::Process& from, ke::Process& to) noexcept {
    const ke::CriticalRegion region;
    const HandleTable& parent = *table_of(from);
    for (std::uint32_t index = 0; index < parent.page_count * HandleTable::page_entries; ++index) {
        const HandleEntry* entry = parent.find(std::uint64_t{index} << 2);
        if (entry == nullptr || (entry->attributes & handle_attributes::inherit) == 0) continue;
        if (!inherit(*table_of(to), index, HandleEntry(*entry))) {
            close_all_handles(to);
            return false;
        }
    }
    return true;
}

} // namespace dirql::ob
