// Each allocation that a function of memory management makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("MDLs and contiguous memory, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        void* pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100'000, low_tag);
        if (!memory.got(pool)) return;
        PMDL mdl = IoAllocateMdl(pool, 100'000, FALSE, FALSE, nullptr);
        if (memory.got(mdl)) {
            MmBuildMdlForNonPagedPool(mdl);
            PMDL part = IoAllocateMdl(static_cast<char*>(pool) + 5000, 20'000, FALSE, FALSE, nullptr);
            if (memory.got(part)) {
                IoBuildPartialMdl(mdl, part, static_cast<char*>(pool) + 5000, 20'000);
                (void)memory.got(MmGetSystemAddressForMdlSafe(part, NormalPagePriority | MdlMappingNoWrite));
                IoFreeMdl(part);
            }
            IoFreeMdl(mdl);
        }
        ExFreePool(pool);
        PHYSICAL_ADDRESS anywhere;
        anywhere.QuadPart = -1;
        void* contiguous = MmAllocateContiguousMemory(3 * PAGE_SIZE, anywhere);
        if (memory.got(contiguous)) MmFreeContiguousMemory(contiguous);
        void* uncached = MmAllocateNonCachedMemory(100);
        if (memory.got(uncached)) MmFreeNonCachedMemory(uncached, 100);
    });
    CHECK(made >= 5);
}

namespace {

void map_pages(const LowMemory& memory, PMDL mdl) {
    void* view = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE, NormalPagePriority);
    if (memory.got(view)) {
        (void)memory.ok(MmProtectMdlSystemAddress(mdl, PAGE_READONLY));
        MmUnmapLockedPages(view, mdl);
    }
    view = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE, // no longer the pages' own address
                                        NormalPagePriority | MdlMappingNoWrite);
    if (memory.got(view)) MmUnmapLockedPages(view, mdl);
    void* reserved = MmAllocateMappingAddress(8 * PAGE_SIZE, low_tag);
    if (!memory.got(reserved)) return;
    view = MmMapLockedPagesWithReservedMapping(reserved, low_tag, mdl, MmCached);
    if (memory.got(view)) MmUnmapReservedMapping(reserved, low_tag, mdl);
    MmFreeMappingAddress(reserved, low_tag);
}

} // namespace

TEST_CASE("pages for MDLs and their mappings, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        PHYSICAL_ADDRESS low{}, high, skip{};
        high.QuadPart = -1;
        PMDL mdl = MmAllocatePagesForMdl(low, high, skip, 3 * PAGE_SIZE);
        if (memory.got(mdl)) {
            map_pages(memory, mdl);
            MmFreePagesFromMdl(mdl);
            ExFreePool(mdl);
        }
        mdl = MmAllocatePagesForMdlEx(low, high, skip, 3 * PAGE_SIZE, MmCached, MM_ALLOCATE_FULLY_REQUIRED);
        if (memory.got(mdl)) {
            MmFreePagesFromMdl(mdl);
            ExFreePool(mdl);
        }
        mdl = MmAllocateNodePagesForMdlEx(low, high, skip, PAGE_SIZE, MmCached, 0, 0);
        if (memory.got(mdl)) {
            MmFreePagesFromMdl(mdl);
            ExFreePool(mdl);
        }
        mdl = MmCreateMdl(nullptr, &low, 100);
        if (memory.got(mdl)) IoFreeMdl(mdl);
        PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRanges();
        if (memory.got(ranges)) ExFreePool(ranges);
        void* blocks[] = {MmAllocateContiguousMemorySpecifyCache(PAGE_SIZE, low, high, low, MmCached),
                          MmAllocateContiguousNodeMemory(PAGE_SIZE, low, high, low, PAGE_READWRITE, 0)};
        for (void* block : blocks) {
            if (memory.got(block)) MmFreeContiguousMemory(block);
        }
    });
    CHECK(made >= 12);
}

TEST_CASE("sections and virtual memory, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_service(), [](const LowMemory& memory) {
        OBJECT_ATTRIBUTES attributes = named(nullptr);
        const auto no_pages = {STATUS_INSUFFICIENT_RESOURCES, STATUS_COMMITMENT_LIMIT};
        LARGE_INTEGER size{.QuadPart = 0x20000};
        HANDLE section = nullptr;
        if (memory.ok(
                ZwCreateSection(&section, SECTION_ALL_ACCESS, &attributes, &size, PAGE_READWRITE, SEC_COMMIT, nullptr),
                no_pages)) {
            PVOID view = nullptr;
            SIZE_T bytes = 0;
            if (memory.ok(ZwMapViewOfSection(section, NtCurrentProcess(), &view, 0, 0, nullptr, &bytes, ViewUnmap, 0,
                                             PAGE_READWRITE),
                          no_pages))
                CHECK(ZwUnmapViewOfSection(NtCurrentProcess(), view) == STATUS_SUCCESS);
            PVOID object = nullptr;
            CHECK(ObReferenceObjectByHandle(section, 0, nullptr, KernelMode, &object, nullptr) == STATUS_SUCCESS);
            view = nullptr;
            bytes = 0;
            if (memory.ok(MmMapViewInSystemSpace(object, &view, &bytes),
                          {STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY}))
                CHECK(MmUnmapViewInSystemSpace(view) == STATUS_SUCCESS);
            ObDereferenceObject(object);
            ZwClose(section);
        }
        PVOID base = nullptr;
        SIZE_T bytes = 3 * PAGE_SIZE;
        if (!memory.ok(
                ZwAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
                no_pages))
            return;
        ULONG old = 0;
        SIZE_T part = PAGE_SIZE;
        PVOID second = static_cast<char*>(base) + PAGE_SIZE;
        (void)memory.ok(ZwProtectVirtualMemory(NtCurrentProcess(), &second, &part, PAGE_READONLY, &old));
        HANDLE secured = MmSecureVirtualMemory(base, PAGE_SIZE, PAGE_READWRITE);
        if (memory.got(secured)) MmUnsecureVirtualMemory(secured);
        PMDL mdl = IoAllocateMdl(base, PAGE_SIZE, FALSE, FALSE, nullptr);
        if (memory.got(mdl)) {
            if (memory.ok(raised_by([&] { MmProbeAndLockPages(mdl, UserMode, IoWriteAccess); }))) {
                PVOID mapped = nullptr;
                const NTSTATUS raised = raised_by([&] {
                    mapped = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, nullptr, FALSE, NormalPagePriority);
                });
                if (memory.ok(raised)) MmUnmapLockedPages(mapped, mdl);
                MmUnlockPages(mdl);
            }
            IoFreeMdl(mdl);
        }
        bytes = 0;
        CHECK(ZwFreeVirtualMemory(NtCurrentProcess(), &base, &bytes, MEM_RELEASE) == STATUS_SUCCESS);
    });
    CHECK(made >= 8);
}

// A handle to a section of an image is had at once, whatever memory there is.
TEST_CASE("pageable sections, each allocation failing once", "[low]") {
    (void)for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static char data[8];
        PVOID handle = MmLockPagableDataSection(data);
        CHECK(memory.got(handle));
        MmUnlockPagableImageSection(handle);
    });
}
