// Pageable sections of drivers' images.
//
// No section of an image is ever out, for the compilers' objects do not tell pageable functions from others. What can be
// observed is kept all the same: the handles, and the balance of locks and unlocks.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "mm/state.hpp"

namespace dirql::mm {
namespace {

constexpr ULONG section_tag = ex::pool_tag("MmSe");
constexpr const char* lock_document = "MmLockPagableDataSection macro (wdm.h)";
constexpr const char* unlock_document = "MmUnlockPagableImageSection function (wdm.h)";

// The section handle that drivers get. An image has one, and so has what belongs to none.
struct ImageSection {
    LIST_ENTRY entry; // State::sections
    std::uintptr_t base;
    std::size_t locks;
};

std::uintptr_t base_of(const void* address) noexcept {
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    const ke::CodeRange* image = ke::find_code_range(ke::current_machine(), where);
    return image != nullptr ? image->begin : where & ~(ke::page_size - 1);
}

template <class Matches> ImageSection* find(Matches matches) noexcept {
    LIST_ENTRY& list = current_state().sections;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* section = CONTAINING_RECORD(e, ImageSection, entry);
        if (matches(*section)) return section;
    }
    return nullptr;
}

ImageSection* section_at(const void* address) noexcept {
    const std::uintptr_t base = base_of(address);
    ImageSection* section = find([&](const ImageSection& s) { return s.base == base; });
    if (section != nullptr) return section;
    const ke::Choice::NoFailures known_since_load(ke::current_machine().choice); // there is no failure to return
    section = static_cast<ImageSection*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(ImageSection), section_tag, ex::Fill::zero));
    if (section == nullptr) ke::bug_check(MEMORY_MANAGEMENT, 0x1234, ke::parameter(address), 0, 0);
    section->base = base;
    InsertTailList(&current_state().sections, &section->entry);
    return section;
}

ImageSection& section_of(const void* handle, const char* document) noexcept {
    ImageSection* section = find([&](const ImageSection& s) { return &s == handle; });
    if (section != nullptr) return *section;
    ke::bug_check(MEMORY_MANAGEMENT, 0x1234, ke::parameter(handle), 0, 0,
                  {.rule = "a handle was given that is no pageable section's", .document = document});
}

} // namespace
} // namespace dirql::mm

using namespace dirql;

extern "C" {

PVOID NTAPI MmLockPagableDataSection(PVOID AddressWithinSection) {
    DIRQL_DOOR(MmLockPagableDataSection);
    mm::ImageSection* section = mm::section_at(AddressWithinSection);
    ++section->locks;
    return section;
}

VOID NTAPI MmLockPagableSectionByHandle(PVOID ImageSectionHandle) {
    DIRQL_DOOR(MmLockPagableSectionByHandle);
    ++mm::section_of(ImageSectionHandle, mm::lock_document).locks;
}

VOID NTAPI MmUnlockPagableImageSection(PVOID ImageSectionHandle) {
    DIRQL_DOOR(MmUnlockPagableImageSection);
    mm::ImageSection& section = mm::section_of(ImageSectionHandle, mm::unlock_document);
    if (section.locks == 0) {
        ke::bug_check(
            MEMORY_MANAGEMENT, 0x1010, ke::parameter(ImageSectionHandle), 0, 0,
            {.rule = "a pageable section was unlocked more often than it was locked", .document = mm::unlock_document});
    }
    --section.locks;
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
