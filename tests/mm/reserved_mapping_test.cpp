// Addresses that are reserved for mappings to come, and what befalls who misuses them or pages for an MDL.
#include "catch.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "physical.hpp"
#include "support/kernel_fixture.hpp"

using namespace dirql;
using namespace dirql::test;

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
