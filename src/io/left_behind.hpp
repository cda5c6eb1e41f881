// What a driver leaves behind when it is unloaded, and would be called by afterwards.
#pragma once

#include "ke/machine.hpp"

namespace dirql::io {

// Bug check 0xCE when a timer, a queued DPC, a work item, a lookaside list or a thread of this code is left, 0xC4/0x62 when pool is.
// PASSIVE_LEVEL, after the Unload routine or a DriverEntry that failed.
void check_left_behind(const ke::CodeRange& code) noexcept;

} // namespace dirql::io
