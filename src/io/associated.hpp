// Associated IRPs: parts of a master IRP, which completes with the last of them.
#pragma once

#include <ntifs.h>

namespace dirql::io {

void complete_request(PIRP irp, CCHAR boost) noexcept;
void finish_associated(PIRP irp, CCHAR boost) noexcept;

} // namespace dirql::io
