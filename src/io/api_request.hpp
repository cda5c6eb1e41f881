// Requests of services that return their final status whatever kind of file they are on: NtQueryInformationFile and its like.
#pragma once

#include "io/request.hpp"

namespace dirql::io {

// For a synchronous file it is as any request. For an asynchronous one the IRP is marked IRP_SYNCHRONOUS_API, its event and status
// block are this object's, on the service's stack, and the service waits.
class ApiRequest : public FileRequest {
public:
    // `file` by handle, as FileRequest::begin. Or an object that the caller holds, with kernel buffers: no handle, no status block.
    [[nodiscard]] NTSTATUS begin(HANDLE file, ACCESS_MASK access, PIO_STATUS_BLOCK status_block) noexcept;
    void begin_for(PFILE_OBJECT file) noexcept;

    [[nodiscard]] NTSTATUS make_irp(UCHAR major) noexcept;
    [[nodiscard]] NTSTATUS send() noexcept;
    // The I/O manager has the answer itself: it is written to the status block.
    [[nodiscard]] NTSTATUS answer(NTSTATUS status, ULONG_PTR information) noexcept;

    // A system buffer for what the driver writes (query) or reads (set).
    [[nodiscard]] NTSTATUS make_output(void* to, ULONG length) noexcept {
        return make_system_buffer(length, nullptr, 0, to, length);
    }
    [[nodiscard]] NTSTATUS make_input(const void* from, ULONG length) noexcept {
        return make_system_buffer(length, from, length, nullptr, 0);
    }
    [[nodiscard]] const IO_STATUS_BLOCK& result() const noexcept { return result_; }

private:
    KEVENT own_event_;
    IO_STATUS_BLOCK result_{};
    bool by_object_ = false;
};

} // namespace dirql::io
