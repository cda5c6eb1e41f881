#include "test_pool.hpp"

#include "ex/pool.hpp"

#include <cstdlib>

namespace dirql::test {
namespace {
TestPool* current = nullptr;
}

TestPool::TestPool() { current = this; }
TestPool::~TestPool() { current = nullptr; }

} // namespace dirql::test

using dirql::test::current;

extern "C" PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T size, ULONG) {
    current->last_type = type;
    current->last_size = size;
    if (current->fail) return nullptr;
    ++current->live;
    return std::malloc(size);
}

extern "C" VOID NTAPI ExFreePoolWithTag(PVOID block, ULONG) {
    --current->live;
    std::free(block);
}

void* dirql::ex::allocate_pool(POOL_TYPE type, std::size_t bytes, ULONG tag, Fill) noexcept {
    return ExAllocatePoolWithTag(type, bytes, tag);
}

void dirql::ex::free_pool(void* block, ULONG tag) noexcept { ExFreePoolWithTag(block, tag); }
