// NtQueryEaFile and NtSetEaFile.
#include "ex/pool.hpp"
#include "io/api_request.hpp"
#include "io/device_buffer.hpp"
#include "io/extended_attributes.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

#include <cstddef>
#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG ea_tag = 'aEoI';

// A kernel copy of the caller's list, for as long as the request lasts.
class PoolCopy {
public:
    PoolCopy() = default;
    ~PoolCopy() {
        if (data_ != nullptr) ex::free_pool(data_, ea_tag);
    }
    PoolCopy(const PoolCopy&) = delete;
    PoolCopy& operator=(const PoolCopy&) = delete;
    [[nodiscard]] NTSTATUS capture(KPROCESSOR_MODE mode, const void* from, ULONG length) noexcept {
        data_ = ex::allocate_pool(NonPagedPoolNx, length, ea_tag, ex::Fill::none);
        if (data_ == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        return ke::copy_bytes_in(data_, from, length, mode);
    }
    [[nodiscard]] void* data() const noexcept { return data_; }

private:
    void* data_ = nullptr;
};

// Names to look for, each with its length, its characters and a zero; the next begins at a multiple of four bytes.
NTSTATUS check_name_list(const void* list, ULONG length) noexcept {
    const auto* bytes = static_cast<const std::byte*>(list);
    constexpr ULONG head = offsetof(FILE_GET_EA_INFORMATION, EaName);
    ULONG at = 0;
    for (;;) {
        FILE_GET_EA_INFORMATION entry{};
        if (length - at < head) return STATUS_EA_LIST_INCONSISTENT;
        std::memcpy(&entry, bytes + at, head);
        const ULONG size = head + entry.EaNameLength + 1;
        if (size > length - at) return STATUS_EA_LIST_INCONSISTENT;
        if (entry.NextEntryOffset == 0) return STATUS_SUCCESS;
        if (entry.NextEntryOffset != ((size + 3) & ~3u) || entry.NextEntryOffset > length - at)
            return STATUS_EA_LIST_INCONSISTENT;
        at += entry.NextEntryOffset;
    }
}

struct EaQuery {
    PVOID buffer;
    ULONG length;
    PVOID list;
    ULONG list_length;
    PULONG index;
    UCHAR flags;
};

NTSTATUS query_ea(HANDLE file, PIO_STATUS_BLOCK block, const EaQuery& query) noexcept {
    const KPROCESSOR_MODE mode = ke::current_thread()->previous_mode;
    NTSTATUS status = mode == KernelMode ? STATUS_SUCCESS : ke::probe_user(query.buffer, query.length, true);
    if (!NT_SUCCESS(status)) return status;
    ULONG index = 0;
    if (status = ke::copy_in_if_given(index, query.index, mode); !NT_SUCCESS(status)) return status;
    PoolCopy list;
    const bool has_list = query.list != nullptr && query.list_length != 0;
    if (has_list) {
        if (status = list.capture(mode, query.list, query.list_length); !NT_SUCCESS(status)) return status;
        if (status = check_name_list(list.data(), query.list_length); !NT_SUCCESS(status)) return status;
    }
    ApiRequest request;
    if (status = request.begin(file, FILE_READ_EA, block); !NT_SUCCESS(status)) return status;
    if (status = request.make_irp(IRP_MJ_QUERY_EA); status != STATUS_SUCCESS) return status;
    auto& parameters = request.next()->Parameters.QueryEa;
    parameters.Length = query.length;
    parameters.EaList = list.data();
    parameters.EaListLength = has_list ? query.list_length : 0;
    parameters.EaIndex = index;
    request.next()->Flags = static_cast<UCHAR>(query.flags | (query.index != nullptr ? SL_INDEX_SPECIFIED : 0));
    status = make_device_buffer(request, query.buffer, query.length, Direction::to_caller);
    return NT_SUCCESS(status) ? request.send() : status;
}

// An inconsistent list never reaches the driver; the status block says where it is wrong.
NTSTATUS set_ea(HANDLE file, PIO_STATUS_BLOCK block, PVOID buffer, ULONG length) noexcept {
    const KPROCESSOR_MODE mode = ke::current_thread()->previous_mode;
    ApiRequest request;
    NTSTATUS status = request.begin(file, FILE_WRITE_EA, block);
    if (!NT_SUCCESS(status)) return status;
    const bool buffered = (request.device()->Flags & DO_BUFFERED_IO) != 0;
    if (length != 0 && !buffered) { // the driver reads the caller's own memory: what is seen now is the best there is
        PoolCopy list;
        if (status = list.capture(mode, buffer, length); !NT_SUCCESS(status)) return status;
        ULONG wrong_at = 0;
        status = check_extended_attributes(list.data(), length, wrong_at);
        if (!NT_SUCCESS(status)) return request.answer(status, wrong_at);
    }
    if (status = request.make_irp(IRP_MJ_SET_EA); status != STATUS_SUCCESS) return status;
    request.next()->Parameters.SetEa.Length = length;
    status = make_device_buffer(request, buffer, length, Direction::to_driver);
    if (!NT_SUCCESS(status)) return status;
    if (length != 0 && buffered) { // this very copy is the driver's
        ULONG wrong_at = 0;
        status = check_extended_attributes(request.irp()->AssociatedIrp.SystemBuffer, length, wrong_at);
        if (!NT_SUCCESS(status)) return request.answer(status, wrong_at);
    }
    return request.send();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtQueryEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                             BOOLEAN ReturnSingleEntry, PVOID EaList, ULONG EaListLength, PULONG EaIndex,
                             BOOLEAN RestartScan) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryEaFile);
        const auto flags =
            static_cast<UCHAR>((RestartScan ? SL_RESTART_SCAN : 0) | (ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0));
        return query_ea(FileHandle, IoStatusBlock, {Buffer, Length, EaList, EaListLength, EaIndex, flags});
    });
}

NTSTATUS NTAPI ZwQueryEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                             BOOLEAN ReturnSingleEntry, PVOID EaList, ULONG EaListLength, PULONG EaIndex,
                             BOOLEAN RestartScan) {
    DIRQL_DOOR(ZwQueryEaFile);
    const ke::KernelModeCaller kernel;
    return NtQueryEaFile(FileHandle, IoStatusBlock, Buffer, Length, ReturnSingleEntry, EaList, EaListLength, EaIndex,
                         RestartScan);
}

NTSTATUS NTAPI NtSetEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetEaFile);
        return set_ea(FileHandle, IoStatusBlock, Buffer, Length);
    });
}

NTSTATUS NTAPI ZwSetEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length) {
    DIRQL_DOOR(ZwSetEaFile);
    const ke::KernelModeCaller kernel;
    return NtSetEaFile(FileHandle, IoStatusBlock, Buffer, Length);
}
}
