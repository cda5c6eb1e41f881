// The buffer of a request by how its device takes buffers: a system buffer, an MDL, or the caller's own address.
#pragma once

#include "io/request.hpp"

namespace dirql::io {

enum class Direction : bool { to_caller, to_driver };

[[nodiscard]] inline NTSTATUS make_device_buffer(FileRequest& request, void* buffer, ULONG length,
                                                 Direction direction) noexcept {
    const bool to_driver = direction == Direction::to_driver;
    const ULONG flags = request.device()->Flags;
    if (length == 0) return STATUS_SUCCESS;
    if ((flags & DO_BUFFERED_IO) != 0) {
        return to_driver ? request.make_system_buffer(length, buffer, length, nullptr, 0)
                         : request.make_system_buffer(length, nullptr, 0, buffer, length);
    }
    if ((flags & DO_DIRECT_IO) != 0) return request.make_mdl(buffer, length, to_driver ? IoReadAccess : IoWriteAccess);
    request.irp()->UserBuffer = buffer;
    return STATUS_SUCCESS;
}

} // namespace dirql::io
