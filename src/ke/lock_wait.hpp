// A thread that waits for a lock of the executive (resource, push lock) or for rundown. The lock's owner wakes it through an
// event on the waiter's own stack, beside which stands what a report wants to know. The wait's reason tells that it is one.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

enum class LockKind : std::uint8_t { resource, push_lock, rundown };

struct LockWaiter {
    KEVENT event; // first: what the thread's wait block names
    LockKind kind;
    std::uint8_t exclusive;
    std::uint32_t holders; // how many keep it waiting: owners, or references that rundown waits for
    const void* lock;
    Thread* owner; // the thread that owns the lock, when it is one
    Thread* thread;
    LockWaiter* next; // the one that came after
};

} // namespace dirql::ke
