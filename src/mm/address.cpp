// Addresses: the limits of the halves, and what lies behind an address.
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/user_copy.hpp"
#include "mm/probe.hpp"
#include "mm/state.hpp"

#include <algorithm>

using namespace dirql;

namespace dirql::mm {

bool initialize(ke::Machine& machine) noexcept {
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::mm)] = state;
    state->slot = machine.slot;
    InitializeListHead(&state->contiguous);
    return true;
}

} // namespace dirql::mm

namespace {

std::size_t physical_bytes(const ke::Slot& slot) noexcept { return slot.physical_pages() * ke::page_size; }

// Copies up to the first page of the source that cannot be read. The bytes copied.
std::size_t copy_readable(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    std::size_t done = 0;
    while (done != bytes) {
        const std::size_t in_page = ke::page_size - BYTE_OFFSET(from + done);
        const std::size_t now = std::min(bytes - done, in_page);
        if (!ke::copy_guarded(to + done, from + done, now)) break;
        done += now;
    }
    return done;
}

} // namespace

extern "C" {

// The same in every machine of the process, for ke::halves() is.
PVOID MmHighestUserAddress = reinterpret_cast<PVOID>(mm::user_probe_address() - 1);
PVOID MmSystemRangeStart = reinterpret_cast<PVOID>(ke::halves().system);
ULONG_PTR MmUserProbeAddress = mm::user_probe_address();
// An address that is mapped in no machine: in the gap between the halves.
PVOID MmBadPointer = reinterpret_cast<PVOID>(mm::user_probe_address());

PHYSICAL_ADDRESS NTAPI MmGetPhysicalAddress(PVOID BaseAddress) {
    DIRQL_DOOR(MmGetPhysicalAddress);
    PHYSICAL_ADDRESS physical{};
    const ke::Pfn frame = ke::current_machine().slot->frame_of(BaseAddress);
    if (frame != ke::no_frame)
        physical.QuadPart = static_cast<LONGLONG>(std::uint64_t{frame} << ke::page_shift | BYTE_OFFSET(BaseAddress));
    return physical;
}

PVOID NTAPI MmGetVirtualForPhysical(PHYSICAL_ADDRESS PhysicalAddress) {
    DIRQL_DOOR(MmGetVirtualForPhysical);
    const ke::Slot& slot = *ke::current_machine().slot;
    const auto address = static_cast<std::uint64_t>(PhysicalAddress.QuadPart);
    return address < physical_bytes(slot) ? slot.system_base() + address : nullptr;
}

BOOLEAN NTAPI MmIsAddressValid(PVOID VirtualAddress) {
    DIRQL_DOOR(MmIsAddressValid);
    return ke::touch_guarded(VirtualAddress, false);
}

NTSTATUS NTAPI MmCopyMemory(PVOID TargetAddress, MM_COPY_ADDRESS SourceAddress, SIZE_T NumberOfBytes, ULONG Flags,
                            PSIZE_T NumberOfBytesTransferred) {
    DIRQL_DOOR(MmCopyMemory);
    *NumberOfBytesTransferred = 0;
    const auto* source = static_cast<const std::byte*>(SourceAddress.VirtualAddress);
    if (Flags == MM_COPY_MEMORY_PHYSICAL) {
        const ke::Slot& slot = *ke::current_machine().slot;
        const auto address = static_cast<std::uint64_t>(SourceAddress.PhysicalAddress.QuadPart);
        if (address > physical_bytes(slot) || NumberOfBytes > physical_bytes(slot) - address)
            return STATUS_INVALID_ADDRESS;
        source = slot.system_base() + address;
    } else if (Flags != MM_COPY_MEMORY_VIRTUAL) {
        return STATUS_INVALID_PARAMETER_4;
    }
    *NumberOfBytesTransferred = copy_readable(static_cast<std::byte*>(TargetAddress), source, NumberOfBytes);
    return *NumberOfBytesTransferred == NumberOfBytes ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
}

// Workstation, and no small one.
MM_SYSTEMSIZE NTAPI MmQuerySystemSize(VOID) {
    DIRQL_DOOR(MmQuerySystemSize);
    return MmLargeSystem;
}

BOOLEAN NTAPI MmIsThisAnNtAsSystem(VOID) {
    DIRQL_DOOR(MmIsThisAnNtAsSystem);
    return FALSE;
}

// No code or data of a driver is ever paged out, so there is nothing to lock in or to let go.
PVOID NTAPI MmLockPagableDataSection(PVOID AddressWithinSection) {
    DIRQL_DOOR(MmLockPagableDataSection);
    return AddressWithinSection;
}

VOID NTAPI MmLockPagableSectionByHandle(PVOID ImageSectionHandle) {
    DIRQL_DOOR(MmLockPagableSectionByHandle);
    UNREFERENCED_PARAMETER(ImageSectionHandle);
}

VOID NTAPI MmUnlockPagableImageSection(PVOID ImageSectionHandle) {
    DIRQL_DOOR(MmUnlockPagableImageSection);
    UNREFERENCED_PARAMETER(ImageSectionHandle);
}

PVOID NTAPI MmPageEntireDriver(PVOID AddressWithinSection) {
    DIRQL_DOOR(MmPageEntireDriver);
    const ke::CodeRange* image =
        ke::find_code_range(ke::current_machine(), reinterpret_cast<std::uintptr_t>(AddressWithinSection));
    return image == nullptr ? nullptr : reinterpret_cast<PVOID>(image->begin);
}

VOID NTAPI MmResetDriverPaging(PVOID AddressWithinSection) {
    DIRQL_DOOR(MmResetDriverPaging);
    UNREFERENCED_PARAMETER(AddressWithinSection);
}
}
