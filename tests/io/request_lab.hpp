// A driver below, to which another one, the kernel side of the test, sends requests of its own.
#pragma once

#include "closure_driver.hpp"

#include <cstring>

namespace dirql::test {

// Serves reads, writes and control requests from another driver; the lab's kernel side is that driver.
struct RequestLab : Lab {
    explicit RequestLab(ULONG flags = DO_BUFFERED_IO) {
        const auto serve = [this](PDEVICE_OBJECT target, PIRP irp) {
            PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
            mode = static_cast<KPROCESSOR_MODE>(irp->RequestorMode);
            thread_right = irp->Tail.Overlay.Thread == PsGetCurrentThread();
            offset = location->Parameters.Read.ByteOffset.QuadPart;
            length = location->Parameters.Read.Length;
            void* data = irp->AssociatedIrp.SystemBuffer;
            if ((target->Flags & DO_DIRECT_IO) != 0)
                data = MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
            if ((target->Flags & (DO_DIRECT_IO | DO_BUFFERED_IO)) == 0) data = irp->UserBuffer;
            if (location->MajorFunction == IRP_MJ_READ) std::memcpy(data, "from below", 10);
            if (location->MajorFunction == IRP_MJ_WRITE) text.assign(static_cast<char*>(data), length);
            if (pended) {
                IoMarkIrpPending(irp);
                complete(irp, answer, 10);
                return static_cast<NTSTATUS>(STATUS_PENDING);
            }
            return complete(irp, answer, 10);
        };
        for (const unsigned major : {IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_FLUSH_BUFFERS}) behaviour[major] = serve;
        load("below", [this, flags](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\Below", behaviour, flags, &device);
        });
    }
    void in_kernel(const std::function<void()>& body) {
        const Outcome outcome = machine.run_in_kernel(body);
        INFO(outcome.report);
        CHECK(outcome.finished());
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    NTSTATUS answer = STATUS_SUCCESS;
    bool pended = false;
    KPROCESSOR_MODE mode = UserMode;
    bool thread_right = false;
    LONGLONG offset = 0;
    ULONG length = 0;
    std::string text;
};

} // namespace dirql::test
