/* Macros and inlines that belong to no object of the kernel. macros_cpp.cpp compiles this again as C++. */
#include "check.h"

#include <initguid.h>
#include <minwindef.h>

#ifndef CHECK_MACROS
#define CHECK_MACROS check_macros
#endif
#ifdef __cplusplus
#define GUID_ARGUMENT(guid) guid
#else
#define GUID_ARGUMENT(guid) &guid
#endif

DEFINE_GUID(dialect_guid, 0x53F56307, 0xB6BF, 0x11D0, 0x94, 0xF2, 0x00, 0xA0, 0xC9, 0x1E, 0xFB, 0x8B);
DEFINE_OLEGUID(dialect_ole_guid, 0x000214E6, 1, 2);

DECLARE_GLOBAL_CONST_UNICODE_STRING(global_name, L"\\Device\\Global");
C_ASSERT(sizeof(global_name) == 16);

typedef enum _COLOURS { Red = 1, Green = 2, Blue = 4 } COLOURS;
DEFINE_ENUM_FLAG_OPERATORS(COLOURS)

typedef struct _RECORD {
    UCHAR first;
    DECLSPEC_ALIGN(8) LIST_ENTRY entry;
    ULONG numbers[5];
} RECORD, *PRECORD;

static ULONG numbers_of(NTSTATUS status) {
    return (NT_SUCCESS(status) ? 1u : 0) | (NT_INFORMATION(status) ? 2u : 0) | (NT_WARNING(status) ? 4u : 0) |
           (NT_ERROR(status) ? 8u : 0);
}

static void check_layout(PCHECKS checks) {
    RECORD record;
    PRECORD found = CONTAINING_RECORD(&record.entry, RECORD, entry);
    CHECK(found == &record);
    CHECK(FIELD_OFFSET(RECORD, entry) == 8 && UFIELD_OFFSET(RECORD, numbers) == 24);
    CHECK(FIELD_SIZE(RECORD, entry) == 16 && RTL_FIELD_SIZE(RECORD, numbers) == 20);
    CHECK(RTL_SIZEOF_THROUGH_FIELD(RECORD, entry) == 24);
    CHECK(RTL_CONTAINS_FIELD(&record, 24, entry) && !RTL_CONTAINS_FIELD(&record, 23, entry));
    CHECK(RTL_NUMBER_OF(record.numbers) == 5 && RTL_NUMBER_OF_V1(record.numbers) == 5);
    CHECK(RTL_NUMBER_OF_V2(record.numbers) == 5 && ARRAYSIZE(record.numbers) == 5 && _countof(record.numbers) == 5);
    CHECK(RTL_NUMBER_OF_FIELD(RECORD, numbers) == 5);
    CHECK(TYPE_ALIGNMENT(ULONGLONG) == 8 && PROBE_ALIGNMENT(USHORT) == 2 && PROBE_ALIGNMENT32(ULONG) == 4);
    CHECK(((ULONG_PTR)&record.entry & 7) == 0);
    CHECK(ALIGN_DOWN_BY(0x1234567890, 0x100) == 0x1234567800 && ALIGN_UP_BY(0x1234567890, 0x100) == 0x1234567900);
    CHECK(ALIGN_DOWN(15, ULONGLONG) == 8 && ALIGN_UP(9, ULONGLONG) == 16 && ALIGN_UP(8, ULONGLONG) == 8);
    CHECK(ALIGN_DOWN_POINTER_BY(&record.entry.Blink, 16) <= (PVOID)&record.entry.Blink);
    CHECK(ALIGN_UP_POINTER_BY((PVOID)0x1001, 0x1000) == (PVOID)0x2000);
    CHECK(ALIGN_DOWN_POINTER((PVOID)0x1007, ULONG) == (PVOID)0x1004);
    CHECK(ALIGN_UP_POINTER((PVOID)0x1005, ULONG) == (PVOID)0x1008);
}

static void check_pages(PCHECKS checks) {
    CHECK(BYTE_OFFSET(0x7ec012345678) == 0x678 && PAGE_ALIGN(0x7ec012345678) == (PVOID)0x7ec012345000);
    CHECK(ROUND_TO_PAGES(0x1001) == 0x2000 && ROUND_TO_PAGES(0x1000) == 0x1000 && ROUND_TO_PAGES(0) == 0);
    CHECK(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1fff, 2) == 2 &&
          ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1000, 0) == 0);
    CHECK(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1001, 0x1000) == 2);
    CHECK(COMPUTE_PAGES_SPANNED((PVOID)0x1fff, 2) == 2 && COMPUTE_PAGES_SPANNED((PVOID)0x1000, 0x1000) == 1);
    CHECK(BYTES_TO_PAGES(0) == 0 && BYTES_TO_PAGES(1) == 1 && BYTES_TO_PAGES(0x1000) == 1 &&
          BYTES_TO_PAGES(0x1001) == 2);
}

static void check_statuses(PCHECKS checks) {
    CHECK(numbers_of(STATUS_SUCCESS) == 1 && numbers_of(STATUS_PENDING) == 1);
    CHECK(numbers_of(STATUS_OBJECT_NAME_EXISTS) == 3);
    CHECK(numbers_of(STATUS_BUFFER_OVERFLOW) == 4 && numbers_of(STATUS_UNSUCCESSFUL) == 8);
    CHECK(CTL_CODE(0x22, 0x801, METHOD_NEITHER, FILE_READ_ACCESS) == 0x226007);
    CHECK(DEVICE_TYPE_FROM_CTL_CODE(0x80226007) == 0x8022 && METHOD_FROM_CTL_CODE(0x226006) == METHOD_OUT_DIRECT);
    CHECK(OSVER(0x0A000103) == 0x0A000000 && SPVER(0x06000203) == 2);
    CHECK(MAKELANGID(9, 1) == 0x409);
}

static void check_words(PCHECKS checks) {
    ULONG storage[3] = {0, 0, 0};
    PUCHAR bytes = (PUCHAR)storage;
    USHORT narrow = 0;
    ULONG wide = 0;
    CHECK(RtlUshortByteSwap(0x1234) == 0x3412 && RtlUlongByteSwap(0x12345678) == 0x78563412);
    CHECK(RtlUlonglongByteSwap(0x0102030405060708) == 0x0807060504030201);
    RtlStoreUshort((PUSHORT)(bytes + 1), 0x1234);
    CHECK(bytes[0] == 0 && bytes[1] == 0x34 && bytes[2] == 0x12 && bytes[3] == 0);
    RtlStoreUlong((PULONG)(bytes + 1), 0x12345678);
    CHECK(bytes[1] == 0x78 && bytes[4] == 0x12 && bytes[5] == 0);
    RtlRetrieveUshort(&narrow, bytes + 1);
    RtlRetrieveUlong(&wide, bytes + 1);
    CHECK(narrow == 0x5678 && wide == 0x12345678);
    RtlStoreUlonglong((PULONGLONG)(bytes + 1), 0x1122334455667788);
    CHECK(bytes[1] == 0x88 && bytes[8] == 0x11 && bytes[9] == 0);
    RtlStoreUlongPtr((PULONG_PTR)(bytes + 1), 0x99);
    CHECK(bytes[1] == 0x99 && bytes[8] == 0);
    CHECK(LOBYTE(0x1234) == 0x34 && HIBYTE(0x1234) == 0x12 && LOWORD(0x12345678) == 0x5678 &&
          HIWORD(0x12345678) == 0x1234);
    CHECK(MAKEWORD(0x34, 0x12) == 0x1234 && MAKELONG(0x5678, 0x9234) == (LONG)0x92345678);
    CHECK(Int32x32To64(-2, 0x40000000) == -0x80000000LL && Int32x32To64(0xFFFFFFFFu, 3) == -3);
    CHECK(UInt32x32To64(0xFFFFFFFF, 0xFFFFFFFF) == 0xFFFFFFFE00000001);
    CHECK(Int64ShllMod32(1, 31) == 0x80000000 && Int64ShraMod32(-16, 2) == -4);
    CHECK(Int64ShrlMod32(0x8000000000000000, 31) == 0x100000000);
}

static void check_memory(PCHECKS checks) {
    UCHAR from[16] = {1, 2, 3, 4, 5, 6, 7, 8}, to[16];
    RtlFillBytes(to, sizeof(to), 0xEE);
    RtlCopyBytes(to, from, 4);
    CHECK(to[3] == 4 && to[4] == 0xEE);
    RtlCopyMemoryNonTemporal(to, from, 5);
    CHECK(to[4] == 5 && to[5] == 0xEE);
    RtlCopyVolatileMemory((volatile void*)to, (const volatile void*)from, 6);
    CHECK(to[5] == 6 && to[6] == 0xEE);
    RtlCopyDeviceMemory(to, from, 7);
    CHECK(to[6] == 7 && to[7] == 0xEE && RtlEqualMemory(to, from, 7) && !RtlEqualMemory(to, from, 8));
    RtlZeroBytes(to, 3);
    CHECK(to[2] == 0 && to[3] == 4);
    RtlFillMemoryNonTemporal(to, 4, 0x77);
    CHECK(to[3] == 0x77 && to[4] == 5);
    CHECK(RtlSecureZeroMemory(to, 5) == to && to[4] == 0 && to[5] == 6);
    RtlPrefetchMemoryNonTemporal(to, sizeof(to));
    CHECK(RtlConstantTimeEqualMemory(from, from, 16) && !RtlConstantTimeEqualMemory(from, to, 16));
}

static void check_values(PCHECKS checks) {
    LUID luid = RtlConvertLongToLuid(-5), other = RtlConvertUlongToLuid(0xFFFFFFFB);
    CHECK(luid.LowPart == 0xFFFFFFFB && luid.HighPart == -1 && other.HighPart == 0);
    CHECK(!RtlEqualLuid(&luid, &other) && !RtlIsZeroLuid(&luid));
    RtlCopyLuid(&other, &luid);
    CHECK(RtlEqualLuid(&luid, &other));
    other.LowPart = 0;
    other.HighPart = 0;
    CHECK(RtlIsZeroLuid(&other));
    CHECK(RtlConvertLongToLargeInteger(-1).QuadPart == -1 && RtlConvertUlongToLargeInteger(~0u).QuadPart == 0xFFFFFFFF);
    CHECK(dialect_guid.Data4[7] == 0x8B && dialect_ole_guid.Data4[0] == 0xC0 && dialect_ole_guid.Data4[7] == 0x46);
    CHECK(IsEqualGUID(GUID_ARGUMENT(dialect_guid), GUID_ARGUMENT(dialect_guid)));
    CHECK(!IsEqualIID(GUID_ARGUMENT(dialect_guid), GUID_ARGUMENT(dialect_ole_guid)));
    CHECK(!IsEqualCLSID(GUID_ARGUMENT(dialect_guid), GUID_ARGUMENT(dialect_ole_guid)));
    CHECK(InlineIsEqualGUID(GUID_ARGUMENT(dialect_guid), GUID_ARGUMENT(dialect_guid)));
    {
        COLOURS both = (COLOURS)(Red | Green);
        both = (COLOURS)(both & ~Red);
        CHECK(both == Green && (Green ^ Green) == 0);
    }
}

static void check_pointers(PCHECKS checks) {
    PVOID pointer = (PVOID)0xFFFFFFFF80000001;
    HANDLE handle = (HANDLE)0x1FFFFFFFC;
    CHECK(PtrToUlong(pointer) == 0x80000001 && PtrToULong(pointer) == 0x80000001 && PtrToLong(pointer) == -0x7FFFFFFF);
    CHECK(PtrToUint(pointer) == 0x80000001 && PtrToUInt(pointer) == 0x80000001 && PtrToInt(pointer) == -0x7FFFFFFF);
    CHECK(PtrToUshort(pointer) == 1 && PtrToShort((PVOID)0xFFFF) == -1);
    CHECK(IntToPtr(-2) == (PVOID)-2 && LongToPtr(-2) == (PVOID)-2);
    CHECK(UIntToPtr(~0u) == (PVOID)0xFFFFFFFF && UintToPtr(~0u) == (PVOID)0xFFFFFFFF);
    CHECK(ULongToPtr(~0u) == (PVOID)0xFFFFFFFF && UlongToPtr(~0u) == (PVOID)0xFFFFFFFF);
    CHECK(HandleToULong(handle) == 0xFFFFFFFC && HandleToUlong(handle) == 0xFFFFFFFC && HandleToLong(handle) == -4);
    CHECK(ULongToHandle(~3u) == (HANDLE)0xFFFFFFFC && UlongToHandle(~3u) == (HANDLE)0xFFFFFFFC);
    CHECK(LongToHandle(-4) == (HANDLE)-4);
    CHECK(Handle32ToHandle(-4) == (HANDLE)-4 && Handle64ToHandle(handle) == handle &&
          HandleToHandle64(handle) == handle);
    CHECK(Ptr32ToPtr(8) == (PVOID)8 && Ptr64ToPtr(pointer) == pointer && PtrToPtr64(pointer) == pointer);
}

static void check_strings(PCHECKS checks) {
    static WCHAR letters[] = L"abc";
    UNICODE_STRING constant = RTL_CONSTANT_STRING(L"constant"), string;
    ANSI_STRING narrow = RTL_CONSTANT_STRING("narrow"), ansi;
    OEM_STRING oem = {5, 6, narrow.Buffer};
    OBJECT_ATTRIBUTES attributes, given = RTL_CONSTANT_OBJECT_ATTRIBUTES(&constant, OBJ_CASE_INSENSITIVE);
    OBJECT_ATTRIBUTES init = RTL_INIT_OBJECT_ATTRIBUTES(&constant, OBJ_KERNEL_HANDLE);
    DECLARE_CONST_UNICODE_STRING(name, L"name");
    DECLARE_UNICODE_STRING_SIZE(room, 12);
    char text[4];
    CHECK(constant.Length == 16 && constant.MaximumLength == 18 && constant.Buffer[8] == 0);
    CHECK(narrow.Length == 6 && narrow.MaximumLength == 7);
    CHECK(name.Length == 8 && name.MaximumLength == 10 && name.Buffer[3] == L'e');
    CHECK(global_name.Length == 28 && global_name.Buffer[0] == L'\\');
    CHECK(room.Length == 0 && room.MaximumLength == 24 && room.Buffer == room_buffer);
    RtlInitEmptyUnicodeString(&string, letters, sizeof(letters));
    CHECK(string.Length == 0 && string.MaximumLength == 8 && string.Buffer == letters);
    RtlInitEmptyAnsiString(&ansi, text, sizeof(text));
    CHECK(ansi.Length == 0 && ansi.MaximumLength == 4 && ansi.Buffer == text);
    CHECK(RtlAnsiStringToUnicodeSize(&narrow) == 14 && RtlUnicodeStringToAnsiSize(&constant) == 9);
    CHECK(RtlOemStringToUnicodeSize(&oem) == 12 && RtlOemStringToCountedUnicodeSize(&oem) == 10);
    CHECK(RtlUnicodeStringToOemSize(&constant) == 9 && RtlUnicodeStringToCountedOemSize(&constant) == 8);
    CHECK(RtlIntPtrToUnicodeString(0x123456789A, 16, &room) == STATUS_SUCCESS && room.Length == 20);
    room.Buffer[10] = room.Buffer[11] = 7;
    RtlSanitizeUnicodeStringPadding(&room);
    CHECK(room.Buffer[9] == L'A' && room.Buffer[10] == 0 && room.Buffer[11] == 0);
    InitializeObjectAttributes(&attributes, &constant, OBJ_INHERIT, (HANDLE)8, &narrow);
    CHECK(attributes.Length == 0x30 && attributes.ObjectName == &constant && attributes.Attributes == OBJ_INHERIT);
    CHECK(attributes.RootDirectory == (HANDLE)8 && attributes.SecurityDescriptor == &narrow);
    CHECK(attributes.SecurityQualityOfService == NULL);
    CHECK(given.ObjectName == &constant && given.Attributes == OBJ_CASE_INSENSITIVE && given.Length == 0x30);
    CHECK(init.ObjectName == &constant && init.Attributes == OBJ_KERNEL_HANDLE && init.RootDirectory == NULL);
}

static void check_bits(PCHECKS checks) {
    ULONG words[2] = {0, 2};
    RTL_BITMAP map = {64, words};
    ULONGLONG mask = 0;
    CHECK(RtlCheckBit(&map, 33) && !RtlCheckBit(&map, 32));
    VER_SET_CONDITION(mask, VER_BUILDNUMBER, VER_GREATER_EQUAL);
    CHECK(mask == 0xC0);
}

/* What the checked build's macros call is counted instead. */
static ULONG printed, asserted, broken, paged;
static PCHAR last_message;

static ULONG count_print(PCSTR Format, ...) {
    UNREFERENCED_PARAMETER(Format);
    printed++;
    return STATUS_SUCCESS;
}

static ULONG count_print_ex(ULONG ComponentId, ULONG Level, PCSTR Format, ...) {
    UNREFERENCED_PARAMETER(Format);
    printed += ComponentId * 100 + Level * 10;
    return STATUS_SUCCESS;
}

static void count_assertion(PVOID Assertion, PVOID FileName, ULONG Line, PSTR Message) {
    DBG_UNREFERENCED_PARAMETER(Assertion);
    DBG_UNREFERENCED_LOCAL_VARIABLE(FileName);
    asserted += Line != 0;
    last_message = Message;
}

static void count_break(void) { broken++; }
static void count_break_with_status(ULONG Status) { broken += Status; }

static void count_paged(PCSTR File, ULONG Line) { paged += File != NULL && Line != 0; }

#define DbgPrint count_print
#define DbgPrintEx count_print_ex
#define vDbgPrintEx count_print_ex
#define vDbgPrintExWithPrefix(prefix, component, level, format, arguments) count_print_ex(component, level, format)
#define RtlAssert count_assertion
#define DbgBreakPoint count_break
#define DbgBreakPointWithStatus count_break_with_status
#define dirql_paged_code count_paged

static void check_debugging(PCHECKS checks) {
    static char message[] = "message";
    int zero = 0;
    KdPrint(("%d\n", 1));
    CHECK(printed == 1);
    KdPrintEx((DPFLTR_SMSS_ID, DPFLTR_WARNING_LEVEL, "%d\n", 1));
    CHECK(printed == 111);
    vKdPrintEx((DPFLTR_SMSS_ID, DPFLTR_TRACE_LEVEL, "\n", 0));
    CHECK(printed == 231);
    vKdPrintExWithPrefix(("prefix", DPFLTR_SMSS_ID, DPFLTR_INFO_LEVEL, "\n", 0));
    CHECK(printed == 361);
    CHECK(RTL_SOFT_ASSERT(zero == 0) && printed == 361 && !RTL_SOFT_ASSERT(zero == 1) && printed == 362);
    KdBreakPoint();
    KdBreakPointWithStatus(DBG_STATUS_FATAL);
    CHECK(broken == 6);
    ASSERT(zero == 0);
    ASSERTMSG("no", zero == 0);
    NT_ASSERT(zero == 0);
    CHECK(asserted == 0);
    ASSERT(zero);
    CHECK(asserted == 1 && last_message == NULL);
    ASSERTMSG(message, zero);
    CHECK(asserted == 2 && last_message == message);
    NT_ASSERT(zero);
    NT_ASSERTMSG(message, zero);
    NT_ASSERTMSGW(L"message", zero);
    RTL_ASSERT(zero);
    CHECK(asserted == 6);
    CHECK(!NT_VERIFY(zero) && !RTL_VERIFY(zero) && !NT_FRE_ASSERT(zero) && asserted == 9);
    CHECK(NT_VERIFY(zero == 0) && RTL_VERIFY(zero == 0) && NT_FRE_ASSERT(zero == 0) && asserted == 9);
    PAGED_CODE();
    CHECK(paged == 1);
    PAGED_CODE_LOCKED();
    CHECK(paged == 1);
}

#ifdef __cplusplus
extern "C"
#endif
    void
    CHECK_MACROS(PCHECKS checks) {
    check_layout(checks);
    check_pages(checks);
    check_statuses(checks);
    check_words(checks);
    check_memory(checks);
    check_values(checks);
    check_pointers(checks);
    check_strings(checks);
    check_bits(checks);
    check_debugging(checks);
}
