// Pages of an MDL's own, reserved mappings, and what is done to MDLs that are there.
#include "catch.hpp"
#include "ke/system_service.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "support/kernel_fixture.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;
using test::KernelFixture;
using test::status_raised_by;

namespace {

PHYSICAL_ADDRESS at(std::uint64_t address) {
    PHYSICAL_ADDRESS result;
    result.QuadPart = static_cast<LONGLONG>(address);
    return result;
}
constexpr std::uint64_t anywhere = ~std::uint64_t{0};
constexpr std::uint64_t mib = 1 << 20;

PMDL pages(std::uint64_t low, std::uint64_t high, std::uint64_t skip, SIZE_T bytes, ULONG flags = 0) {
    return MmAllocatePagesForMdlEx(at(low), at(high), at(skip), bytes, MmCached, flags);
}

void give_back(PMDL mdl) {
    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
}

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

TEST_CASE("a reserved mapping serves one MDL after another", "[mdl]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        constexpr ULONG tag = 0x54616721;
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, 4 * PAGE_SIZE));
        void* reserved = MmAllocateMappingAddress(2 * PAGE_SIZE, tag);
        REQUIRE(reserved != nullptr);
        CHECK(!MmIsAddressValid(reserved));
        for (int round = 0; round < 3; ++round) {
            PMDL mdl = IoAllocateMdl(user + 100, round == 0 ? 10 : PAGE_SIZE, FALSE, FALSE, nullptr);
            MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
            auto* system = static_cast<std::byte*>(MmMapLockedPagesWithReservedMapping(reserved, tag, mdl, MmCached));
            CHECK(system == static_cast<std::byte*>(reserved) + 100);
            CHECK(mdl->MappedSystemVa == reserved);
            CHECK((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0);
            system[5] = static_cast<std::byte>(round + 1);
            CHECK(user[105] == static_cast<std::byte>(round + 1));
            MmUnmapReservedMapping(reserved, tag, mdl);
            CHECK((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0);
            CHECK(!MmIsAddressValid(reserved));
            MmUnlockPages(mdl);
            IoFreeMdl(mdl);
        }
        PMDL large = IoAllocateMdl(user + 1, 2 * PAGE_SIZE, FALSE, FALSE, nullptr); // three pages
        MmProbeAndLockPages(large, UserMode, IoReadAccess);
        CHECK(MmMapLockedPagesWithReservedMapping(reserved, tag, large, MmCached) == nullptr);
        MmUnlockPages(large);
        IoFreeMdl(large);
        MmFreeMappingAddress(reserved, tag);
        CHECK(MmAllocateMappingAddress(2 * PAGE_SIZE, tag) == reserved);
        CHECK(MmAllocateMappingAddress(ke::views_size, tag) == nullptr);
        CHECK(MmAllocateMappingAddress(~SIZE_T{0}, tag) == nullptr);
        void* plain = MmAllocateMappingAddressEx(100, tag, 0);
        CHECK(plain != nullptr);
        MmFreeMappingAddress(plain, tag);
        CHECK(MmAllocateMappingAddressEx(100, tag, 1) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("misuse of reserved mappings and of pages for an MDL", "[mdl][bugcheck]") {
    KernelFixture kernel;
    constexpr ULONG tag = 0x54616721, other = 0x4F746821;
    void* reserved = nullptr;
    PMDL mdl = nullptr;
    const auto prepare = [&] {
        reserved = MmAllocateMappingAddress(2 * PAGE_SIZE, tag);
        mdl = pages(0, anywhere, 0, PAGE_SIZE);
    };
    const auto mapped = [&] {
        prepare();
        MmMapLockedPagesWithReservedMapping(reserved, tag, mdl, MmCached);
    };
    struct Case {
        const char* name;
        ULONG code;
        std::uint64_t first;
        std::function<void()> body;
    };
    const Case cases[] = {
        {"nothing reserved", SYSTEM_PTE_MISUSE, 0x100, [&] { MmAllocateMappingAddress(0, tag); }},
        {"freed with another tag", SYSTEM_PTE_MISUSE, 0x101, [&] { prepare(), MmFreeMappingAddress(reserved, other); }},
        {"freed twice", SYSTEM_PTE_MISUSE, 0x102,
         [&] {
             prepare();
             MmFreeMappingAddress(reserved, tag);
             MmFreeMappingAddress(reserved, tag);
         }},
        {"freed while mapped", SYSTEM_PTE_MISUSE, 0x103, [&] { mapped(), MmFreeMappingAddress(reserved, tag); }},
        {"mapped with another tag", SYSTEM_PTE_MISUSE, 0x104,
         [&] { prepare(), MmMapLockedPagesWithReservedMapping(reserved, other, mdl, MmCached); }},
        {"mapped where nothing is reserved", SYSTEM_PTE_MISUSE, 0x105,
         [&] { prepare(), MmMapLockedPagesWithReservedMapping(MmSystemRangeStart, tag, mdl, MmCached); }},
        {"mapped twice", SYSTEM_PTE_MISUSE, 0x107,
         [&] { mapped(), MmMapLockedPagesWithReservedMapping(reserved, tag, pages(0, anywhere, 0, 1), MmCached); }},
        {"unmapped with another tag", SYSTEM_PTE_MISUSE, 0x108,
         [&] { mapped(), MmUnmapReservedMapping(reserved, other, mdl); }},
        {"unmapped when not mapped", SYSTEM_PTE_MISUSE, 0x109,
         [&] { prepare(), MmUnmapReservedMapping(reserved, tag, mdl); }},
        {"more unmapped than reserved", SYSTEM_PTE_MISUSE, 0x10A,
         [&] { mapped(), MmUnmapReservedMapping(reserved, tag, pages(0, anywhere, 0, 3 * PAGE_SIZE)); }},
        {"more unmapped than mapped", SYSTEM_PTE_MISUSE, 0x10B,
         [&] { mapped(), MmUnmapReservedMapping(reserved, tag, pages(0, anywhere, 0, 2 * PAGE_SIZE)); }},
        {"a part unmapped", SYSTEM_PTE_MISUSE, 0x10C,
         [&] {
             prepare();
             MmMapLockedPagesWithReservedMapping(reserved, tag, pages(0, anywhere, 0, 2 * PAGE_SIZE), MmCached);
             MmUnmapReservedMapping(reserved, tag, mdl);
         }},
        {"unlocked while in a reserved mapping", SYSTEM_PTE_MISUSE, 0x103, [&] { mapped(), MmFreePagesFromMdl(mdl); }},
        {"pages freed twice", MEMORY_MANAGEMENT, 0x1236,
         [&] {
             prepare();
             MmFreePagesFromMdl(mdl);
             MmFreePagesFromMdl(mdl);
         }},
        {"pages freed that belong to the pool", MEMORY_MANAGEMENT, 0x1236,
         [&] {
             mdl = IoAllocateMdl(ExAllocatePoolWithTag(NonPagedPool, 64, 1), 64, FALSE, FALSE, nullptr);
             MmBuildMdlForNonPagedPool(mdl);
             MmFreePagesFromMdl(mdl);
         }},
        {"pages allocated above DISPATCH_LEVEL", DRIVER_VERIFIER_DETECTED_VIOLATION, 0x7E,
         [&] { KfRaiseIrql(5), pages(0, anywhere, 0, 1); }},
        {"an unmapped address protected", MEMORY_MANAGEMENT, 0x1235,
         [&] {
             prepare();
             mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
             mdl->MappedSystemVa = MmBadPointer;
             MmProtectMdlSystemAddress(mdl, PAGE_READONLY);
         }},
        {"a section unlocked too often", MEMORY_MANAGEMENT, 0x1010,
         [&] {
             void* handle = MmLockPagableDataSection(&kernel);
             MmUnlockPagableImageSection(handle);
             MmUnlockPagableImageSection(handle);
         }},
        {"a section locked by garbage", MEMORY_MANAGEMENT, 0x1234, [&] { MmLockPagableSectionByHandle(&kernel); }},
    };
    const std::size_t index = GENERATE(range(std::size_t{0}, std::size_t{19}));
    REQUIRE(std::size(cases) == 19);
    INFO(cases[index].name);
    const ke::Stop stop = kernel.run(cases[index].body);
    CHECK(stop.code == cases[index].code);
    CHECK(stop.parameters[0] == cases[index].first);
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

TEST_CASE("contiguous memory of the newer functions", "[contiguous]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        void* memory = MmAllocateContiguousMemorySpecifyCacheNode(3 * PAGE_SIZE, at(16 * mib), at(anywhere), at(0),
                                                                  MmCached, MM_ANY_NODE_OK);
        REQUIRE(memory != nullptr);
        CHECK(MmGetPhysicalAddress(memory).QuadPart == 16 * mib);
        MmFreeContiguousMemory(memory);
        memory =
            MmAllocateContiguousNodeMemory(PAGE_SIZE, at(0), at(anywhere), at(0), PAGE_READWRITE | PAGE_NOCACHE, 0);
        REQUIRE(memory != nullptr);
        MmFreeContiguousMemory(memory);
        for (const ULONG wrong : {0, PAGE_READONLY, PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE})
            CHECK(MmAllocateContiguousNodeMemory(PAGE_SIZE, at(0), at(anywhere), at(0), wrong, 0) == nullptr);
        SIZE_T bytes = 5000;
        const auto extended = [&](std::uint64_t high, std::uint64_t boundary, ULONG protect, ULONG flags) {
            return MmAllocateContiguousMemoryEx(&bytes, at(0), at(high), at(boundary), MM_ANY_NODE_OK, protect, nullptr,
                                                0x54616721, flags, &memory);
        };
        CHECK(extended(anywhere, 64 * 1024, PAGE_EXECUTE_READWRITE, 0) == STATUS_SUCCESS);
        CHECK(bytes == 2 * PAGE_SIZE);
        REQUIRE(memory != nullptr);
        std::memset(memory, 1, bytes);
        MmFreeContiguousMemory(memory);
        CHECK(extended(100, 0, PAGE_READWRITE, 0) == STATUS_INSUFFICIENT_RESOURCES);
        CHECK(memory == nullptr);
        CHECK(extended(anywhere, 0, PAGE_READONLY, 0) == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(extended(anywhere, 0, PAGE_READWRITE, 0x80) == STATUS_INVALID_PARAMETER_9);
        bytes = 0;
        CHECK(extended(anywhere, 0, PAGE_READWRITE, 0) == STATUS_INVALID_PARAMETER_1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("what memory there is, and what is valid of it", "[address]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        for (PPHYSICAL_MEMORY_RANGE ranges : {MmGetPhysicalMemoryRanges(), MmGetPhysicalMemoryRangesEx(nullptr),
                                              MmGetPhysicalMemoryRangesEx2(nullptr, 0)}) {
            REQUIRE(ranges != nullptr);
            CHECK(ranges[0].BaseAddress.QuadPart == 0);
            CHECK(ranges[0].NumberOfBytes.QuadPart ==
                  static_cast<LONGLONG>(kernel.slot().physical_pages() * PAGE_SIZE));
            CHECK(ranges[1].BaseAddress.QuadPart == 0);
            CHECK(ranges[1].NumberOfBytes.QuadPart == 0);
            ExFreePool(ranges);
        }
        CHECK(MmGetPhysicalMemoryRangesEx(&kernel) == nullptr);
        void* nonpaged = ExAllocatePoolWithTag(NonPagedPool, 10, 1);
        void* paged = ExAllocatePoolWithTag(PagedPool, 10, 1);
        CHECK(MmIsNonPagedSystemAddressValid(nonpaged));
        CHECK(!MmIsNonPagedSystemAddressValid(paged));
        CHECK(MmIsAddressValid(paged));
        KeRaiseIrqlToDpcLevel();
        CHECK(!MmIsAddressValid(paged));
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(!MmIsAddressValid(paged)); // it has been trimmed, and the question does not bring it in
        *static_cast<volatile char*>(paged) = 1;
        CHECK(MmIsAddressValid(paged));
        CHECK(!MmIsNonPagedSystemAddressValid(mm::allocate_user(process, 10)));
        CHECK(!MmIsNonPagedSystemAddressValid(kernel.slot().system_base() + ke::views_offset));

        // By the table of the layer above.
        kernel.machine().hooks.system_routine = [](std::string_view name) -> void* {
            return name == "KeSetEvent" ? reinterpret_cast<void*>(KeSetEvent) : nullptr;
        };
        UNICODE_STRING name;
        RtlInitUnicodeString(&name, reinterpret_cast<PCWSTR>(u"KeSetEvent"));
        CHECK(MmGetSystemRoutineAddress(&name) == reinterpret_cast<void*>(KeSetEvent));
        name.Length -= 2;
        CHECK(MmGetSystemRoutineAddress(&name) == nullptr);
        name.Length = 0;
        CHECK(MmGetSystemRoutineAddress(&name) == nullptr);

        void* handle = MmLockPagableDataSection(&kernel);
        CHECK(MmLockPagableDataSection(&kernel) == handle);
        MmLockPagableSectionByHandle(handle);
        for (int i = 0; i < 3; ++i) MmUnlockPagableImageSection(handle);
        CHECK(!MmIsDriverVerifyingByAddress(&kernel));
        const auto code = reinterpret_cast<std::uintptr_t>(&MmIsAddressValid);
        REQUIRE(ke::add_code_range(kernel.machine(), {code, code + 1, "driver"}));
        CHECK(MmIsDriverVerifyingByAddress(reinterpret_cast<void*>(code)));
        DRIVER_OBJECT driver{};
        CHECK(!MmIsDriverVerifying(&driver));
        CHECK(!MmIsDriverSuspectForVerifier(&driver));
        driver.DriverInit = reinterpret_cast<PDRIVER_INITIALIZE>(code);
        CHECK(MmIsDriverVerifying(&driver));
        CHECK(MmIsDriverSuspectForVerifier(&driver));
        CHECK(MmPageEntireDriver(reinterpret_cast<void*>(code)) == reinterpret_cast<void*>(code));
        MmResetDriverPaging(reinterpret_cast<void*>(code));
        CHECK(MmPageEntireDriver(&kernel) == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
