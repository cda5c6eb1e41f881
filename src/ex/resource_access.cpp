// The rules by which resources are acquired, handed on and released.
#include "ex/lock_queue.hpp"
#include "ex/resource_access.hpp"
#include "ke/apc.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

namespace dirql::ex {
namespace {

void wait_for(ERESOURCE& resource, bool exclusive) noexcept {
    ke::LockWaiter waiter = make_waiter(ke::LockKind::resource, &resource, exclusive);
    append(waiters_at(exclusive ? resource.ExclusiveWaiters : resource.SharedWaiters), waiter);
    ++(exclusive ? resource.NumberOfExclusiveWaiters : resource.NumberOfSharedWaiters);
    ++resource.ContentionCount;
    note_owners(resource);
    boost_owners(resource);
    block(waiter, WrResource);
}

void admit_exclusive(ERESOURCE& resource) noexcept {
    ke::LockWaiter& waiter = take_first(waiters_at(resource.ExclusiveWaiters));
    --resource.NumberOfExclusiveWaiters;
    resource.Flag |= ResourceOwnedExclusive;
    add_owner(resource, reinterpret_cast<ERESOURCE_THREAD>(waiter.thread));
    wake(waiter);
    note_owners(resource);
}

// After an exclusive owner come those who wait for shared access, after shared owners one who waits for exclusive access.
void admit_next(ERESOURCE& resource, bool was_exclusive) noexcept {
    if (resource.NumberOfSharedWaiters != 0 && (was_exclusive || resource.NumberOfExclusiveWaiters == 0)) {
        admit_shared(resource);
    } else if (resource.NumberOfExclusiveWaiters != 0) {
        admit_exclusive(resource);
    }
}

[[noreturn]] void apcs_enabled(std::uint64_t code, const ERESOURCE& resource, const char* rule,
                               const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::current_processor()->irql,
                  static_cast<std::uint64_t>(std::int64_t{ke::current_thread()->kernel_apc_disable}),
                  ke::parameter(&resource), {.rule = rule, .document = document});
}

// A thread that is suspended, which a normal kernel APC does, must not own a resource. System threads are not suspended.
bool may_be_suspended() noexcept {
    const ke::Thread& thread = *ke::current_thread();
    return ke::current_processor()->irql < APC_LEVEL && thread.is_system == 0 && !ke::apcs_disabled(thread);
}

void check_acquire(const ERESOURCE& resource, const char* document) noexcept {
    check_usable(resource, document);
    if (may_be_suspended())
        apcs_enabled(0x37, resource, "a resource was acquired while normal kernel APCs are enabled", document);
}

void check_release(const ERESOURCE& resource, const char* document) noexcept {
    if (may_be_suspended())
        apcs_enabled(0x38, resource, "a resource was released while normal kernel APCs are enabled", document);
}

bool must_wait(ERESOURCE& resource, const OWNER_ENTRY* mine, Starvation starvation) noexcept {
    if (is_exclusive(resource)) return mine == nullptr;
    if (resource.NumberOfExclusiveWaiters == 0 || starvation == Starvation::exclusive) return false;
    return mine == nullptr || starvation == Starvation::shared;
}

} // namespace

void admit_shared(ERESOURCE& resource) noexcept {
    while (resource.NumberOfSharedWaiters != 0) {
        ke::LockWaiter& waiter = take_first(waiters_at(resource.SharedWaiters));
        --resource.NumberOfSharedWaiters;
        const auto owner = reinterpret_cast<ERESOURCE_THREAD>(waiter.thread);
        if (OWNER_ENTRY* entry = find_owner(resource, owner)) {
            ++entry->OwnerCount;
        } else {
            add_owner(resource, owner);
        }
        wake(waiter);
    }
    note_owners(resource);
}

void bad_resource(std::uint64_t code, const ERESOURCE& resource, const char* rule, const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::parameter(&resource), 0, 0,
                  {.rule = rule, .document = document});
}

void check_usable(const ERESOURCE& resource, const char* document) noexcept {
    if ((reinterpret_cast<ULONG_PTR>(&resource) & 7) != 0) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3D, 0, 0, ke::parameter(&resource),
                      {.rule = "a resource must lie at an address that is a multiple of 8", .document = document});
    }
    if (resource.Reserved2 != mark_of(resource))
        bad_resource(0x1002, resource, "a resource was acquired that is not initialised, or was deleted", document);
}

bool acquire_exclusive(ERESOURCE& resource, bool wait, const char* document) {
    check_acquire(resource, document);
    if (resource.ActiveEntries == 0) {
        resource.Flag |= ResourceOwnedExclusive;
        add_owner(resource, this_owner());
        return true;
    }
    OWNER_ENTRY* mine = find_owner(resource, this_owner());
    if (mine != nullptr && is_exclusive(resource)) {
        ++mine->OwnerCount;
        return true;
    }
    if (!wait) return false;
    if (mine != nullptr) {
        bad_resource(0x1000, resource,
                     "a thread wants exclusive access to a resource that it shares: it would wait for ever", document);
    }
    wait_for(resource, true);
    return true;
}

bool acquire_shared(ERESOURCE& resource, bool wait, Starvation starvation, const char* document) {
    check_acquire(resource, document);
    for (;;) {
        OWNER_ENTRY* mine = find_owner(resource, this_owner());
        const bool waits = must_wait(resource, mine, starvation);
        if (waits && !wait) return false;
        if (!waits && mine != nullptr) {
            ++mine->OwnerCount;
            return true;
        }
        if (!has_room(resource)) {
            make_room_in_time(resource);
            continue; // the owners may be others by now
        }
        if (waits) {
            wait_for(resource, false);
        } else {
            add_owner(resource, this_owner());
        }
        return true;
    }
}

void release_resource(ERESOURCE& resource, ERESOURCE_THREAD owner, const char* document) noexcept {
    check_release(resource, document);
    OWNER_ENTRY* entry = owner == 0 ? nullptr : find_owner(resource, owner);
    if (entry == nullptr) {
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(&resource), owner, ke::parameter(resource.OwnerTable), 0,
                      {.rule = "a resource was released for an owner that does not own it", .document = document});
    }
    if (--entry->OwnerCount != 0) return;
    end_boost(*entry);
    remove_owner(resource, *entry);
    const bool was_exclusive = is_exclusive(resource);
    if (resource.ActiveEntries == 0) {
        resource.Flag &= static_cast<USHORT>(~ResourceOwnedExclusive);
        admit_next(resource, was_exclusive);
    } else {
        note_owners(resource);
    }
    ke::reschedule_if_asked();
}

void set_owner_pointer(ERESOURCE& resource, PVOID pointer, bool is_thread, const char* document) noexcept {
    const auto owner = reinterpret_cast<ERESOURCE_THREAD>(pointer);
    if ((owner & pointer_bits) != pointer_bits) {
        ke::bug_check(RESOURCE_OWNER_POINTER_INVALID, ke::parameter(&resource), ke::parameter(resource.OwnerTable),
                      this_owner(), owner,
                      {.rule = "the two lowest bits of a resource's owner pointer must be set", .document = document});
    }
    OWNER_ENTRY* mine = find_owner(resource, this_owner());
    if (mine == nullptr) {
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(&resource), this_owner(), ke::parameter(resource.OwnerTable), 0,
                      {.rule = "a resource was handed on by a thread that does not own it", .document = document});
    }
    if (OWNER_ENTRY* there = find_owner(resource, owner)) { // this owner shares it already
        there->OwnerCount += mine->OwnerCount;
        end_boost(*mine);
        remove_owner(resource, *mine);
    } else {
        end_boost(*mine);
        mine->IoPriorityBoosted = 0;
        mine->OwnerReferenced = is_thread;
        mine->OwnerThread = owner;
    }
    note_owners(resource);
}

} // namespace dirql::ex
