// Kernel objects that live in a driver's memory: what must not be freed, or unloaded, while the kernel still uses it.
#pragma once

#include "ke/machine.hpp"

#include <cstddef>

namespace dirql::ex {

// A block is about to be freed: bug checks where it holds an active timer (0xC4/0x15), a queued DPC (0xC7/1), a lookaside
// list (0xC4/0xCC) or a resource (0xC4/0xD2) that was not deleted, or a queued work item (0xE4/0). Says nothing of pointers that are no pool block.
void check_nothing_active(void* block) noexcept;
// The same for memory that the kernel frees on a driver's behalf (device extensions).
void check_nothing_active(const void* memory, std::size_t bytes, POOL_TYPE type = NonPagedPool) noexcept;

// What an image leaves behind when it is unloaded, for bug check 0xCE. `address` is null when there is nothing.
struct ActiveObject {
    const void* address;
    const void* routine;
    const char* what; // "a timer", "a lookaside list", "a resource", "a work item", "a work item under way"
};
[[nodiscard]] ActiveObject find_active_object(const ke::CodeRange& image) noexcept;

} // namespace dirql::ex
