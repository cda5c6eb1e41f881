// A critical region of the kernel's own: normal kernel APCs are held back from the current thread while one lives.
#pragma once

#include "ke/apc.hpp"
#include "ke/thread.hpp"

namespace dirql::ke {

class CriticalRegion {
public:
    CriticalRegion() noexcept { --current_thread()->kernel_apc_disable; }
    ~CriticalRegion() {
        Thread& thread = *current_thread();
        if (++thread.kernel_apc_disable == 0) check_apcs_after_region(thread);
    }
    CriticalRegion(const CriticalRegion&) = delete;
    CriticalRegion& operator=(const CriticalRegion&) = delete;
};

} // namespace dirql::ke
