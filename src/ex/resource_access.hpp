// How resources are owned and acquired: what the exports are made of.
#pragma once

#include "ex/resource.hpp"

namespace dirql::ex {

// Set in an owner that is no thread.
inline constexpr ERESOURCE_THREAD pointer_bits = 3;

// Who owns a resource.
[[nodiscard]] inline bool is_exclusive(const ERESOURCE& resource) noexcept {
    return (resource.Flag & ResourceOwnedExclusive) != 0;
}
[[nodiscard]] inline ERESOURCE_THREAD this_owner() noexcept {
    return reinterpret_cast<ERESOURCE_THREAD>(ke::current_thread());
}
// Null: it does not own the resource. With owner 0 an entry that is free.
[[nodiscard]] OWNER_ENTRY* find_owner(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept;
void add_owner(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept;
void remove_owner(ERESOURCE& resource, OWNER_ENTRY& entry) noexcept;
// Is there an entry for one owner more, besides those who wait for shared access?
[[nodiscard]] bool has_room(const ERESOURCE& resource) noexcept;
// Acquiring a resource does not fail for want of memory: it takes longer. Others may own the resource afterwards.
void make_room_in_time(ERESOURCE& resource);
void free_owners(ERESOURCE& resource) noexcept;

// Whom the waiters wait for, as a report will tell it.
void note_owners(ERESOURCE& resource) noexcept;
// Owners of lower priority than a thread that waits get its priority, up to 14, until they release.
void boost_owners(ERESOURCE& resource) noexcept;
void end_boost(const OWNER_ENTRY& entry) noexcept;
void disable_boost(ERESOURCE& resource) noexcept;

// What threads that wait for exclusive access mean to one that wants to share.
enum class Starvation {
    none,      // they go first, unless the thread shares the resource already
    exclusive, // nothing
    shared,    // they go first in any case
};

// Each checks the resource and the caller: bug check 0xC4, whose report names the document. False: it would have to wait.
[[nodiscard]] bool acquire_exclusive(ERESOURCE& resource, bool wait, const char* document);
[[nodiscard]] bool acquire_shared(ERESOURCE& resource, bool wait, Starvation starvation, const char* document);
void release_resource(ERESOURCE& resource, ERESOURCE_THREAD owner, const char* document) noexcept;
void set_owner_pointer(ERESOURCE& resource, PVOID pointer, bool is_thread, const char* document) noexcept;
// All who wait for shared access get it together. A thread may be among them that owns the resource already.
void admit_shared(ERESOURCE& resource) noexcept;

void check_usable(const ERESOURCE& resource, const char* document) noexcept;
[[noreturn, gnu::cold]] void bad_resource(std::uint64_t code, const ERESOURCE& resource, const char* rule,
                                          const char* document) noexcept;

// In Reserved2 of a resource that is initialised.
[[nodiscard]] inline PVOID mark_of(const ERESOURCE& resource) noexcept {
    return reinterpret_cast<PVOID>(reinterpret_cast<ULONG_PTR>(&resource) ^ 0x5E50'0123'E5E5'0000ull);
}
[[nodiscard]] inline ke::LockWaiter*& waiters_at(PVOID& head) noexcept {
    return reinterpret_cast<ke::LockWaiter*&>(head);
}

} // namespace dirql::ex
