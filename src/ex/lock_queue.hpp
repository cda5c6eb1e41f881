// Waiters for a lock in the order of their coming. They lie on the waiters' stacks; between two preemption points kernel code
// is atomic, so neither the lock nor its queue needs a lock.
#pragma once

#include "ke/lock_wait.hpp"
#include "ke/thread.hpp"

namespace dirql::ex {

// Puts a waiter at the end. `first` is what the lock keeps.
void append(ke::LockWaiter*& first, ke::LockWaiter& waiter) noexcept;
// Takes the first one off a queue that has one.
[[nodiscard]] ke::LockWaiter& take_first(ke::LockWaiter*& first) noexcept;
// Whom the waiters wait for now.
void note_owner(ke::LockWaiter* first, ke::Thread* owner, std::uint32_t holders) noexcept;

// A waiter on the current thread's stack.
[[nodiscard]] ke::LockWaiter make_waiter(ke::LockKind kind, const void* lock, bool exclusive) noexcept;
// Blocks until wake(). IRQL <= APC_LEVEL.
void block(ke::LockWaiter& waiter, KWAIT_REASON reason) noexcept;
// The waiter has what it wanted: its structure is its own again. The caller asks for the reschedule.
void wake(ke::LockWaiter& waiter) noexcept;

// Is this a thread that has not ended? Locks outlive the threads that forget to release them.
[[nodiscard]] bool is_alive(const ke::Thread* thread) noexcept;

} // namespace dirql::ex
