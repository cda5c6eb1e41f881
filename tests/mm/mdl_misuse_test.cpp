#include "catch.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "support/kernel_fixture.hpp"

using namespace dirql;
using test::KernelFixture;

TEST_CASE("misuse of MDLs", "[mdl][bugcheck]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    PMDL mdl = nullptr;
    const auto make = [&] {
        return mdl = IoAllocateMdl(mm::allocate_user(process, 5000), 5000, FALSE, FALSE, nullptr);
    };
    const auto locked = [&] {
        (void)mm::lock_pages(make(), UserMode, IoReadAccess);
        return mdl;
    };
    const auto nonpaged = [&] {
        mdl = IoAllocateMdl(ExAllocatePoolWithTag(NonPagedPool, 64, 1), 64, FALSE, FALSE, nullptr);
        MmBuildMdlForNonPagedPool(mdl);
        return mdl;
    };
    struct Case {
        const char* name;
        std::uint64_t code;
        bool irql_first; // the second parameter is the IRQL, the third the MDL; else the second is the MDL
        unsigned flags;  // the fourth then
        std::function<void()> body;
    };
    const Case cases[] = {
        {"locked twice", 0xB0, false, MDL_PAGES_LOCKED, [&] { MmProbeAndLockPages(locked(), UserMode, IoReadAccess); }},
        {"nonpaged pool locked", 0xB0, false, MDL_SOURCE_IS_NONPAGED_POOL,
         [&] { MmProbeAndLockPages(nonpaged(), KernelMode, IoReadAccess); }},
        {"unlocked without a lock", 0x7C, false, 0, [&] { MmUnlockPages(make()); }},
        {"nonpaged pool unlocked", 0x7D, false, 0, [&] { MmUnlockPages(nonpaged()); }},
        {"a partial one unlocked", 0xB4, false, MDL_PARTIAL,
         [&] {
             PMDL source = locked();
             mdl = IoAllocateMdl(MmGetMdlVirtualAddress(source), 100, FALSE, FALSE, nullptr);
             IoBuildPartialMdl(source, mdl, MmGetMdlVirtualAddress(source), 100);
             MmUnlockPages(mdl);
         }},
        {"mapped without a lock", 0xB3, false, MDL_PAGES_LOCKED | MDL_PARTIAL,
         [&] { MmMapLockedPages(make(), KernelMode); }},
        {"mapped twice", 0xB2, false, MDL_MAPPED_TO_SYSTEM_VA,
         [&] {
             MmMapLockedPages(locked(), KernelMode);
             MmMapLockedPages(mdl, KernelMode);
         }},
        {"nonpaged pool mapped", 0xB2, false, MDL_SOURCE_IS_NONPAGED_POOL,
         [&] { MmMapLockedPages(nonpaged(), KernelMode); }},
        {"unmapped without a mapping", 0xB6, false, MDL_MAPPED_TO_SYSTEM_VA,
         [&] { MmUnmapLockedPages(MmSystemRangeStart, locked()); }},
        {"a shared mapping released through a partial one", 0xB5, false, MDL_PARTIAL,
         [&] {
             PMDL source = locked();
             MmMapLockedPages(source, KernelMode);
             mdl = IoAllocateMdl(MmGetMdlVirtualAddress(source), 100, FALSE, FALSE, nullptr);
             IoBuildPartialMdl(source, mdl, MmGetMdlVirtualAddress(source), 100);
             MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
         }},
        {"freed while mapped", 0xB8, false, 0,
         [&] {
             MmMapLockedPages(locked(), KernelMode);
             IoFreeMdl(mdl);
         }},
        {"user pages locked at DISPATCH_LEVEL", 0x70, true, UserMode,
         [&] {
             make();
             KeRaiseIrqlToDpcLevel();
             MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
         }},
        {"unlocked above DISPATCH_LEVEL", 0x78, true, 0,
         [&] {
             locked();
             KfRaiseIrql(5);
             MmUnlockPages(mdl);
         }},
        {"mapped above DISPATCH_LEVEL", 0x76, true, KernelMode,
         [&] {
             locked();
             KfRaiseIrql(5);
             MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE, NormalPagePriority);
         }},
        {"mapped for a process at DISPATCH_LEVEL", 0x77, true, UserMode,
         [&] {
             locked();
             KeRaiseIrqlToDpcLevel();
             MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, nullptr, FALSE, NormalPagePriority);
         }},
        {"the older mapping above DISPATCH_LEVEL", 0x74, true, KernelMode,
         [&] {
             locked();
             KfRaiseIrql(5);
             MmMapLockedPages(mdl, KernelMode);
         }},
    };
    const std::size_t index = GENERATE(range(std::size_t{0}, std::size_t{16}));
    REQUIRE(index < std::size(cases));
    const Case& each = cases[index];
    INFO(each.name);
    const ke::Stop stop = kernel.run(each.body);
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == each.code);
    CHECK(stop.parameters[each.irql_first ? 2 : 1] == ke::parameter(mdl));
    if (each.irql_first) CHECK(stop.parameters[1] == stop.irql);
    CHECK(stop.parameters[3] == each.flags);
}

TEST_CASE("other bug checks of MDLs", "[mdl][bugcheck]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    PMDL mdl = nullptr;
    SECTION("an MDL of paged pool is not of nonpaged pool") {
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(ExAllocatePoolWithTag(PagedPool, 64, 1), 64, FALSE, FALSE, nullptr);
            MmBuildMdlForNonPagedPool(mdl);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 0x7F);
        CHECK(stop.parameters[2] == ke::parameter(mdl));
    }
    SECTION("an MDL of what is no memory of the machine") {
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(&kernel, 64, FALSE, FALSE, nullptr);
            MmBuildMdlForNonPagedPool(mdl);
        });
        CHECK(stop.code == MEMORY_MANAGEMENT);
        CHECK(stop.parameters[0] == 0x1236);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
        CHECK(stop.parameters[2] == ke::parameter(mdl + 1));
    }
    SECTION("a target too small for its part") {
        const ke::Stop stop = kernel.run([&] {
            PMDL source = IoAllocateMdl(mm::allocate_user(process, 40 * 4096), 40 * 4096, FALSE, FALSE, nullptr);
            (void)mm::lock_pages(source, UserMode, IoReadAccess);
            mdl = IoAllocateMdl(MmGetMdlVirtualAddress(source), 4096, FALSE, FALSE, nullptr);
            IoBuildPartialMdl(source, mdl, MmGetMdlVirtualAddress(source), 30 * 4096);
        });
        CHECK(stop.code == TARGET_MDL_TOO_SMALL);
    }
    SECTION("unmapped at another address") {
        std::byte* system = nullptr;
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(mm::allocate_user(process, 4096), 4096, FALSE, FALSE, nullptr);
            (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
            system = static_cast<std::byte*>(MmMapLockedPages(mdl, KernelMode));
            MmUnmapLockedPages(system + 16, mdl);
        });
        CHECK(stop.code == SYSTEM_PTE_MISUSE);
        CHECK(stop.parameters[0] == 3);
        CHECK(stop.parameters[2] == ke::parameter(system));
        CHECK(stop.parameters[3] == ke::parameter(system + 16));
    }
    // What a driver writes into an MDL does not reach beyond what the MDL was made for.
    const auto scattered = [&] { // two pages in a view: an advanced MDL's too
        mdl = IoAllocateMdl(mm::allocate_user(process, 3 * PAGE_SIZE), 3 * PAGE_SIZE, FALSE, FALSE, nullptr);
        (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
        REQUIRE(MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, nullptr, FALSE,
                                             NormalPagePriority | MdlMappingNoWrite) != nullptr);
        CHECK(MmAdvanceMdl(mdl, PAGE_SIZE) == STATUS_SUCCESS);
    };
    SECTION("more pages unmapped than are mapped, or fewer") {
        const ULONG bytes = GENERATE(0x7FFF'F000u, 3u * PAGE_SIZE, 1u * PAGE_SIZE);
        const ke::Stop stop = kernel.run([&] {
            scattered();
            mdl->ByteCount = bytes;
            MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
        });
        CHECK(stop.code == SYSTEM_PTE_MISUSE);
        CHECK(stop.parameters[0] == 2);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
        CHECK(stop.parameters[2] == 2);
        CHECK(stop.parameters[3] == bytes / PAGE_SIZE);
    }
    SECTION("more pages protected than are mapped") {
        const ke::Stop stop = kernel.run([&] {
            scattered();
            mdl->ByteCount = 0x7FFF'F000;
            (void)MmProtectMdlSystemAddress(mdl, PAGE_READONLY);
        });
        CHECK(stop.code == MEMORY_MANAGEMENT);
        CHECK(stop.parameters[0] == 0x1235);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
    }
    SECTION("an MDL advanced beyond what is mapped") {
        const ke::Stop stop = kernel.run([&] {
            scattered();
            mdl->ByteCount = 0x4000'0000;
            (void)MmAdvanceMdl(mdl, 0x3FFF'0000);
        });
        CHECK(stop.code == SYSTEM_PTE_MISUSE);
        CHECK(stop.parameters[0] == 2);
    }
    SECTION("pages freed that an MDL has no room for, or that are no memory") {
        const bool longer = GENERATE(true, false);
        const ke::Stop stop = kernel.run([&] {
            PHYSICAL_ADDRESS low{}, high{}, skip{};
            high.QuadPart = -1;
            mdl = MmAllocatePagesForMdl(low, high, skip, 2 * PAGE_SIZE);
            if (longer) {
                mdl->ByteCount = 0x4000'0000;
            } else {
                MmGetMdlPfnArray(mdl)[1] = 0x1'0000'0000 | MmGetMdlPfnArray(mdl)[1];
            }
            MmFreePagesFromMdl(mdl);
        });
        CHECK(stop.code == MEMORY_MANAGEMENT);
        CHECK(stop.parameters[0] == 0x1236);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
        if (!longer) CHECK(stop.parameters[2] == ke::parameter(&MmGetMdlPfnArray(mdl)[1]));
    }
    SECTION("a page mapped that is no memory") {
        const int how = GENERATE(0, 1, 2);
        const PFN_NUMBER frame = kernel.slot().physical_pages();
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(mm::allocate_user(process, 2 * PAGE_SIZE), 2 * PAGE_SIZE, FALSE, FALSE, nullptr);
            (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
            MmGetMdlPfnArray(mdl)[1] = frame;
            if (how == 2) {
                (void)MmMapLockedPagesWithReservedMapping(MmAllocateMappingAddress(2 * PAGE_SIZE, 1), 1, mdl, MmCached);
            } else {
                (void)MmMapLockedPagesSpecifyCache(mdl, how == 0 ? KernelMode : UserMode, MmCached, nullptr, FALSE,
                                                   NormalPagePriority);
            }
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 0x89);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
        CHECK(stop.parameters[2] == ke::parameter(&MmGetMdlPfnArray(mdl)[1]));
        CHECK(stop.parameters[3] == frame);
    }
    SECTION("a frame unlocked that is no memory") {
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(ExAllocatePoolWithTag(PagedPool, 64, 1), 64, FALSE, FALSE, nullptr);
            MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
            MmGetMdlPfnArray(mdl)[0] = 0xFFFF'FFF0;
            MmUnlockPages(mdl);
        });
        CHECK(stop.code == MEMORY_MANAGEMENT);
        CHECK(stop.parameters[0] == 0x1236);
        CHECK(stop.parameters[3] == 0xFFFF'FFF0);
    }
    SECTION("paged pool locked where it may be paged out") {
        std::byte* block = nullptr;
        const ke::Stop stop = kernel.run([&] {
            block = static_cast<std::byte*>(ExAllocatePoolWithTag(PagedPool, 2 * PAGE_SIZE, 1));
            mdl = IoAllocateMdl(block, 100, FALSE, FALSE, nullptr);
            KeRaiseIrqlToDpcLevel();
            (void)test::status_raised_by([&] { MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess); });
        });
        CHECK(stop.code == IRQL_NOT_LESS_OR_EQUAL);
        CHECK(stop.parameters[0] == ke::parameter(block));
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == 1);
    }
    SECTION("a user address that is no mapping") {
        const ke::Stop stop = kernel.run([&] {
            mdl = IoAllocateMdl(mm::allocate_user(process, 4096), 4096, FALSE, FALSE, nullptr);
            (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
            MmUnmapLockedPages(MmGetMdlVirtualAddress(mdl), mdl);
        });
        CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(stop.parameters[0] == 0xB9);
    }
}
