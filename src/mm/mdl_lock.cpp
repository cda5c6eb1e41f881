// Locking: the pages behind a buffer, found and held.
//
// A lock is what an MDL's flags say, a count per process, which must be zero at its end, and a count per frame, while which
// nobody else gets the frame and, when it is of paged pool, it stays accessible.
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/pageable.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "mm/state.hpp"

namespace dirql::mm {
namespace {

constexpr const char* lock_document = "MmProbeAndLockPages function (wdm.h)";
constexpr const char* unlock_document = "MmUnlockPages function (wdm.h)";
constexpr unsigned not_to_be_locked =
    MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE;

void check_lock(const MDL* mdl, KPROCESSOR_MODE mode) noexcept {
    const KIRQL irql = ke::current_processor()->irql;
    const bool pageable = ke::in_user_range(virtual_address(mdl), mdl->ByteCount);
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

// Paged pool that cannot be touched has been trimmed, and at DISPATCH_LEVEL nothing brings it in: no status tells of that.
void check_resident(const void* page, bool write) noexcept {
    const KIRQL irql = ke::current_processor()->irql;
    if (irql < DISPATCH_LEVEL || !ke::is_pageable(ke::current_machine(), page)) return;
    ke::bug_check(
        IRQL_NOT_LESS_OR_EQUAL, ke::parameter(page), irql, write ? 1 : 0,
        reinterpret_cast<std::uint64_t>(&MmProbeAndLockPages),
        {.rule = "paged pool was locked at DISPATCH_LEVEL, where it may be paged out", .document = lock_document});
}

// Finds the frame, and sees that the page allows the operation. False when it does not.
bool find_frame(std::byte* page, bool write, PFN_NUMBER& frame) noexcept {
    if (!ke::touch_guarded(page, write)) {
        check_resident(page, write);
        return false;
    }
    frame = ke::current_machine().slot->frame_of(page);
    return frame != ke::no_frame;
}

bool find_frames(PMDL mdl, bool write) noexcept {
    auto* page = static_cast<std::byte*>(mdl->StartVa);
    PFN_NUMBER* frame = frames(mdl);
    for (std::size_t left = page_count(mdl); left != 0; --left, page += ke::page_size, ++frame) {
        if (!find_frame(page, write, *frame)) return false;
    }
    return true;
}

// The same of pages that lie anywhere, one an element.
bool find_frames(PMDL mdl, const FILE_SEGMENT_ELEMENT* segments, KPROCESSOR_MODE mode, bool write) noexcept {
    for (std::size_t i = 0; i < page_count(mdl); ++i) {
        auto* page = static_cast<std::byte*>(PAGE_ALIGN(segments[i].Buffer));
        if (mode != KernelMode && !ke::in_user_range(page, ke::page_size)) return false;
        if (!find_frame(page, write, frames(mdl)[i])) return false;
    }
    return true;
}

// What a page that could not be locked raises: the touch may have been a guard page's first one.
NTSTATUS why_not(std::uint64_t guards_before) noexcept {
    return current_state().guards_hit != guards_before ? STATUS_GUARD_PAGE_VIOLATION : STATUS_ACCESS_VIOLATION;
}

// A locked frame stays what it is, and paged pool that is locked accessible at any IRQL.
void lock_frames(const MDL* mdl) noexcept {
    ke::Machine& machine = ke::current_machine();
    const std::size_t count = page_count(mdl);
    for (std::size_t i = 0; i < count; ++i) {
        const auto frame = static_cast<ke::Pfn>(frames(mdl)[i]);
        machine.slot->lock_frame(frame);
        ke::keep_paged_in(machine, frame);
    }
}

[[noreturn, gnu::cold]] void not_locked(PFN_NUMBER frame) noexcept {
    constexpr std::uint64_t unlocked_too_often = 7;
    ke::bug_check(PFN_LIST_CORRUPT, unlocked_too_often, frame, 1, 0,
                  {.rule = "a driver unlocked a page more often than it was locked",
                   .document = "Bug Check 0x4E: PFN_LIST_CORRUPT"});
}

void unlock_frames(const MDL* mdl, std::size_t count) noexcept {
    ke::Machine& machine = ke::current_machine();
    for (std::size_t i = 0; i < count; ++i) {
        const PFN_NUMBER frame = frames(mdl)[i];
        if (frame >= machine.slot->physical_pages()) [[unlikely]] {
            detail::bad_frame(mdl, &frames(mdl)[i], frame,
                              "the pages of an MDL were unlocked, and the MDL describes other ones than were locked",
                              unlock_document);
        }
        if (!machine.slot->unlock_frame(static_cast<ke::Pfn>(frame))) [[unlikely]]
            not_locked(frame);
    }
    ke::let_be_trimmed(machine);
}

// The frames are found: `owner` is whose pages they are, null for the kernel's own.
void hold_pages(PMDL mdl, Arena* owner, bool write) noexcept {
    mdl->Process = owner == nullptr ? nullptr : reinterpret_cast<PKPROCESS>(owner->process);
    if (owner != nullptr) owner->locked_pages += page_count(mdl);
    lock_frames(mdl);
    mdl->MdlFlags = static_cast<CSHORT>((mdl->MdlFlags & ~MDL_WRITE_OPERATION) | MDL_PAGES_LOCKED |
                                        (write ? MDL_WRITE_OPERATION : 0));
}

NTSTATUS lock_selected(PMDL mdl, const FILE_SEGMENT_ELEMENT* segments, KPROCESSOR_MODE mode,
                       LOCK_OPERATION operation) noexcept {
    check_lock(mdl, mode);
    const bool write = operation != IoReadAccess;
    if (page_count(mdl) == 0) return STATUS_ACCESS_VIOLATION;
    const std::uint64_t guards = current_state().guards_hit;
    if (!find_frames(mdl, segments, mode, write)) return why_not(guards);
    hold_pages(mdl, arena_at(segments[0].Buffer), write);
    return STATUS_SUCCESS;
}

// As lock_pages, of a buffer in this process.
NTSTATUS lock_process_pages(PMDL mdl, const ke::Process& process, KPROCESSOR_MODE mode,
                            LOCK_OPERATION operation) noexcept {
    const KIRQL irql = ke::current_processor()->irql;
    if (irql > DISPATCH_LEVEL)
        detail::bad_irql(0x71, ke::parameter(mdl), ke::parameter(&process), "pages were locked above DISPATCH_LEVEL",
                         "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION");
    const unsigned wrong = static_cast<std::uint16_t>(mdl->MdlFlags) & not_to_be_locked;
    if (wrong != 0)
        detail::bad_mdl(0xB1, mdl, wrong,
                        "the pages of an MDL were locked that is locked, mapped or built from pages that need no lock",
                        "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION");
    const void* const buffer = virtual_address(mdl);
    if (ke::in_user_range(buffer, mdl->ByteCount) && (process.arena == nullptr || !arena_of(process)->holds(buffer)))
        return STATUS_ACCESS_VIOLATION;
    return lock_pages(mdl, mode, operation);
}

} // namespace

NTSTATUS lock_pages(PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation) noexcept {
    check_lock(mdl, mode);
    const bool write = operation != IoReadAccess;
    if (mode != KernelMode && !ke::in_user_range(virtual_address(mdl), mdl->ByteCount)) return STATUS_ACCESS_VIOLATION;
    const std::uint64_t guards = current_state().guards_hit;
    if (!find_frames(mdl, write)) return why_not(guards);
    hold_pages(mdl, arena_at(mdl->StartVa), write);
    return STATUS_SUCCESS;
}

namespace detail {

void unlock_first(PMDL mdl, std::size_t count) noexcept {
    Arena* arena = mdl->Process == nullptr ? nullptr : arena_of(*reinterpret_cast<ke::Process*>(mdl->Process));
    if (arena != nullptr) {
        if (arena->locked_pages < count) {
            ke::bug_check(PROCESS_HAS_LOCKED_PAGES, 1, ke::parameter(mdl), arena->locked_pages, 0,
                          {.rule = "a driver unlocked more pages of a process than are locked",
                           .document = "Bug Check 0x76: PROCESS_HAS_LOCKED_PAGES"});
        }
        arena->locked_pages -= count;
    }
    unlock_frames(mdl, count);
}

} // namespace detail

void unlock_pages(PMDL mdl) noexcept {
    check_unlock(mdl);
    if ((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0) unmap_pages(mdl->MappedSystemVa, mdl);
    detail::unlock_first(mdl, page_count(mdl));
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

VOID NTAPI MmProbeAndLockSelectedPages(PMDL MemoryDescriptorList, PFILE_SEGMENT_ELEMENT SegmentArray,
                                       KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation) {
    DIRQL_DOOR(MmProbeAndLockSelectedPages);
    const NTSTATUS status = mm::lock_selected(MemoryDescriptorList, SegmentArray, AccessMode, Operation);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
}

VOID NTAPI MmProbeAndLockProcessPages(PMDL MemoryDescriptorList, PEPROCESS Process, KPROCESSOR_MODE AccessMode,
                                      LOCK_OPERATION Operation) {
    DIRQL_DOOR(MmProbeAndLockProcessPages);
    const NTSTATUS status = mm::lock_process_pages(MemoryDescriptorList, *reinterpret_cast<const ke::Process*>(Process),
                                                   AccessMode, Operation);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
}

VOID NTAPI MmUnlockPages(PMDL MemoryDescriptorList) {
    DIRQL_DOOR(MmUnlockPages);
    mm::unlock_pages(MemoryDescriptorList);
}
}
