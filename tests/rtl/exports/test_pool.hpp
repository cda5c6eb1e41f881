// A pool for the exported string functions: the host's heap behind ExAllocatePoolWithTag.
#pragma once

#include <ntifs.h>

#include <cstddef>

namespace dirql::test {

// Counts this test's blocks; while `fail` is set none can be had.
struct TestPool {
    std::size_t live = 0;
    std::size_t last_size = 0;
    POOL_TYPE last_type = NonPagedPool;
    bool fail = false;

    TestPool();
    ~TestPool();
    TestPool(const TestPool&) = delete;
    TestPool& operator=(const TestPool&) = delete;
};

} // namespace dirql::test
