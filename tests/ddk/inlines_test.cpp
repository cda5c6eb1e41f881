// The inline functions and macros of the headers: they are the only implementation there is.
#include "catch.hpp"

#include <ntifs.h>
#include <ntintsafe.h>

#include <iterator>

TEST_CASE("interlocked operations return the new value or the old, as NT's do") {
    LONG value = 5;
    REQUIRE(InterlockedIncrement(&value) == 6);
    REQUIRE(InterlockedDecrement(&value) == 5);
    REQUIRE(InterlockedAdd(&value, 3) == 8);
    REQUIRE(InterlockedExchangeAdd(&value, 2) == 8);
    REQUIRE(InterlockedExchange(&value, 0xF0) == 10);
    REQUIRE(InterlockedAnd(&value, 0x3C) == 0xF0);
    REQUIRE(InterlockedOr(&value, 1) == 0x30);
    REQUIRE(InterlockedXor(&value, 0x11) == 0x31);
    REQUIRE(InterlockedCompareExchange(&value, 7, 1) == 0x20);
    REQUIRE(value == 0x20);
    REQUIRE(InterlockedCompareExchange(&value, 7, 0x20) == 0x20);
    REQUIRE(value == 7);

    LONG64 wide = 0x7fffffff;
    REQUIRE(InterlockedIncrement64(&wide) == 0x80000000);
    LONG bits[2] = {0, 0};
    REQUIRE(InterlockedBitTestAndSet(bits, 31) == 0);
    REQUIRE(InterlockedBitTestAndSet(bits, 31) == 1);
    REQUIRE(InterlockedBitTestAndSet(bits, 33) == 0);
    REQUIRE(InterlockedBitTestAndReset(bits, 31) == 1);
    REQUIRE((bits[0] == 0 && bits[1] == 2));

    PVOID pointer = &value;
    REQUIRE(InterlockedCompareExchangePointer(&pointer, &wide, nullptr) == &value);
    REQUIRE(InterlockedExchangePointer(&pointer, nullptr) == &value);
}

TEST_CASE("bit scans") {
    ULONG index = 99;
    REQUIRE(_BitScanForward(&index, 0x50) == 1);
    REQUIRE(index == 4);
    REQUIRE(_BitScanReverse64(&index, ULONG64{1} << 63 | 1) == 1);
    REQUIRE(index == 63);
    REQUIRE(_BitScanReverse(&index, 0) == 0);
}

TEST_CASE("lists") {
    LIST_ENTRY head;
    LIST_ENTRY entries[3];
    InitializeListHead(&head);
    REQUIRE(IsListEmpty(&head));
    InsertTailList(&head, &entries[1]);
    InsertTailList(&head, &entries[2]);
    InsertHeadList(&head, &entries[0]);
    REQUIRE(RemoveTailList(&head) == &entries[2]);
    REQUIRE_FALSE(RemoveEntryList(&entries[0]));
    REQUIRE(RemoveEntryList(&entries[1]));
    REQUIRE(RemoveHeadList(&head) == &head);

    LIST_ENTRY other;
    InitializeListHead(&other);
    InsertTailList(&head, &entries[0]);
    InsertTailList(&other, &entries[1]);
    InsertTailList(&other, &entries[2]);
    RemoveEntryList(&other);
    AppendTailList(&head, &entries[1]);
    for (auto& entry : entries) REQUIRE(RemoveHeadList(&head) == &entry);
    REQUIRE(IsListEmpty(&head));
}

TEST_CASE("a stack location is skipped, copied without its routine, and given one") {
    IO_STACK_LOCATION stack[3] = {};
    IRP irp{};
    irp.StackCount = 3;
    irp.CurrentLocation = 4;
    irp.Tail.Overlay.CurrentStackLocation = stack + 3;
    IoSetNextIrpStackLocation(&irp);
    REQUIRE(IoGetCurrentIrpStackLocation(&irp) == &stack[2]);
    REQUIRE(irp.CurrentLocation == 3);

    stack[2].MajorFunction = IRP_MJ_READ;
    stack[2].Parameters.Read.Length = 17;
    stack[2].Context = &irp;
    stack[2].Control = SL_PENDING_RETURNED;
    stack[1].Control = SL_INVOKE_ON_ERROR;
    IoCopyCurrentIrpStackLocationToNext(&irp);
    REQUIRE(stack[1].Parameters.Read.Length == 17);
    REQUIRE(stack[1].Control == 0);
    REQUIRE(stack[1].Context == nullptr);

    IoSetCompletionRoutine(&irp, nullptr, &irp, TRUE, FALSE, TRUE);
    REQUIRE(stack[1].Control == (SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_CANCEL));
    REQUIRE(stack[1].Context == &irp);
    IoSkipCurrentIrpStackLocation(&irp);
    REQUIRE(irp.CurrentLocation == 4);
    REQUIRE(IoGetNextIrpStackLocation(&irp) == &stack[2]);

    IoSetNextIrpStackLocation(&irp);
    stack[2].Control = 0;
    IoMarkIrpPending(&irp);
    REQUIRE(stack[2].Control == SL_PENDING_RETURNED);
    const auto routine = reinterpret_cast<PDRIVER_CANCEL>(stack);
    REQUIRE(IoSetCancelRoutine(&irp, routine) == nullptr);
    REQUIRE(IoSetCancelRoutine(&irp, nullptr) == routine);
    REQUIRE(IoSizeOfIrp(2) == 0xD0 + 2 * 0x48);
}

TEST_CASE("arithmetic of pages and MDLs") {
    REQUIRE(BYTE_OFFSET(0x12345) == 0x345);
    REQUIRE(PAGE_ALIGN(0x12345) == reinterpret_cast<PVOID>(0x12000));
    REQUIRE(ROUND_TO_PAGES(1) == 0x1000);
    REQUIRE(ROUND_TO_PAGES(0xFFFFFFFF1) == 0x1000000000);
    REQUIRE(BYTES_TO_PAGES(0x1001) == 2);
    REQUIRE(ADDRESS_AND_SIZE_TO_SPAN_PAGES(0xFFF, 2) == 2);
    REQUIRE(ADDRESS_AND_SIZE_TO_SPAN_PAGES(0x1000, 0x1000) == 1);
    REQUIRE(ADDRESS_AND_SIZE_TO_SPAN_PAGES(0x1000, 0) == 0);

    struct {
        MDL mdl;
        PFN_NUMBER frames[2];
    } storage{};
    MmInitializeMdl(&storage.mdl, reinterpret_cast<PVOID>(0x7FFF), 0x10);
    REQUIRE(storage.mdl.Size == 0x30 + 2 * 8);
    REQUIRE(MmGetMdlByteOffset(&storage.mdl) == 0xFFF);
    REQUIRE(MmGetMdlVirtualAddress(&storage.mdl) == reinterpret_cast<PVOID>(0x7FFF));
    REQUIRE(MmGetMdlPfnArray(&storage.mdl) == storage.frames);
    storage.mdl.MdlFlags = MDL_SOURCE_IS_NONPAGED_POOL;
    storage.mdl.MappedSystemVa = &storage;
    REQUIRE(MmGetSystemAddressForMdlSafe(&storage.mdl, NormalPagePriority) == &storage);
}

TEST_CASE("control codes and statuses") {
    constexpr ULONG code = CTL_CODE(0x8123, 0x8FF, METHOD_OUT_DIRECT, FILE_READ_ACCESS | FILE_WRITE_ACCESS);
    REQUIRE(code == 0x8123E3FEU);
    REQUIRE(DEVICE_TYPE_FROM_CTL_CODE(code) == 0x8123);
    REQUIRE(METHOD_FROM_CTL_CODE(code) == METHOD_OUT_DIRECT);
    REQUIRE(IoGetFunctionCodeFromCtlCode(code) == 0x8FF);
    REQUIRE((NT_SUCCESS(STATUS_PENDING) && !NT_SUCCESS(STATUS_BUFFER_OVERFLOW) && !NT_ERROR(STATUS_BUFFER_OVERFLOW)));
    REQUIRE((NT_WARNING(STATUS_BUFFER_OVERFLOW) && NT_ERROR(STATUS_ACCESS_DENIED) && !NT_INFORMATION(STATUS_SUCCESS)));
    REQUIRE(IoIsErrorUserInduced(STATUS_NO_MEDIA_IN_DEVICE));
    REQUIRE_FALSE(IoIsErrorUserInduced(STATUS_IO_DEVICE_ERROR));
}

TEST_CASE("safe integers say when a result does not fit") {
    ULONG sum = 0;
    REQUIRE(RtlULongAdd(0xFFFFFFFF, 1, &sum) == STATUS_INTEGER_OVERFLOW);
    REQUIRE(sum == 0xFFFFFFFF);
    REQUIRE(RtlULongAdd(0xFFFFFFFE, 1, &sum) == STATUS_SUCCESS);
    REQUIRE(sum == 0xFFFFFFFF);
    SIZE_T product = 0;
    REQUIRE(RtlSizeTMult(SIZE_T{1} << 32, SIZE_T{1} << 32, &product) == STATUS_INTEGER_OVERFLOW);
    ULONG narrow = 0;
    REQUIRE(RtlLongLongToULong(-1, &narrow) == STATUS_INTEGER_OVERFLOW);
    REQUIRE(RtlLongLongToULong(0xFFFFFFFF, &narrow) == STATUS_SUCCESS);
    LONG difference = 0;
    REQUIRE(RtlLongSub(MINLONG, 1, &difference) == STATUS_INTEGER_OVERFLOW);
}

TEST_CASE("values that only a listing shows wrong") {
    LARGE_INTEGER time;
    time.QuadPart = -1;
    REQUIRE((time.LowPart == 0xFFFFFFFF && time.u.HighPart == -1));
    REQUIRE(IRP_MJ_MAXIMUM_FUNCTION == IRP_MJ_PNP);
    REQUIRE(std::size(DRIVER_OBJECT{}.MajorFunction) == 28);
    REQUIRE((PASSIVE_LEVEL < APC_LEVEL && DISPATCH_LEVEL == 2 && HIGH_LEVEL == 15));
    REQUIRE(EVENT_INCREMENT == 1);
    REQUIRE(RTL_FIELD_SIZE(IRP, CurrentLocation) == 1);
}
