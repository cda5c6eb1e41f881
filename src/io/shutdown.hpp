// The end of a machine that is switched off.
#pragma once

namespace dirql::io {

// Sends IRP_MJ_SHUTDOWN to each device that is registered for it: first those of IoRegisterShutdownNotification, then, when the
// file systems would have been flushed, those of IoRegisterLastChanceShutdownNotification; in each round the last registered
// first. Each is waited for. PASSIVE_LEVEL, on a system thread.
void shut_down() noexcept;

} // namespace dirql::io
