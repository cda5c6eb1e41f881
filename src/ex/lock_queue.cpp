#include "ex/lock_queue.hpp"

#include "ke/process_list.hpp"
#include "ke/wait.hpp"

namespace dirql::ex {

void append(ke::LockWaiter*& first, ke::LockWaiter& waiter) noexcept {
    ke::LockWaiter** link = &first;
    while (*link != nullptr) link = &(*link)->next;
    *link = &waiter;
}

ke::LockWaiter& take_first(ke::LockWaiter*& first) noexcept {
    ke::LockWaiter& taken = *first;
    first = taken.next;
    taken.next = nullptr;
    return taken;
}

void note_owner(ke::LockWaiter* first, ke::Thread* owner, std::uint32_t holders) noexcept {
    for (ke::LockWaiter* waiter = first; waiter != nullptr; waiter = waiter->next) {
        waiter->owner = owner;
        waiter->holders = holders;
    }
}

ke::LockWaiter make_waiter(ke::LockKind kind, const void* lock, bool exclusive) noexcept {
    return {{}, kind, exclusive, 0, lock, nullptr, ke::current_thread(), nullptr};
}

void block(ke::LockWaiter& waiter, KWAIT_REASON reason) noexcept {
    ke::initialize_header(waiter.event.Header, ke::object_type::event_notification, 0, sizeof(KEVENT));
    KeWaitForSingleObject(&waiter.event, reason, KernelMode, FALSE, nullptr);
}

// A waiter whose wait has not begun, because it was preempted on the way there, finds the event signalled.
void wake(ke::LockWaiter& waiter) noexcept {
    waiter.event.Header.SignalState = 1;
    ke::wake_waiters(waiter.event.Header, IO_NO_INCREMENT);
}

bool is_alive(const ke::Thread* thread) noexcept {
    return ke::find_thread(ke::current_machine(), [thread](const ke::Thread& each) { return &each == thread; }) !=
           nullptr;
}

} // namespace dirql::ex
