// A driver with a cancel-safe queue.
#pragma once

#include "closure_driver.hpp"

namespace dirql::test {

// A driver's queue, as a driver has it: a list and a spin lock. What the routines were called for is written down.
struct CsqLab : Lab {
    struct Queue {
        IO_CSQ csq;
        KSPIN_LOCK lock;
        LIST_ENTRY list;
    };
    explicit CsqLab(bool extended, MachineOptions options = {}) : Lab(std::move(options)) {
        instance = this;
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) { return read(irp); };
        load("q", [&](PDRIVER_OBJECT driver) {
            queue = kernel_object<Queue>();
            InitializeListHead(&queue->list);
            const NTSTATUS status =
                extended ? IoCsqInitializeEx(&queue->csq, insert_ex, remove, peek, acquire, release, complete_cancelled)
                         : IoCsqInitialize(&queue->csq, insert, remove, peek, acquire, release, complete_cancelled);
            CHECK(status == STATUS_SUCCESS);
            driver->DriverUnload = [](PDRIVER_OBJECT object) {
                ExFreePool(instance->queue);
                delete_all_devices(object);
            };
            return create_device(driver, u"\\Device\\Q", behaviour, DO_BUFFERED_IO);
        });
    }
    NTSTATUS read(PIRP irp) {
        if (cancel_first) irp->Cancel = TRUE;
        if (use_ex) {
            const NTSTATUS status = IoCsqInsertIrpEx(&queue->csq, irp, context, &insert_cookie);
            if (!NT_SUCCESS(status)) return complete(irp, status);
        } else {
            IoCsqInsertIrp(&queue->csq, irp, context);
        }
        return STATUS_PENDING;
    }
    static PIRP irp_of(LIST_ENTRY* entry) { return CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry); }
    static Queue& own(PIO_CSQ csq) { return *CONTAINING_RECORD(csq, Queue, csq); }
    static VOID NTAPI insert(PIO_CSQ csq, PIRP irp) {
        ++instance->inserted;
        InsertTailList(&own(csq).list, &irp->Tail.Overlay.ListEntry);
    }
    static NTSTATUS NTAPI insert_ex(PIO_CSQ csq, PIRP irp, PVOID cookie) {
        instance->cookie_seen = cookie;
        if (!NT_SUCCESS(instance->insert_result)) return instance->insert_result;
        insert(csq, irp);
        if (instance->cancel_while_inserting) irp->Cancel = TRUE; // as one who cancels and found no routine yet
        return instance->insert_result;
    }
    static VOID NTAPI remove(PIO_CSQ, PIRP irp) {
        ++instance->removed;
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    }
    static PIRP NTAPI peek(PIO_CSQ csq, PIRP irp, PVOID wanted) {
        LIST_ENTRY& list = own(csq).list;
        LIST_ENTRY* entry = irp == nullptr ? list.Flink : irp->Tail.Overlay.ListEntry.Flink;
        for (; entry != &list; entry = entry->Flink) {
            PIRP found = irp_of(entry);
            if (wanted == nullptr || IoGetCurrentIrpStackLocation(found)->FileObject == wanted) return found;
        }
        return nullptr;
    }
    static VOID NTAPI acquire(PIO_CSQ csq, PKIRQL irql) { KeAcquireSpinLock(&own(csq).lock, irql); }
    static VOID NTAPI release(PIO_CSQ csq, KIRQL irql) { KeReleaseSpinLock(&own(csq).lock, irql); }
    static VOID NTAPI complete_cancelled(PIO_CSQ, PIRP irp) {
        ++instance->cancelled;
        instance->level = KeGetCurrentIrql();
        instance->link_left |= irp->Tail.Overlay.DriverContext[3] != nullptr;
        complete(irp, STATUS_CANCELLED);
    }
    // Takes the next one and completes it; its offset, or -1.
    LONGLONG take(PVOID wanted = nullptr) {
        LONGLONG offset = -1;
        machine_call([&] {
            PIRP irp = IoCsqRemoveNextIrp(&queue->csq, wanted);
            if (irp == nullptr) return;
            offset = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.QuadPart;
            complete(irp, STATUS_SUCCESS, 1);
        });
        return offset;
    }
    // Driver code under test, called from an application's thread as a service of the test's own: a write.
    void machine_call(std::function<void()> body) {
        behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
            body();
            return complete(irp, STATUS_SUCCESS);
        };
        File file = process->open("\\Device\\Q").value();
        CHECK(file.write(bytes("x")).ok());
    }
    static inline CsqLab* instance;
    Behaviour behaviour;
    Process* process = nullptr;
    Queue* queue = nullptr;
    PIO_CSQ_IRP_CONTEXT context = nullptr;
    NTSTATUS insert_result = STATUS_SUCCESS;
    bool use_ex = false;
    bool cancel_first = false;
    bool cancel_while_inserting = false;
    bool link_left = false;
    int insert_cookie = 0;
    void* cookie_seen = nullptr;
    unsigned inserted = 0;
    unsigned removed = 0;
    unsigned cancelled = 0;
    KIRQL level = HIGH_LEVEL;
};

} // namespace dirql::test
