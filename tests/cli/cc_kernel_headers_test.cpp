// A driver as people write them, with the kernel's headers in Windows spellings: both languages, both compilers.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::compilers;
using cli_test::dirql;
using cli_test::Workplace;

namespace {

constexpr const char* precompiled_header = R"(
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
#include <NTDDK.H>
#ifdef __cplusplus
}
#endif
#include "..\Inc\IoCodes.h"
)";

constexpr const char* io_codes =
    "#define IOCTL_SUM CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS)\n";

// Compiles as C and as C++.
constexpr const char* driver = R"(
#include "PreComp.h"
#pragma hdrstop
#ifdef __cplusplus
extern "C"
#endif
DRIVER_INITIALIZE DriverEntry;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) DRIVER_DISPATCH SumControl;
DRIVER_UNLOAD SumUnload;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, SumUnload)
#endif

static NTSTATUS SumBytes(_In_reads_bytes_(Length) PUCHAR Bytes, _In_ ULONG Length, _Out_ PULONG Sum)
{
    NTSTATUS status = STATUS_SUCCESS;
    __try {
        ProbeForRead(Bytes, Length, sizeof(UCHAR));
        for (*Sum = 0; Length != 0; Length--) *Sum += *Bytes++;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}

NTSTATUS SumControl(_In_ PDEVICE_OBJECT DeviceObject, _Inout_ PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    ULONG sum = 0;
    UNREFERENCED_PARAMETER(DeviceObject);
    if (stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_SUM)
        status = SumBytes((PUCHAR)stack->Parameters.DeviceIoControl.Type3InputBuffer,
                          stack->Parameters.DeviceIoControl.InputBufferLength, &sum);
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = sum;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

VOID SumUnload(_In_ PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\Sum");
    PAGED_CODE();
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name, link;
    PDEVICE_OBJECT device;
    NTSTATUS status;
    UNREFERENCED_PARAMETER(RegistryPath);
    RtlInitUnicodeString(&name, L"\\Device\\Sum");
    RtlInitUnicodeString(&link, L"\\DosDevices\\Sum");
    status = IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status)) return status;
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(device);
        return status;
    }
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = SumControl;
    DriverObject->DriverUnload = SumUnload;
    KdPrint(("Sum: loaded as %wZ\n", &name));
    return STATUS_SUCCESS;
}
)";

} // namespace

TEST_CASE("a driver with the kernel's headers builds without a word") {
    for (const auto& compiler : compilers()) {
        for (const std::string source : {"Sys/Sum.c", "Sys/Sum.cpp"}) {
            const Workplace place;
            place.write("Sys/precomp.h", precompiled_header);
            place.write("inc/iocodes.h", io_codes);
            place.write(source, driver);
            const auto result = dirql(place, {"cc", "--compiler", compiler, "-o", "sum.so", source});
            CHECK(result.status == 0);
            CHECK(result.err == "");
            CHECK(place.has("sum.so"));
        }
    }
}
