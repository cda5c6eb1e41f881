// What memory there is, what of it is valid, and what drivers ask of images.
#include "catch.hpp"
#include "ke/system_service.hpp"
#include "mm/arena.hpp"
#include "physical.hpp"
#include "support/kernel_fixture.hpp"
#include "support/names.hpp"

using namespace dirql;
using namespace dirql::test;

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
        UNICODE_STRING name = test::unicode(u"KeSetEvent");
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
