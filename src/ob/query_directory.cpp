// The names in a directory.
#include "ex/pool.hpp"
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/services.hpp"

#include <cstring>

namespace dirql::ob {
namespace {

// As OBJECT_DIRECTORY_INFORMATION: an array of these, an empty one at its end, and the strings behind.
struct NameAndType {
    UNICODE_STRING name;
    UNICODE_STRING type;
};

std::u16string_view name_of(const DirectoryEntry& entry) noexcept { return view(entry.object->name_info()->name); }

std::size_t size_of(const DirectoryEntry& entry) noexcept {
    return sizeof(NameAndType) + (name_of(entry).size() + entry.object->type->name.size() + 2) * sizeof(WCHAR);
}

// Calls visit(entry) from entry number `first` on, until it returns false.
template <class Visit> void each_from(const Directory& directory, ULONG first, Visit visit) noexcept {
    ULONG index = 0;
    for (const DirectoryEntry* entry : directory.bucket) {
        for (; entry != nullptr; entry = entry->next) {
            if (index++ >= first && !visit(*entry)) return;
        }
    }
}

// What fits, counted before it is written: nothing changes between the two.
struct Plan {
    ULONG entries = 0;
    std::size_t bytes = sizeof(NameAndType); // the empty one
    std::size_t next = 0;                    // what the first that does not fit would take; 0: all fit
};

Plan plan(const Directory& directory, ULONG first, ULONG room, bool single) noexcept {
    Plan plan;
    each_from(directory, first, [&](const DirectoryEntry& entry) {
        const std::size_t size = size_of(entry);
        if (plan.bytes + size > room) {
            plan.next = size;
            return false;
        }
        plan.bytes += size;
        ++plan.entries;
        return !single;
    });
    return plan;
}

// Writes a string with its terminator, and returns where it will stand in the caller's buffer.
class Writer {
public:
    Writer(std::byte* buffer, std::byte* callers, ULONG entries) noexcept
        : buffer_(buffer), callers_(callers), text_((entries + 1) * sizeof(NameAndType)) {}

    void add(const DirectoryEntry& entry) noexcept {
        const NameAndType both{put(name_of(entry)), put(entry.object->type->name)};
        std::memcpy(buffer_ + index_++ * sizeof both, &both, sizeof both);
    }

private:
    UNICODE_STRING put(std::u16string_view text) noexcept {
        const auto bytes = static_cast<USHORT>(text.size() * sizeof(WCHAR));
        std::memcpy(buffer_ + text_, text.data(), bytes);
        const UNICODE_STRING string{bytes, static_cast<USHORT>(bytes + sizeof(WCHAR)),
                                    reinterpret_cast<PWSTR>(callers_ + text_)};
        text_ += bytes + sizeof(WCHAR);
        return string;
    }

    std::byte* buffer_;
    std::byte* callers_;
    std::size_t text_;
    std::size_t index_ = 0;
};

NTSTATUS write(const Directory& directory, ULONG first, const Plan& plan, PVOID to, KPROCESSOR_MODE mode) noexcept {
    auto* buffer = static_cast<std::byte*>(ex::allocate_pool(PagedPool, plan.bytes, pool_tag("ObDi"), ex::Fill::zero));
    if (buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    Writer writer(buffer, static_cast<std::byte*>(to), plan.entries);
    ULONG left = plan.entries;
    each_from(directory, first, [&](const DirectoryEntry& entry) {
        if (left == 0) return false;
        writer.add(entry);
        return --left != 0;
    });
    const NTSTATUS status = ke::copy_bytes_out(to, buffer, plan.bytes, mode);
    ex::free_pool(buffer, 0);
    return status;
}

struct Request {
    PVOID to;
    ULONG length;
    bool single;
    bool restart;
    PULONG context;
    PULONG needed;
};

NTSTATUS answer(const Directory& directory, const Request& request, KPROCESSOR_MODE mode) noexcept {
    ULONG first = 0;
    NTSTATUS status = request.restart ? STATUS_SUCCESS : ke::copy_in(first, request.context, mode);
    if (!NT_SUCCESS(status)) return status;
    const Plan fits = plan(directory, first, request.length, request.single);
    if (fits.entries == 0) {
        const auto needed = static_cast<ULONG>(fits.next == 0 ? 0 : fits.bytes + fits.next);
        status = ke::copy_out_if_wanted(request.needed, needed, mode);
        if (!NT_SUCCESS(status)) return status;
        return fits.next == 0 ? STATUS_NO_MORE_ENTRIES : STATUS_BUFFER_TOO_SMALL;
    }
    status = write(directory, first, fits, request.to, mode);
    if (NT_SUCCESS(status)) status = ke::copy_out(request.context, first + fits.entries, mode);
    if (NT_SUCCESS(status)) status = ke::copy_out_if_wanted(request.needed, static_cast<ULONG>(fits.bytes), mode);
    if (!NT_SUCCESS(status)) return status;
    return fits.next != 0 && !request.single ? STATUS_MORE_ENTRIES : STATUS_SUCCESS;
}

NTSTATUS query_directory(HANDLE handle, const Request& request) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    void* body = nullptr;
    NTSTATUS status = ke::probe_out(request.context, mode);
    if (NT_SUCCESS(status)) status = reference_by_handle(handle, DIRECTORY_QUERY, &directory_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    status = answer(*static_cast<Directory*>(body), request, mode);
    dereference(body);
    return status;
}

} // namespace
} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE DirectoryHandle, PVOID Buffer, ULONG Length, BOOLEAN ReturnSingleEntry,
                                      BOOLEAN RestartScan, PULONG Context, PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryDirectoryObject);
        return ob::query_directory(
            DirectoryHandle, {Buffer, Length, ReturnSingleEntry != FALSE, RestartScan != FALSE, Context, ReturnLength});
    });
}

NTSTATUS NTAPI ZwQueryDirectoryObject(HANDLE DirectoryHandle, PVOID Buffer, ULONG Length, BOOLEAN ReturnSingleEntry,
                                      BOOLEAN RestartScan, PULONG Context, PULONG ReturnLength) {
    DIRQL_DOOR(ZwQueryDirectoryObject);
    const ke::KernelModeCaller caller;
    return NtQueryDirectoryObject(DirectoryHandle, Buffer, Length, ReturnSingleEntry, RestartScan, Context,
                                  ReturnLength);
}
}
