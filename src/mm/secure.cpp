// MmSecureVirtualMemory: a range of the current process keeps the access that a driver relies on.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "ke/user_memory.hpp"
#include "mm/region.hpp"

namespace dirql::mm {
namespace {

constexpr ULONG secure_tag = ex::pool_tag("MmSc");
constexpr ULONG known_flags =
    MM_SECURE_EXCLUSIVE | MM_SECURE_NO_CHANGE | MM_SECURE_USER_MODE_ONLY | MM_SECURE_NO_INHERIT;

Arena* current_arena() noexcept { return arena_of(*ke::current_thread()->process); }

// Another secure anywhere in the same region; outside of regions, on the same pages.
bool is_shared(const Arena& arena, PageRange pages) noexcept {
    const Region* region = region_at(arena, pages.first);
    if (region != nullptr) pages = {region->first, region->count};
    for (const LIST_ENTRY* e = arena.secures.Flink; e != &arena.secures; e = e->Flink) {
        const Secure& other = *CONTAINING_RECORD(const_cast<LIST_ENTRY*>(e), Secure, entry);
        if (other.first < pages.end() && pages.first < other.first + other.count) return true;
    }
    return false;
}

Secure* secure(void* address, SIZE_T bytes, ULONG probe_mode, ULONG flags) noexcept {
    Arena* arena = current_arena();
    if (arena == nullptr || bytes == 0 || (flags & ~known_flags) != 0) return nullptr;
    if (probe_mode != PAGE_READONLY && probe_mode != PAGE_READWRITE) return nullptr;
    if (!arena_holds(*arena, address, bytes)) return nullptr;
    if (!NT_SUCCESS(ke::probe_user(address, bytes, probe_mode == PAGE_READWRITE))) return nullptr;
    const PageRange pages = pages_of(*arena, address, bytes);
    if ((flags & MM_SECURE_EXCLUSIVE) != 0 && is_shared(*arena, pages)) return nullptr;
    auto* made = static_cast<Secure*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Secure), secure_tag, ex::Fill::none));
    if (made == nullptr) return nullptr;
    *made = {{}, pages.first, pages.count, probe_mode, flags};
    InsertTailList(&arena->secures, &made->entry);
    return made;
}

void unsecure(HANDLE handle) noexcept {
    Arena* arena = current_arena();
    for (LIST_ENTRY* e = arena == nullptr ? nullptr : arena->secures.Flink; e != nullptr && e != &arena->secures;
         e = e->Flink) {
        auto* secure = CONTAINING_RECORD(e, Secure, entry);
        if (secure != handle) continue;
        RemoveEntryList(&secure->entry);
        ex::free_pool(secure, secure_tag);
        return;
    }
    ke::bug_check(MEMORY_MANAGEMENT, 0x15000, ke::parameter(handle), 0, 0,
                  {.rule = "memory was unsecured that is not secured in the current process",
                   .document = "MmUnsecureVirtualMemory function (ntddk.h)"});
}

} // namespace
} // namespace dirql::mm

using namespace dirql;

extern "C" {

HANDLE NTAPI MmSecureVirtualMemory(PVOID Address, SIZE_T Size, ULONG ProbeMode) {
    DIRQL_DOOR(MmSecureVirtualMemory);
    return mm::secure(Address, Size, ProbeMode, 0);
}

HANDLE NTAPI MmSecureVirtualMemoryEx(PVOID Address, SIZE_T Size, ULONG ProbeMode, ULONG Flags) {
    DIRQL_DOOR(MmSecureVirtualMemoryEx);
    return mm::secure(Address, Size, ProbeMode, Flags);
}

VOID NTAPI MmUnsecureVirtualMemory(HANDLE SecureHandle) {
    DIRQL_DOOR(MmUnsecureVirtualMemory);
    mm::unsecure(SecureHandle);
}
}
