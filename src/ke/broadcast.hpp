// Interrupts at IPI_LEVEL: KeIpiGenericCall.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// The processor takes the interrupt: its IRQL is below IPI_LEVEL, and becomes IPI_LEVEL.
void deliver_broadcast(Processor* processor) noexcept;

} // namespace dirql::ke
