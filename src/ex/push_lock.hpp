// What the kernel remembers of push locks: who owns which.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ex {

struct PushLockOwner {
    const EX_PUSH_LOCK* lock;
    ke::Thread* thread;
};

struct PushLocks {
    PushLockOwner owners[256];
    unsigned count;
    unsigned unremembered; // acquired when there was no place left
};

} // namespace dirql::ex
