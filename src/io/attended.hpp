// Requests whose end asks for more than a status block and an event: an APC routine, a packet to a completion port, a buffer of
// the service's own to free, or no signal to the file. They are marked when they are made, so that the end of all others
// asks no question: an attended request always has a UserEvent, its file's own event where the caller gave none.
#pragma once

#include "io/irp.hpp"
#include "ob/object.hpp"

#include <ntifs.h>

namespace dirql::io {

inline void mark_attended(PIRP irp, PFILE_OBJECT file) noexcept {
    if ((irp->AllocationFlags & allocation::attended) == 0) prefix_of(irp)->auxiliary = nullptr;
    irp->AllocationFlags |= allocation::attended;
    if (irp->UserEvent == nullptr) irp->UserEvent = &file->Event;
}
[[nodiscard]] inline bool is_attended(PIRP irp) noexcept { return (irp->AllocationFlags & allocation::attended) != 0; }

// Mostly nobody waits: a synchronous file's issuer is still in its service.
inline void signal_file(PFILE_OBJECT file, NTSTATUS status) noexcept {
    file->FinalStatus = status;
    DISPATCHER_HEADER& event = file->Event.Header;
    if (IsListEmpty(&event.WaitListHead)) {
        event.SignalState = 1;
    } else {
        KeSetEvent(&file->Event, 0, FALSE);
    }
}

void free_auxiliary_buffer(PIRP irp) noexcept;

// The end of one that its issuer hears of: the status block is written. True: the request is done with, and the IRP is another's.
[[nodiscard, gnu::cold, gnu::noinline]] bool finish_attended(PIRP irp, PFILE_OBJECT file) noexcept;

// The end of one that has a UserEvent and whose issuer hears nothing: what it holds is given back.
inline void release_event(PIRP irp, PFILE_OBJECT file) noexcept {
    if (is_attended(irp)) free_auxiliary_buffer(irp);
    if ((irp->Flags & IRP_SYNCHRONOUS_API) == 0 && irp->UserEvent != &file->Event) ob::dereference(irp->UserEvent);
}

} // namespace dirql::io
