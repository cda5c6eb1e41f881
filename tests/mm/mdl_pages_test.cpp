// Pages of an MDL's own, and what is done to MDLs that are there.
#include "catch.hpp"
#include "ke/system_service.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "physical.hpp"
#include "support/kernel_fixture.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

bool all_within(PMDL mdl, std::uint64_t low, std::uint64_t high) {
    const PFN_NUMBER* frame = MmGetMdlPfnArray(mdl);
    return std::all_of(frame, frame + mm::page_count(mdl),
                       [&](PFN_NUMBER pfn) { return pfn << PAGE_SHIFT >= low && (pfn << PAGE_SHIFT) + 0xFFF <= high; });
}

} // namespace

TEST_CASE("pages for an MDL are zeroed, locked, and where they were asked for", "[mdl]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        give_back(pages(0, anywhere, 0, 1)); // the pool has its pages now
        const std::size_t before = kernel.slot().free_page_count();
        PMDL mdl = MmAllocatePagesForMdl(at(0), at(anywhere), at(0), 3 * PAGE_SIZE + 1);
        REQUIRE(mdl != nullptr);
        CHECK(MmGetMdlByteCount(mdl) == 4 * PAGE_SIZE);
        CHECK(MmGetMdlByteOffset(mdl) == 0);
        CHECK((mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)) == MDL_PAGES_LOCKED);
        CHECK(kernel.slot().free_page_count() == before - 4);
        auto* memory = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
        REQUIRE(memory != nullptr);
        CHECK(std::all_of(memory, memory + 4 * PAGE_SIZE, [](std::byte b) { return b == std::byte{0}; }));
        std::memset(memory, 7, 4 * PAGE_SIZE);
        MmFreePagesFromMdl(mdl); // unmaps, too
        CHECK((mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)) == 0);
        CHECK(kernel.slot().free_page_count() == before);
        ExFreePool(mdl);

        mdl = pages(32 * mib, 32 * mib + 4 * PAGE_SIZE - 1, 0, 8 * PAGE_SIZE); // half of it is there
        REQUIRE(mdl != nullptr);
        CHECK(MmGetMdlByteCount(mdl) == 4 * PAGE_SIZE);
        CHECK(all_within(mdl, 32 * mib, 32 * mib + 4 * PAGE_SIZE - 1));
        CHECK(pages(32 * mib, 32 * mib + 4 * PAGE_SIZE - 1, 0, PAGE_SIZE) == nullptr); // none is left
        PMDL next = pages(32 * mib, 32 * mib + 4 * PAGE_SIZE - 1, 16 * mib, 6 * PAGE_SIZE);
        REQUIRE(next != nullptr); // from the two ranges that follow
        CHECK(MmGetMdlByteCount(next) == 6 * PAGE_SIZE);
        CHECK(MmGetMdlPfnArray(next)[0] == 48 * mib >> PAGE_SHIFT);
        CHECK(MmGetMdlPfnArray(next)[4] == 64 * mib >> PAGE_SHIFT);
        give_back(next);
        CHECK(pages(32 * mib, 32 * mib + 4 * PAGE_SIZE - 1, 0, 1, MM_ALLOCATE_FULLY_REQUIRED) == nullptr);
        give_back(mdl);
        mdl = MmAllocateNodePagesForMdlEx(at(0), at(anywhere), at(0), PAGE_SIZE, MmCached, 0, 0);
        REQUIRE(mdl != nullptr);
        CHECK(MmGetMdlByteCount(mdl) == PAGE_SIZE);
        give_back(mdl);
        KeRaiseIrqlToDpcLevel();
        give_back(pages(0, anywhere, 0, 5));
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(kernel.slot().free_page_count() == before);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pages for an MDL in contiguous chunks", "[mdl]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        constexpr ULONG chunks = MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS;
        PMDL one = pages(0, anywhere, 0, 40 * PAGE_SIZE, chunks);
        REQUIRE(one != nullptr);
        for (ULONG i = 1; i < 40; ++i) CHECK(MmGetMdlPfnArray(one)[i] == MmGetMdlPfnArray(one)[0] + i);
        give_back(one);
        PMDL aligned = pages(8 * mib, anywhere, 16 * PAGE_SIZE, 48 * PAGE_SIZE, chunks);
        REQUIRE(aligned != nullptr);
        for (ULONG i = 0; i < 48; ++i) {
            const PFN_NUMBER frame = MmGetMdlPfnArray(aligned)[i];
            CHECK(frame % 16 == i % 16);
            CHECK(frame >= 8 * mib >> PAGE_SHIFT);
        }
        give_back(aligned);
        PMDL large = pages(0, anywhere, 2 * mib, 2 * mib, chunks | MM_ALLOCATE_FAST_LARGE_PAGES);
        REQUIRE(large != nullptr);
        CHECK(MmGetMdlPfnArray(large)[0] % 512 == 0);
        give_back(large);
        CHECK(pages(0, 39 * PAGE_SIZE - 1, 0, 40 * PAGE_SIZE, chunks) == nullptr);  // never a part
        CHECK(pages(0, anywhere, 3 * PAGE_SIZE, 3 * PAGE_SIZE, chunks) == nullptr); // no power of two
        CHECK(pages(0, anywhere, 4 * PAGE_SIZE, 3 * PAGE_SIZE, chunks) == nullptr); // no multiple
        CHECK(pages(0, anywhere, PAGE_SIZE, PAGE_SIZE, chunks | MM_ALLOCATE_FAST_LARGE_PAGES) == nullptr);
        CHECK(pages(0, anywhere, 0, 0) == nullptr);
        CHECK(pages(0, anywhere, 17, PAGE_SIZE) == nullptr);
        CHECK(pages(2, 1, 0, PAGE_SIZE) == nullptr);
        CHECK(pages(0, anywhere, 0, std::size_t{4} << 30) == nullptr);
        CHECK(pages(4ull << 30, anywhere, 0, PAGE_SIZE) == nullptr); // there is no such memory
        CHECK(pages(anywhere - 5, anywhere, 0, PAGE_SIZE, chunks) == nullptr);
        CHECK(pages(0, anywhere, 0, 1, MM_ALLOCATE_AND_HOT_REMOVE | MM_ALLOCATE_FULLY_REQUIRED) == nullptr);
        CHECK(MmAllocatePagesForMdlEx(at(0), at(anywhere), at(0), 1, MmMaximumCacheType, 0) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("all memory for an MDL, and no more", "[mdl]") {
    KernelFixture kernel({}, {.physical_memory = 8 * mib});
    const ke::Stop stop = kernel.run([&] {
        PMDL mdl = pages(0, anywhere, 0, 100 * mib, MM_DONT_ZERO_ALLOCATION);
        REQUIRE(mdl != nullptr);
        CHECK(MmGetMdlByteCount(mdl) < 8 * mib);
        CHECK(MmGetMdlByteCount(mdl) > 4 * mib);
        CHECK(kernel.slot().free_page_count() == 0);
        CHECK(pages(0, anywhere, 0, PAGE_SIZE) == nullptr);
        give_back(mdl);
        CHECK(pages(0, anywhere, 0, 100 * mib, MM_ALLOCATE_FULLY_REQUIRED) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("the beginning of an MDL is advanced", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 4 * PAGE_SIZE));
        for (int i = 0; i < 4 * PAGE_SIZE; ++i) user[i] = static_cast<std::byte>(i / 19);
        for (const bool map : {false, true}) {
            PMDL mdl = IoAllocateMdl(user + 50, 4 * PAGE_SIZE - 50, FALSE, FALSE, nullptr);
            MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
            // A read-only mapping is a view of its own.
            if (map)
                MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE,
                                             NormalPagePriority | MdlMappingNoWrite);
            std::byte* at = user + 50;
            for (const ULONG step : {1u, 4045u, 1u, 5000u, 4000u}) {
                REQUIRE(MmAdvanceMdl(mdl, step) == STATUS_SUCCESS);
                at += step;
                CHECK(MmGetMdlVirtualAddress(mdl) == at);
                CHECK(MmGetMdlByteCount(mdl) == user + 4 * PAGE_SIZE - at);
                CHECK(MmGetMdlByteOffset(mdl) == BYTE_OFFSET(at));
                CHECK(MmGetMdlPfnArray(mdl)[0] == kernel.slot().frame_of(at));
                CHECK(mm::arena_of(process)->locked_pages == mm::page_count(mdl));
                if (map) CHECK(std::memcmp(mdl->MappedSystemVa, at, MmGetMdlByteCount(mdl)) == 0);
            }
            const ULONG left = MmGetMdlByteCount(mdl);
            CHECK(MmAdvanceMdl(mdl, left) == STATUS_INVALID_PARAMETER_2);
            CHECK(MmAdvanceMdl(mdl, ~0u) == STATUS_INVALID_PARAMETER_2);
            CHECK(MmAdvanceMdl(mdl, left - 1) == STATUS_SUCCESS);
            CHECK(MmGetMdlByteCount(mdl) == 1);
            MmUnlockPages(mdl);
            IoFreeMdl(mdl);
            CHECK(mm::arena_of(process)->locked_pages == 0);
        }
        auto* pool = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 100, 1));
        PMDL mdl = MmCreateMdl(nullptr, pool, 100);
        MmBuildMdlForNonPagedPool(mdl);
        CHECK(MmAdvanceMdl(mdl, 30) == STATUS_SUCCESS);
        CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == pool + 30);
        IoFreeMdl(mdl);
        PMDL own = static_cast<PMDL>(ExAllocatePoolWithTag(NonPagedPool, MmSizeOfMdl(pool, 100), 1));
        CHECK(MmCreateMdl(own, pool + 3, 90) == own);
        CHECK(MmGetMdlVirtualAddress(own) == pool + 3);
        CHECK(MmGetMdlByteCount(own) == 90);
        CHECK(MmCreateMdl(nullptr, pool, SIZE_T{1} << 40) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("the mapping of an MDL is protected, and its memory is not", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, PAGE_SIZE));
        {
            std::byte* const buffer = user;
            PMDL mdl = IoAllocateMdl(buffer, 200, FALSE, FALSE, nullptr);
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_READONLY) == STATUS_NOT_MAPPED_VIEW);
            MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
            auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_READONLY) == STATUS_SUCCESS);
            CHECK(ke::touch_guarded(system, false));
            CHECK(!ke::touch_guarded(system, true));
            CHECK(ke::touch_guarded(buffer, true));
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_NOACCESS) == STATUS_SUCCESS);
            CHECK(!ke::touch_guarded(system, false));
            for (const ULONG protect : {PAGE_EXECUTE, PAGE_EXECUTE_READ}) {
                CHECK(MmProtectMdlSystemAddress(mdl, protect) == STATUS_SUCCESS);
                CHECK(!ke::touch_guarded(system, true));
            }
            for (const ULONG protect : {PAGE_READWRITE, PAGE_EXECUTE_READWRITE}) {
                CHECK(MmProtectMdlSystemAddress(mdl, protect) == STATUS_SUCCESS);
                CHECK(ke::touch_guarded(system, true));
            }
            for (const ULONG wrong : {0, PAGE_READWRITE | PAGE_READONLY, PAGE_WRITECOPY, PAGE_READWRITE | PAGE_GUARD,
                                      PAGE_EXECUTE_WRITECOPY, 0x1000})
                CHECK(MmProtectMdlSystemAddress(mdl, wrong) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_NOACCESS) == STATUS_SUCCESS);
            const PFN_NUMBER frame = MmGetMdlPfnArray(mdl)[0];
            MmUnlockPages(mdl);
            CHECK(ke::touch_guarded(kernel.slot().address_of_frame(static_cast<ke::Pfn>(frame)), true));
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_READWRITE) == STATUS_NOT_MAPPED_VIEW);
            IoFreeMdl(mdl);
        }
        { // Advanced, it gives the pages that it passes back as they were, and the others when it is unmapped.
            PMDL mdl = IoAllocateMdl(mm::allocate_user(process, 3 * PAGE_SIZE), 3 * PAGE_SIZE, FALSE, FALSE, nullptr);
            MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
            auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
            REQUIRE(system == kernel.slot().address_of_frame(static_cast<ke::Pfn>(MmGetMdlPfnArray(mdl)[0])));
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_READONLY) == STATUS_SUCCESS);
            CHECK(MmAdvanceMdl(mdl, PAGE_SIZE) == STATUS_SUCCESS);
            CHECK(ke::touch_guarded(system, true));
            CHECK(!ke::touch_guarded(system + PAGE_SIZE, true));
            CHECK(MmProtectMdlSystemAddress(mdl, PAGE_NOACCESS) == STATUS_SUCCESS);
            CHECK(ke::touch_guarded(system, true));
            MmUnlockPages(mdl);
            for (int page = 0; page < 3; ++page) CHECK(ke::touch_guarded(system + page * PAGE_SIZE, true));
            IoFreeMdl(mdl);
        }
        // A kernel buffer is mapped at its own address.
        PMDL pool = IoAllocateMdl(ExAllocatePoolWithTag(NonPagedPool, 200, 1), 200, FALSE, FALSE, nullptr);
        MmProbeAndLockPages(pool, KernelMode, IoModifyAccess);
        CHECK(MmGetSystemAddressForMdlSafe(pool, NormalPagePriority) != nullptr);
        CHECK(MmProtectMdlSystemAddress(pool, PAGE_READONLY) == STATUS_NOT_MAPPED_VIEW);
        MmUnlockPages(pool);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pages are locked that lie anywhere, or in another process", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::Process& other = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 4 * PAGE_SIZE));
        FILE_SEGMENT_ELEMENT segments[3] = {};
        for (int i = 0; i < 3; ++i) segments[i].Buffer = user + (3 - i) * PAGE_SIZE;
        PMDL mdl = IoAllocateMdl(nullptr, 3 * PAGE_SIZE, FALSE, FALSE, nullptr);
        const auto selected = [&](KPROCESSOR_MODE mode, LOCK_OPERATION operation) {
            return status_raised_by([&] { MmProbeAndLockSelectedPages(mdl, segments, mode, operation); });
        };
        REQUIRE(selected(UserMode, IoWriteAccess) == STATUS_SUCCESS);
        for (int i = 0; i < 3; ++i) user[i * PAGE_SIZE + PAGE_SIZE] = static_cast<std::byte>(40 + i);
        auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
        for (int i = 0; i < 3; ++i) CHECK(system[i * PAGE_SIZE] == static_cast<std::byte>(42 - i));
        CHECK(mm::arena_of(process)->locked_pages == 3);
        MmUnlockPages(mdl);
        CHECK(mm::arena_of(process)->locked_pages == 0);
        segments[1].Buffer = MmSystemRangeStart;
        CHECK(selected(UserMode, IoReadAccess) == STATUS_ACCESS_VIOLATION);
        segments[1].Buffer = MmBadPointer;
        CHECK(selected(KernelMode, IoReadAccess) == STATUS_ACCESS_VIOLATION);
        CHECK((mdl->MdlFlags & MDL_PAGES_LOCKED) == 0);
        IoFreeMdl(mdl);

        mdl = IoAllocateMdl(user, 100, FALSE, FALSE, nullptr);
        const auto in = [&](ke::Process& where) {
            return status_raised_by(
                [&] { MmProbeAndLockProcessPages(mdl, reinterpret_cast<PEPROCESS>(&where), UserMode, IoReadAccess); });
        };
        CHECK(in(other) == STATUS_ACCESS_VIOLATION);
        CHECK(in(process) == STATUS_SUCCESS);
        CHECK(mm::arena_of(process)->locked_pages == 1);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("an MDL of I/O space describes what is no memory", "[mdl]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        const std::uint64_t beyond = kernel.slot().physical_pages() * PAGE_SIZE;
        MM_PHYSICAL_ADDRESS_LIST list[2] = {{at(beyond + 16 * mib), 2 * PAGE_SIZE}, {at(beyond), PAGE_SIZE}};
        PMDL mdl = nullptr;
        REQUIRE(MmAllocateMdlForIoSpace(list, 2, &mdl) == STATUS_SUCCESS);
        CHECK(MmGetMdlByteCount(mdl) == 3 * PAGE_SIZE);
        CHECK((mdl->MdlFlags & MDL_IO_SPACE) != 0);
        CHECK(MmGetMdlPfnArray(mdl)[1] == ((beyond + 16 * mib) >> PAGE_SHIFT) + 1);
        CHECK(MmGetMdlPfnArray(mdl)[2] == beyond >> PAGE_SHIFT);
        CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == nullptr);
        IoFreeMdl(mdl);
        const MM_PHYSICAL_ADDRESS_LIST wrong[] = {{at(beyond + 1), PAGE_SIZE},
                                                  {at(beyond), 100},
                                                  {at(beyond), 0},
                                                  {at(beyond - PAGE_SIZE), PAGE_SIZE},
                                                  {at(beyond), SIZE_T{4} << 30}};
        for (MM_PHYSICAL_ADDRESS_LIST each : wrong) {
            CHECK(MmAllocateMdlForIoSpace(&each, 1, &mdl) == STATUS_INVALID_PARAMETER_1);
            CHECK(mdl == nullptr);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}
