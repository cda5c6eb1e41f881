// Locking: the pages behind a buffer, found and held.
//
// Nothing is ever paged out, so a lock is what an MDL's flags say, and a count per process, which must be zero at its
// end.
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "mm/probe.hpp"

namespace dirql::mm {
namespace {

constexpr const char* lock_document = "MmProbeAndLockPages function (wdm.h)";
constexpr const char* unlock_document = "MmUnlockPages function (wdm.h)";
constexpr unsigned not_to_be_locked =
    MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE;

void check_lock(const MDL* mdl, KPROCESSOR_MODE mode) noexcept {
    const KIRQL irql = ke::current_processor()->irql;
    const bool pageable = in_user_range(virtual_address(mdl), mdl->ByteCount);
    if (irql > (pageable ? APC_LEVEL : DISPATCH_LEVEL)) [[unlikely]] {
        detail::bad_irql(0x70, ke::parameter(mdl), static_cast<std::uint8_t>(mode),
                         pageable ? "pages of the user half were locked above APC_LEVEL"
                                  : "pages were locked above DISPATCH_LEVEL",
                         lock_document);
    }
    const unsigned wrong = static_cast<std::uint16_t>(mdl->MdlFlags) & not_to_be_locked;
    if (wrong != 0) [[unlikely]] {
        detail::bad_mdl(0xB0, mdl, wrong,
                        "the pages of an MDL were locked that is locked, mapped or built from pages that need no lock",
                        lock_document);
    }
}

void check_unlock(const MDL* mdl) noexcept {
    const unsigned flags = static_cast<std::uint16_t>(mdl->MdlFlags);
    if (ke::current_processor()->irql > DISPATCH_LEVEL) [[unlikely]] {
        detail::bad_irql(0x78, ke::parameter(mdl), 0, "pages were unlocked above DISPATCH_LEVEL", unlock_document);
    }
    if ((flags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL)) == MDL_PAGES_LOCKED) [[likely]]
        return;
    if ((flags & MDL_SOURCE_IS_NONPAGED_POOL) != 0)
        detail::bad_mdl(0x7D, mdl, 0, "pages of nonpaged pool were unlocked", unlock_document);
    if ((flags & MDL_PARTIAL) != 0)
        detail::bad_mdl(0xB4, mdl, MDL_PARTIAL, "the pages of a partial MDL were unlocked", unlock_document);
    detail::bad_mdl(0x7C, mdl, 0, "the pages of an MDL were unlocked that are not locked", unlock_document);
}

// Finds the frames, and sees that the pages allow the operation. False when one does not.
bool find_frames(PMDL mdl, bool write) noexcept {
    const ke::Slot& slot = *ke::current_machine().slot;
    auto* page = static_cast<std::byte*>(mdl->StartVa);
    PFN_NUMBER* frame = frames(mdl);
    for (std::size_t left = page_count(mdl); left != 0; --left, page += ke::page_size, ++frame) {
        const ke::Pfn found = slot.frame_of(page);
        if (found == ke::no_frame || !ke::touch_guarded(page, write)) return false;
        *frame = found;
    }
    return true;
}

} // namespace

NTSTATUS lock_pages(PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation) noexcept {
    check_lock(mdl, mode);
    const bool write = operation != IoReadAccess;
    if (mode != KernelMode && !in_user_range(virtual_address(mdl), mdl->ByteCount)) return STATUS_ACCESS_VIOLATION;
    if (!find_frames(mdl, write)) return STATUS_ACCESS_VIOLATION;
    Arena* arena = arena_at(mdl->StartVa);
    mdl->Process = arena == nullptr ? nullptr : reinterpret_cast<PKPROCESS>(arena->process);
    if (arena != nullptr) arena->locked_pages += page_count(mdl);
    mdl->MdlFlags = static_cast<CSHORT>((mdl->MdlFlags & ~MDL_WRITE_OPERATION) | MDL_PAGES_LOCKED |
                                        (write ? MDL_WRITE_OPERATION : 0));
    return STATUS_SUCCESS;
}

void unlock_pages(PMDL mdl) noexcept {
    check_unlock(mdl);
    if ((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0) unmap_pages(mdl->MappedSystemVa, mdl);
    if (mdl->Process != nullptr) {
        Arena* arena = arena_of(*reinterpret_cast<ke::Process*>(mdl->Process));
        if (arena != nullptr && arena->locked_pages < page_count(mdl)) {
            ke::bug_check(PROCESS_HAS_LOCKED_PAGES, 1, ke::parameter(mdl), arena->locked_pages, 0,
                          {.rule = "a driver unlocked more pages of a process than are locked",
                           .document = "Bug Check 0x76: PROCESS_HAS_LOCKED_PAGES"});
        }
        if (arena != nullptr) arena->locked_pages -= page_count(mdl);
    }
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags & ~MDL_PAGES_LOCKED);
}

} // namespace dirql::mm

using namespace dirql;

extern "C" {

VOID NTAPI MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation) {
    DIRQL_DOOR(MmProbeAndLockPages);
    const NTSTATUS status = mm::lock_pages(MemoryDescriptorList, AccessMode, Operation);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
}

VOID NTAPI MmUnlockPages(PMDL MemoryDescriptorList) {
    DIRQL_DOOR(MmUnlockPages);
    mm::unlock_pages(MemoryDescriptorList);
}
}
