#include "ke/user_memory.hpp"

namespace dirql::ke {

bool touch_pages(void* address, std::size_t bytes, bool write) noexcept {
    auto at = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t last = at + bytes - 1;
    while (touch_guarded(reinterpret_cast<void*>(at), write)) {
        at = (at | (page_size - 1)) + 1;
        if (at > last || at == 0) return true;
    }
    return false;
}

} // namespace dirql::ke
