// A wait on behalf of whoever asked for something, by the mode it was asked from.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// As KeWaitForSingleObject(Executive, mode, alertable), without a timeout. In UserMode it ends with STATUS_USER_APC when the thread
// is to end; with alerts and user APCs only where it is alertable.
[[nodiscard]] NTSTATUS wait_in_mode(void* object, KPROCESSOR_MODE mode, bool alertable) noexcept;

} // namespace dirql::ke
