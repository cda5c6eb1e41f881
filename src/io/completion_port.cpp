#include "io/completion_port.hpp"

#include "ex/pool.hpp"
#include "io/irp.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/queue.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ke/wait.hpp"
#include "ob/answer.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/service_result.hpp"

#include <new>

namespace dirql::io {
namespace {

constexpr ULONG packet_tag = ' pcI';
constexpr ACCESS_MASK all_access = IO_COMPLETION_ALL_ACCESS;

// What a queue entry is the beginning of; of an IRP it is Tail.Overlay.ListEntry, and PacketType follows there too.
enum PacketType : ULONG { irp_packet, small_packet };
struct Entry {
    LIST_ENTRY link;
    ULONG type;
};
struct SmallPacket {
    Entry entry;
    Packet packet;
};
static_assert(offsetof(IRP, Tail.Overlay.PacketType) - offsetof(IRP, Tail.Overlay.ListEntry) == offsetof(Entry, type));

KQUEUE& queue_of(void* port) noexcept { return *static_cast<PKQUEUE>(port); }

// What the entry tells; its memory is given back.
Packet open_packet(LIST_ENTRY* link) noexcept {
    if (CONTAINING_RECORD(link, Entry, link)->type == irp_packet) {
        PIRP irp = CONTAINING_RECORD(link, IRP, Tail.Overlay.ListEntry);
        const Packet packet{irp->Tail.CompletionKey, irp->Overlay.AsynchronousParameters.UserApcContext, irp->IoStatus};
        free_irp(irp);
        return packet;
    }
    auto* small = CONTAINING_RECORD(link, SmallPacket, entry.link);
    const Packet packet = small->packet;
    ex::free_pool(small, packet_tag);
    return packet;
}

// Nobody can take its packets any more.
void run_down(void* port) noexcept {
    LIST_ENTRY* const first = ke::run_down_queue(queue_of(port));
    LIST_ENTRY* link = first;
    while (link != nullptr) {
        LIST_ENTRY* const next = link->Flink == first ? nullptr : link->Flink;
        (void)open_packet(link);
        link = next;
    }
    ke::reschedule_if_asked();
}

void port_handle_closed(const ob::HandleClose& close) noexcept {
    if (close.handles == 1) run_down(close.object);
}

NTSTATUS create_port(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, ULONG count) noexcept {
    return ob::create_by_handle<KQUEUE>(result, access, attributes, io_completion_type,
                                        [&](KQUEUE& port) { ke::initialize_queue(queue_of(&port), count); });
}

// A port by its handle, for as long as this lives.
class PortReference {
public:
    PortReference(HANDLE handle, ACCESS_MASK access) noexcept
        : status_(ob::reference_by_handle(handle, access, &io_completion_type, ke::previous_mode(), &port_)) {}
    ~PortReference() {
        if (port_ != nullptr) ob::dereference(port_);
    }
    PortReference(const PortReference&) = delete;
    PortReference& operator=(const PortReference&) = delete;
    [[nodiscard]] NTSTATUS status() const noexcept { return status_; }
    [[nodiscard]] void* port() const noexcept { return port_; }

private:
    void* port_ = nullptr;
    NTSTATUS status_;
};

NTSTATUS query_port(HANDLE handle, ULONG information_class, PVOID information, ULONG length, PULONG returned) noexcept {
    if (information_class != 0) return STATUS_INVALID_INFO_CLASS;
    if (length != sizeof(LONG)) return STATUS_INFO_LENGTH_MISMATCH;
    const PortReference port(handle, IO_COMPLETION_QUERY_STATE);
    if (!NT_SUCCESS(port.status())) return port.status();
    return ob::Answer{information, length, returned, ke::previous_mode()}.give(
        queue_of(port.port()).Header.SignalState);
}

NTSTATUS set_port(HANDLE handle, const Packet& packet) noexcept {
    const PortReference port(handle, IO_COMPLETION_MODIFY_STATE);
    return NT_SUCCESS(port.status()) ? queue_packet(port.port(), packet) : port.status();
}

NTSTATUS take_one(HANDLE handle, PVOID* key, PVOID* context, PIO_STATUS_BLOCK block, PLARGE_INTEGER timeout) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    LARGE_INTEGER until{};
    NTSTATUS status = ke::probe_out(key, mode);
    if (NT_SUCCESS(status)) status = ke::probe_out(context, mode);
    if (NT_SUCCESS(status)) status = ke::probe_out(block, mode);
    if (NT_SUCCESS(status)) status = ke::copy_in_if_given(until, timeout, mode);
    if (!NT_SUCCESS(status)) return status;
    const PortReference port(handle, IO_COMPLETION_MODIFY_STATE);
    if (!NT_SUCCESS(port.status())) return port.status();
    LIST_ENTRY* link = nullptr;
    status = ke::remove_queue(queue_of(port.port()), mode, false, timeout == nullptr ? nullptr : &until, link);
    if (status != STATUS_SUCCESS) return status;
    const Packet packet = open_packet(link);
    status = ke::copy_out(key, packet.key, mode);
    if (NT_SUCCESS(status)) status = ke::copy_out(context, packet.context, mode);
    return NT_SUCCESS(status) ? ke::copy_out(block, packet.result, mode) : status;
}

NTSTATUS write_entry(PFILE_IO_COMPLETION_INFORMATION to, LIST_ENTRY* link, KPROCESSOR_MODE mode) noexcept {
    const Packet packet = open_packet(link);
    return ke::copy_out(to, FILE_IO_COMPLETION_INFORMATION{packet.key, packet.context, packet.result}, mode);
}

// Waits for the first only; what lies there besides is taken along.
NTSTATUS take_several(HANDLE handle, PFILE_IO_COMPLETION_INFORMATION list, ULONG count, PULONG removed,
                      PLARGE_INTEGER timeout, bool alertable) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (count == 0 || count > MAXULONG / sizeof *list) return STATUS_INVALID_PARAMETER;
    LARGE_INTEGER until{};
    NTSTATUS status = ke::probe_out(removed, mode);
    if (NT_SUCCESS(status) && mode != KernelMode) status = ke::probe_user(list, count * sizeof *list, true);
    if (NT_SUCCESS(status)) status = ke::copy_in_if_given(until, timeout, mode);
    if (!NT_SUCCESS(status)) return status;
    const PortReference port(handle, IO_COMPLETION_MODIFY_STATE);
    if (!NT_SUCCESS(port.status())) return port.status();
    LIST_ENTRY* link = nullptr;
    status = ke::remove_queue(queue_of(port.port()), mode, alertable, timeout == nullptr ? nullptr : &until, link);
    ULONG taken = 0;
    if (status == STATUS_SUCCESS) {
        while (link != nullptr) {
            status = write_entry(&list[taken], link, mode);
            if (!NT_SUCCESS(status)) break; // that packet is lost with its place; those behind it stay
            link = ++taken == count ? nullptr : ke::remove_queue_now(queue_of(port.port()));
        }
    }
    const NTSTATUS written = ke::copy_out(removed, taken, mode);
    return NT_SUCCESS(written) ? status : written;
}

} // namespace

constinit const ob::ObjectType io_completion_type{
    .name = u"IoCompletion",
    .index = ob::TypeIndex::io_completion,
    .mapping = ob::standard_mapping(IO_COMPLETION_QUERY_STATE, IO_COMPLETION_MODIFY_STATE, SYNCHRONIZE, all_access),
    .valid_access = all_access,
    .close = port_handle_closed,
    .destroy = run_down,
};

NTSTATUS queue_packet(void* port, const Packet& packet) noexcept {
    void* memory = ex::allocate_pool(NonPagedPoolNx, sizeof(SmallPacket), packet_tag, ex::Fill::none);
    if (memory == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    auto* small = ::new (memory) SmallPacket{{{}, small_packet}, packet};
    ke::insert_queue(queue_of(port), small->entry.link, false);
    ke::reschedule_if_asked();
    return STATUS_SUCCESS;
}

void queue_irp_packet(PIRP irp, const IO_COMPLETION_CONTEXT& context) noexcept {
    irp->Tail.CompletionKey = context.Key;
    irp->Tail.Overlay.PacketType = irp_packet;
    ke::insert_queue(queue_of(context.Port), irp->Tail.Overlay.ListEntry, false);
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                    POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateIoCompletion);
        return create_port(IoCompletionHandle, DesiredAccess, ObjectAttributes, Count);
    });
}

NTSTATUS NTAPI NtOpenIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                  POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenIoCompletion);
        return ob::open_service(IoCompletionHandle, DesiredAccess, ObjectAttributes, io_completion_type);
    });
}

NTSTATUS NTAPI NtQueryIoCompletion(HANDLE IoCompletionHandle, ULONG IoCompletionInformationClass,
                                   PVOID IoCompletionInformation, ULONG IoCompletionInformationLength,
                                   PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryIoCompletion);
        return query_port(IoCompletionHandle, IoCompletionInformationClass, IoCompletionInformation,
                          IoCompletionInformationLength, ReturnLength);
    });
}

NTSTATUS NTAPI NtSetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext, PVOID ApcContext, NTSTATUS IoStatus,
                                 ULONG_PTR IoStatusInformation) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetIoCompletion);
        return set_port(IoCompletionHandle, {KeyContext, ApcContext, {{IoStatus}, IoStatusInformation}});
    });
}

NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE IoCompletionHandle, PVOID* KeyContext, PVOID* ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER Timeout) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtRemoveIoCompletion);
        return take_one(IoCompletionHandle, KeyContext, ApcContext, IoStatusBlock, Timeout);
    });
}

NTSTATUS NTAPI NtRemoveIoCompletionEx(HANDLE IoCompletionHandle,
                                      PFILE_IO_COMPLETION_INFORMATION IoCompletionInformation, ULONG Count,
                                      PULONG NumEntriesRemoved, PLARGE_INTEGER Timeout, BOOLEAN Alertable) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtRemoveIoCompletionEx);
        return take_several(IoCompletionHandle, IoCompletionInformation, Count, NumEntriesRemoved, Timeout,
                            Alertable != FALSE);
    });
}

NTSTATUS NTAPI ZwCreateIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                    POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count) {
    DIRQL_DOOR(ZwCreateIoCompletion);
    const ke::KernelModeCaller kernel;
    return NtCreateIoCompletion(IoCompletionHandle, DesiredAccess, ObjectAttributes, Count);
}

NTSTATUS NTAPI ZwOpenIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                  POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenIoCompletion);
    const ke::KernelModeCaller kernel;
    return NtOpenIoCompletion(IoCompletionHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI ZwSetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext, PVOID ApcContext, NTSTATUS IoStatus,
                                 ULONG_PTR IoStatusInformation) {
    DIRQL_DOOR(ZwSetIoCompletion);
    const ke::KernelModeCaller kernel;
    return NtSetIoCompletion(IoCompletionHandle, KeyContext, ApcContext, IoStatus, IoStatusInformation);
}

NTSTATUS NTAPI ZwRemoveIoCompletion(HANDLE IoCompletionHandle, PVOID* KeyContext, PVOID* ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER Timeout) {
    DIRQL_DOOR(ZwRemoveIoCompletion);
    const ke::KernelModeCaller kernel;
    return NtRemoveIoCompletion(IoCompletionHandle, KeyContext, ApcContext, IoStatusBlock, Timeout);
}

NTSTATUS NTAPI ZwRemoveIoCompletionEx(HANDLE IoCompletionHandle,
                                      PFILE_IO_COMPLETION_INFORMATION IoCompletionInformation, ULONG Count,
                                      PULONG NumEntriesRemoved, PLARGE_INTEGER Timeout, BOOLEAN Alertable) {
    DIRQL_DOOR(ZwRemoveIoCompletionEx);
    const ke::KernelModeCaller kernel;
    return NtRemoveIoCompletionEx(IoCompletionHandle, IoCompletionInformation, Count, NumEntriesRemoved, Timeout,
                                  Alertable);
}
}
