// Addresses: the limits of the halves, and what lies behind an address.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/pageable.hpp"
#include "ke/user_copy.hpp"
#include "ke/user_memory.hpp"
#include "mm/region.hpp"
#include "mm/state.hpp"

#include <algorithm>

using namespace dirql;

namespace dirql::mm {

bool initialize(ke::Machine& machine) noexcept {
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::mm)] = state;
    state->slot = machine.slot;
    machine.hooks.user_fault = user_fault;
    for (LIST_ENTRY* list :
         {&state->contiguous, &state->system_views, &state->reserved, &state->sections, &state->protected_})
        InitializeListHead(list);
    return true;
}

} // namespace dirql::mm

namespace {

std::size_t physical_bytes(const ke::Slot& slot) noexcept { return slot.physical_pages() * ke::page_size; }

// Paged pool that a touch would have to bring in.
bool is_paged_out(const void* address) noexcept {
    const ke::Machine& machine = ke::current_machine();
    if (!ke::is_pageable(machine, address)) return false;
    const ke::Pfn frame = machine.slot->frame_of(address);
    return (machine.pageable.resident[frame / 64] >> (frame % 64) & 1) == 0;
}

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

namespace dirql::mm {
namespace {

constexpr std::size_t longest_routine_name = 128;

LOGICAL is_driver_code(const void* address) noexcept {
    return ke::find_code_range(ke::current_machine(), reinterpret_cast<std::uintptr_t>(address)) != nullptr;
}

// One range, and the empty one that ends the list. The caller frees the block.
PPHYSICAL_MEMORY_RANGE physical_ranges() noexcept {
    auto* ranges = static_cast<PPHYSICAL_MEMORY_RANGE>(
        ex::allocate_pool(NonPagedPoolNx, 2 * sizeof(PHYSICAL_MEMORY_RANGE), ex::pool_tag("MmPh"), ex::Fill::zero));
    if (ranges != nullptr)
        ranges[0].NumberOfBytes.QuadPart = static_cast<LONGLONG>(physical_bytes(*ke::current_machine().slot));
    return ranges;
}

} // namespace
} // namespace dirql::mm

extern "C" {

// The same in every machine of the process, for ke::halves() is.
PVOID MmHighestUserAddress = reinterpret_cast<PVOID>(ke::user_probe_address() - 1);
PVOID MmSystemRangeStart = reinterpret_cast<PVOID>(ke::halves().system);
ULONG_PTR MmUserProbeAddress = ke::user_probe_address();
// An address that is mapped in no machine: in the gap between the halves.
PVOID MmBadPointer = reinterpret_cast<PVOID>(ke::user_probe_address());

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
    // A touch would use the guard up, or page the page in: the question changes nothing.
    if (mm::is_guard_page(VirtualAddress) || is_paged_out(VirtualAddress)) return FALSE;
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

BOOLEAN NTAPI MmIsNonPagedSystemAddressValid(PVOID VirtualAddress) {
    DIRQL_DOOR(MmIsNonPagedSystemAddressValid);
    return VirtualAddress >= MmSystemRangeStart && !ke::is_pageable(ke::current_machine(), VirtualAddress) &&
           ke::touch_guarded(VirtualAddress, false);
}

// Every driver is verified here: the rules of Driver Verifier are on.
LOGICAL NTAPI MmIsDriverVerifyingByAddress(PVOID AddressWithinSection) {
    DIRQL_DOOR(MmIsDriverVerifyingByAddress);
    return mm::is_driver_code(AddressWithinSection);
}

LOGICAL NTAPI MmIsDriverVerifying(PDRIVER_OBJECT DriverObject) {
    DIRQL_DOOR(MmIsDriverVerifying);
    return mm::is_driver_code(reinterpret_cast<const void*>(DriverObject->DriverInit));
}

LOGICAL NTAPI MmIsDriverSuspectForVerifier(PDRIVER_OBJECT DriverObject) {
    DIRQL_DOOR(MmIsDriverSuspectForVerifier);
    return mm::is_driver_code(reinterpret_cast<const void*>(DriverObject->DriverInit));
}

PPHYSICAL_MEMORY_RANGE NTAPI MmGetPhysicalMemoryRanges(VOID) {
    DIRQL_DOOR(MmGetPhysicalMemoryRanges);
    return mm::physical_ranges();
}

// Of the system's partition, which is the only one.
PPHYSICAL_MEMORY_RANGE NTAPI MmGetPhysicalMemoryRangesEx(PVOID PartitionObject) {
    DIRQL_DOOR(MmGetPhysicalMemoryRangesEx);
    return PartitionObject != nullptr ? nullptr : mm::physical_ranges();
}

PPHYSICAL_MEMORY_RANGE NTAPI MmGetPhysicalMemoryRangesEx2(PVOID PartitionObject, ULONG Flags) {
    DIRQL_DOOR(MmGetPhysicalMemoryRangesEx2);
    UNREFERENCED_PARAMETER(Flags); // no memory belongs to a file alone
    return PartitionObject != nullptr ? nullptr : mm::physical_ranges();
}

// Names are those of the kernel and the HAL, told from each other by case.
PVOID NTAPI MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName) {
    DIRQL_DOOR(MmGetSystemRoutineAddress);
    char name[mm::longest_routine_name];
    const std::size_t length = SystemRoutineName->Length / sizeof(WCHAR);
    if (length > sizeof name) return nullptr;
    for (std::size_t i = 0; i < length; ++i) {
        const WCHAR character = SystemRoutineName->Buffer[i];
        if (character > 0x7E) return nullptr;
        name[i] = static_cast<char>(character);
    }
    const auto find = ke::current_machine().hooks.system_routine;
    return find == nullptr ? nullptr : find({name, length});
}
}
