// Spin locks. A held lock's value is the number of its processor plus one, so that "acquired twice" and "not held" are seen.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// At DISPATCH_LEVEL or above. Spins, letting the other processors run, while another processor holds the lock.
void acquire_spin_lock(PKSPIN_LOCK lock) noexcept;
void release_spin_lock(PKSPIN_LOCK lock) noexcept;

} // namespace dirql::ke
