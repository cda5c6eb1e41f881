// A driver whose reads end when the test says so, and completion ports in short words.
#pragma once

#include "closure_driver.hpp"

#include "io/services.hpp"

#include <deque>

namespace dirql::test {

inline constexpr ULONG answer_now = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS);
inline constexpr ULONG finish_pended = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS);

// Reads are pended until a control request completes the pended one that it names, by its place in the queue.
struct PortLab : Lab {
    PortLab() {
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) {
            pended.push_back(irp);
            return pend(irp);
        };
        behaviour[IRP_MJ_DEVICE_CONTROL] = [this](PDEVICE_OBJECT, PIRP irp) {
            if (IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode == answer_now)
                return complete(irp, now, 3);
            PIRP chosen = pended[place];
            pended.erase(pended.begin() + static_cast<std::ptrdiff_t>(place));
            complete(chosen, end, 1);
            return complete(irp, STATUS_SUCCESS);
        };
        load("port", [this](PDRIVER_OBJECT loaded) {
            driver = loaded;
            return create_device(loaded, u"\\Device\\Port", behaviour, DO_BUFFERED_IO);
        });
    }
    void finish(File& trigger, std::size_t which = 0, NTSTATUS status = STATUS_SUCCESS) {
        place = which;
        end = status;
        CHECK(trigger.device_control(finish_pended).ok());
    }
    Behaviour behaviour;
    PDRIVER_OBJECT driver = nullptr;
    std::deque<PIRP> pended;
    std::size_t place = 0;
    NTSTATUS end = STATUS_SUCCESS;
    NTSTATUS now = STATUS_SUCCESS;
};

struct Packet {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    PVOID key = nullptr;
    PVOID context = nullptr;
    IO_STATUS_BLOCK block{};
};

inline Packet take(HANDLE port, LONGLONG timeout = 0) {
    Packet packet;
    LARGE_INTEGER until{.QuadPart = timeout};
    packet.status = NtRemoveIoCompletion(port, &packet.key, &packet.context, &packet.block, &until);
    return packet;
}

inline HANDLE create_port() {
    HANDLE port = nullptr;
    CHECK(NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, nullptr, 0) == STATUS_SUCCESS);
    return port;
}

template <class T> NTSTATUS set(HANDLE file, T value, FILE_INFORMATION_CLASS which) {
    IO_STATUS_BLOCK block{};
    return NtSetInformationFile(file, &block, &value, sizeof value, which);
}
inline NTSTATUS associate(HANDLE file, HANDLE port, std::uintptr_t key,
                          FILE_INFORMATION_CLASS which = FileCompletionInformation) {
    return set(file, FILE_COMPLETION_INFORMATION{port, reinterpret_cast<PVOID>(key)}, which);
}
inline NTSTATUS skip(HANDLE file, ULONG flags) {
    return set(file, FILE_IO_COMPLETION_NOTIFICATION_INFORMATION{flags}, FileIoCompletionNotificationInformation);
}

inline PVOID number(std::uintptr_t value) { return reinterpret_cast<PVOID>(value); }

inline LONG depth(HANDLE port) {
    LONG value = -1;
    CHECK(NtQueryIoCompletion(port, 0, &value, sizeof value, nullptr) == STATUS_SUCCESS);
    return value;
}

inline bool signalled(HANDLE object) {
    LARGE_INTEGER now{};
    return NtWaitForSingleObject(object, FALSE, &now) == STATUS_SUCCESS;
}

struct Call {
    unsigned count = 0;
    PVOID context = nullptr;
    PIO_STATUS_BLOCK block = nullptr;
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    ULONG_PTR information = 0;
    KIRQL irql = HIGH_LEVEL;
};

inline VOID NTAPI note_call(PVOID context, PIO_STATUS_BLOCK block, ULONG) {
    auto& call = *static_cast<Call*>(context);
    ++call.count;
    call.context = context;
    call.block = block;
    call.status = block->Status;
    call.information = block->Information;
    call.irql = KeGetCurrentIrql();
}

// An alertable wait of 10 ms.
inline NTSTATUS rest_alertably() {
    LARGE_INTEGER interval{.QuadPart = -100'000};
    HANDLE event = nullptr;
    NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
    const NTSTATUS status = NtWaitForSingleObject(event, TRUE, &interval);
    NtClose(event);
    return status;
}

} // namespace dirql::test
