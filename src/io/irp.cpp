#include "io/irp.hpp"

#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "ex/pool_quota.hpp"
#include "io/call_driver.hpp"
#include "io/state.hpp"
#include "ke/exports/io.hpp"
#include "ke/stop.hpp"

#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG irp_tag = 'prI ';
constexpr CCHAR small_stack = 1; // the two sizes that are kept in lists, by stack locations
constexpr CCHAR large_stack = 8;

constexpr std::size_t irp_size(CCHAR stack_size) noexcept {
    return sizeof(IRP) + static_cast<std::size_t>(stack_size) * sizeof(IO_STACK_LOCATION);
}

IrpList* list_for(CCHAR stack_size) noexcept {
    if (stack_size > large_stack) return nullptr;
    ProcessorLists& lists = processor_lists(ke::current_processor());
    return stack_size <= small_stack ? &lists.small : &lists.large;
}

IrpPrefix* take_from(IrpList& list) noexcept {
    IrpPrefix* prefix = list.first;
    if (prefix == nullptr) return nullptr;
    list.first = reinterpret_cast<IrpPrefix*>(prefix->frame);
    --list.count;
    return prefix;
}

bool give_to(IrpList& list, IrpPrefix* prefix) noexcept {
    if (list.count == IrpList::capacity) return false;
    prefix->frame = reinterpret_cast<CallFrame*>(list.first);
    list.first = prefix;
    ++list.count;
    return true;
}

void set_up(PIRP irp, std::size_t size, CCHAR stack_size) noexcept {
    std::memset(irp, 0, size);
    irp->Type = IO_TYPE_IRP;
    irp->Size = static_cast<USHORT>(size);
    irp->StackCount = stack_size;
    irp->CurrentLocation = static_cast<CHAR>(stack_size + 1);
    irp->Tail.Overlay.CurrentStackLocation = reinterpret_cast<PIO_STACK_LOCATION>(irp + 1) + stack_size;
}

// Which process is the requester's: the thread's own, or the one that it is attached to.
void set_issuer(PIRP irp) noexcept {
    irp->ApcEnvironment = ke::current_thread()->apc_environment;
    InitializeListHead(&irp->ThreadListEntry);
}

// IRPs for lists are made with room for the most locations that their list serves.
CCHAR room_for(CCHAR stack_size) noexcept {
    if (stack_size > large_stack) return stack_size;
    return stack_size <= small_stack ? small_stack : large_stack;
}

PIRP irp_in(IrpPrefix* prefix, CCHAR stack_size, unsigned allocation_flags) noexcept {
    prefix->frame = nullptr;
    prefix->output_size = 0;
    auto irp = reinterpret_cast<PIRP>(prefix + 1);
    set_up(irp, irp_size(stack_size), stack_size);
    irp->AllocationFlags = static_cast<UCHAR>(allocation::prefixed | allocation_flags);
    DIRQL_TRACE(irp_allocated, .irp = irp);
    return irp;
}

// In none of the lists, so that what its process pays is returned when it is freed.
PIRP allocate_charged_irp(CCHAR stack_size) noexcept {
    NTSTATUS status;
    void* memory = ex::allocate_charged_pool(nullptr, NonPagedPoolNx, sizeof(IrpPrefix) + irp_size(stack_size), irp_tag,
                                             ex::Fill::none, status);
    return memory == nullptr ? nullptr : irp_in(static_cast<IrpPrefix*>(memory), stack_size, allocation::quota);
}

[[gnu::cold, gnu::noinline]] IrpPrefix* new_irp(CCHAR stack_size) noexcept {
    const std::size_t size = sizeof(IrpPrefix) + irp_size(room_for(stack_size));
    return static_cast<IrpPrefix*>(ex::allocate_pool(NonPagedPoolNx, size, irp_tag));
}

} // namespace

PIRP allocate_bare_irp(CCHAR stack_size) noexcept {
    IrpList* list = list_for(stack_size);
    IrpPrefix* prefix = list == nullptr ? nullptr : take_from(*list);
    if (prefix == nullptr) prefix = new_irp(stack_size);
    if (prefix == nullptr) return nullptr;
    return irp_in(prefix, stack_size, list == nullptr ? 0u : allocation::fixed_size | allocation::lookaside);
}

PIRP allocate_irp(CCHAR stack_size) noexcept {
    PIRP irp = allocate_bare_irp(stack_size);
    if (irp != nullptr) set_issuer(irp);
    return irp;
}

PIRP allocate_irp_for(CCHAR stack_size, bool charge_quota) noexcept {
    if (!charge_quota) return allocate_irp(stack_size);
    PIRP irp = allocate_charged_irp(stack_size);
    if (irp != nullptr) set_issuer(irp);
    return irp;
}

void free_irp(PIRP irp) noexcept {
    DIRQL_TRACE(irp_freed, .irp = irp);
    IrpPrefix* prefix = prefix_of(irp);
    if (prefix == nullptr) { // its memory is the driver's
        ex::free_pool(irp, 0);
        return;
    }
    if (prefix->frame != nullptr) [[unlikely]]
        note_freed(*prefix);
    irp->AllocationFlags |= allocation::freed;
    irp->CurrentLocation = static_cast<CHAR>(irp->StackCount + 2); // completing it again is seen
    IrpList* list = (irp->AllocationFlags & allocation::fixed_size) != 0 ? list_for(irp->StackCount) : nullptr;
    if (list == nullptr || !give_to(*list, prefix)) ex::free_pool(prefix, 0);
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

namespace {

constexpr const char* free_document = "IoFreeIrp function (wdm.h)";

void check_may_free(PIRP irp) noexcept {
    if (irp->Type != IO_TYPE_IRP) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x01, ke::parameter(irp), 0, 0,
                      {.rule = "IoFreeIrp was given something that is not an IRP", .document = free_document});
    }
    if (!IsListEmpty(&irp->ThreadListEntry)) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x02, ke::parameter(irp), 0, 0,
                      {.rule = "IoFreeIrp was given an IRP that is still queued to its thread",
                       .document = free_document,
                       .irp = irp});
    }
    if ((irp->AllocationFlags & allocation::freed) != 0) {
        ke::bug_check(MULTIPLE_IRP_COMPLETE_REQUESTS, ke::parameter(irp), 0, 0, 0,
                      {.rule = "an IRP was freed twice", .document = free_document, .irp = irp});
    }
}

void check_may_set_up(PIRP irp, const void* caller) noexcept {
    if (IsListEmpty(&irp->ThreadListEntry)) return;
    ke::bug_check(
        DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x311, reinterpret_cast<std::uint64_t>(caller), ke::parameter(irp), 0,
        {.rule = "an IRP was initialised anew that is queued to its thread, as those of IoBuildSynchronousFsdRequest "
                 "and IoBuildDeviceIoControlRequest are",
         .document = "IoReuseIrp function (wdm.h)",
         .irp = irp});
}

bool from_allocate_irp(PIRP irp) noexcept {
    const ex::PoolBlock block = ex::find_pool_block(irp);
    return block.data == reinterpret_cast<std::byte*>(irp) - sizeof(IrpPrefix) && block.tag == irp_tag;
}

} // namespace

extern "C" {

PIRP NTAPI IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota) {
    DIRQL_DOOR(IoAllocateIrp);
    return allocate_irp_for(StackSize, ChargeQuota != FALSE);
}

VOID NTAPI IoFreeIrp(PIRP Irp) {
    DIRQL_DOOR(IoFreeIrp);
    check_may_free(Irp);
    free_irp(Irp);
}

// The memory is the driver's own, or an IRP of IoAllocateIrp that it may use anew: what that one's allocation decided stays.
VOID NTAPI IoInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize) {
    DIRQL_DOOR(IoInitializeIrp);
    const bool ours = from_allocate_irp(Irp);
    if (ours) check_may_set_up(Irp, __builtin_return_address(0));
    const UCHAR flags = ours ? Irp->AllocationFlags : UCHAR{0};
    set_up(Irp, PacketSize, StackSize);
    set_issuer(Irp);
    Irp->AllocationFlags = flags;
    DIRQL_TRACE(irp_initialized, .irp = Irp);
}

// As new, with this status; what its allocation decided stays.
VOID NTAPI IoReuseIrp(PIRP Irp, NTSTATUS Status) {
    DIRQL_DOOR(IoReuseIrp);
    check_may_set_up(Irp, __builtin_return_address(0));
    const UCHAR flags = Irp->AllocationFlags;
    set_up(Irp, Irp->Size, Irp->StackCount);
    set_issuer(Irp);
    Irp->AllocationFlags = flags;
    Irp->IoStatus.Status = Status;
    DIRQL_TRACE(irp_reused, .irp = Irp);
}
}
