// What the services of files have in common: the request from the handle to the drivers and back.
#pragma once

#include "io/irp.hpp"
#include "ob/handle_table.hpp"

#include <ntifs.h>

#include <cstddef>

namespace dirql::io {

// A request on an open file, from the moment its handle is known to be good. Whatever happens, what it took is given back.
class FileRequest {
public:
    // References the file with `access` (see STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED), then
    // checks the status block and references the event. The status is final unless it is success.
    [[nodiscard]] NTSTATUS begin(HANDLE file, ACCESS_MASK access, HANDLE event, PIO_STATUS_BLOCK status_block) noexcept;
    FileRequest() = default;
    ~FileRequest();
    FileRequest(const FileRequest&) = delete;
    FileRequest& operator=(const FileRequest&) = delete;

    // Takes a synchronous file's lock, for as long as the request lives. Success at once for others.
    [[nodiscard]] NTSTATUS lock_file() noexcept;
    // Takes that lock and makes an IRP for the top device, its next location zeroed but for file and function.
    [[nodiscard]] NTSTATUS make_irp(UCHAR major) noexcept;
    // What is called at completion as an APC, or the context of the packet that goes to the file's completion port. Not both:
    // STATUS_INVALID_PARAMETER. Neither: nothing to do, and no cost to requests without.
    [[nodiscard]] NTSTATUS set_apc(PIO_APC_ROUTINE routine, PVOID context) noexcept {
        return routine == nullptr && context == nullptr ? STATUS_SUCCESS : attend(routine, context);
    }
    // A kernel copy of something that the driver reads while the request lasts: freed with its end.
    void set_auxiliary_buffer(void* pool) noexcept;
    // A fast I/O routine has answered: no IRP was needed.
    [[nodiscard]] NTSTATUS finish_fast(const IO_STATUS_BLOCK& result, PVOID apc_context) noexcept;
    // Sends it. The status the service returns.
    [[nodiscard]] NTSTATUS send() noexcept;

    [[nodiscard]] PIRP irp() const noexcept { return irp_; }
    [[nodiscard]] PFILE_OBJECT file() const noexcept { return file_; }
    [[nodiscard]] PDEVICE_OBJECT device() const noexcept { return device_; }
    [[nodiscard]] PIO_STACK_LOCATION next() const noexcept { return IoGetNextIrpStackLocation(irp_); }
    [[nodiscard]] KPROCESSOR_MODE mode() const noexcept { return mode_; }
    [[nodiscard]] ACCESS_MASK granted() const noexcept { return rights_.granted; }
    // What a control request's location says of the handle that it came by.
    [[nodiscard]] std::uint8_t data_flags() const noexcept { return rights_.data_flags; }

    // Buffers, by how the device or the control code wants them. `operation`: IRP_READ_OPERATION ...
    [[nodiscard]] NTSTATUS make_system_buffer(ULONG size, const void* input, ULONG input_size, void* output,
                                              ULONG output_size) noexcept;
    [[nodiscard]] NTSTATUS make_mdl(void* buffer, ULONG size, LOCK_OPERATION operation) noexcept;

protected:
    [[nodiscard]] NTSTATUS wait_for_file() noexcept;
    void finish_here() noexcept;
    [[nodiscard, gnu::cold, gnu::noinline]] NTSTATUS attend(PIO_APC_ROUTINE routine, PVOID context) noexcept;
    [[nodiscard]] NTSTATUS begin_on(void* body, HANDLE event, PIO_STATUS_BLOCK status_block) noexcept;
    [[nodiscard, gnu::cold, gnu::noinline]] NTSTATUS begin_slowly(HANDLE file, ACCESS_MASK access, HANDLE event,
                                                                  PIO_STATUS_BLOCK status_block) noexcept;

    PFILE_OBJECT file_ = nullptr;
    PDEVICE_OBJECT device_ = nullptr;
    PIRP irp_ = nullptr;
    PKEVENT event_ = nullptr;
    PIO_STATUS_BLOCK status_block_ = nullptr;
    ob::HandleRights rights_{};
    KPROCESSOR_MODE mode_ = KernelMode;
    bool locked_ = false;
};

} // namespace dirql::io
