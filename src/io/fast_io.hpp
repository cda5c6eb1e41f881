// Fast I/O: routines by which a driver may answer at once, in the caller's thread, without an IRP.
#pragma once

#include "ke/callout.hpp"

#include <ntifs.h>

namespace dirql::io {

// The device's driver's routine of this kind, or null. `Member`: a pointer to member of FAST_IO_DISPATCH.
template <auto Member> [[nodiscard]] auto fast_routine_of(PDEVICE_OBJECT device) noexcept {
    const FAST_IO_DISPATCH* fast = device->DriverObject->FastIoDispatch;
    using Routine = std::remove_cvref_t<decltype(fast->*Member)>;
    if (fast == nullptr) return Routine{nullptr};
    const auto end = reinterpret_cast<std::uintptr_t>(&(fast->*Member) + 1) - reinterpret_cast<std::uintptr_t>(fast);
    return fast->SizeOfFastIoDispatch >= end ? fast->*Member : Routine{nullptr};
}

template <class Routine, class... Arguments>
[[nodiscard]] bool call_fast_io(PDEVICE_OBJECT device, Routine routine, Arguments... arguments) noexcept {
    return ke::callout({ke::CalloutKind::fast_io, reinterpret_cast<const void*>(routine), device}, routine,
                       arguments...) != FALSE;
}

} // namespace dirql::io
