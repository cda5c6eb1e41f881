// Exports that the other tests reach only through their neighbours: each by its own name, in a machine.
#include "catch.hpp"

#include "keeper.h"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <cstdarg>
#include <filesystem>
#include <string>

using namespace dirql;

namespace {

ULONG print(ULONG level, const char* format, ...) {
    va_list values;
    va_start(values, format);
    const ULONG result = vDbgPrintEx(DPFLTR_IHVDRIVER_ID, level, format, values);
    va_end(values);
    return result;
}

} // namespace

TEST_CASE("processors and times are told, each by its own function", "[exports]") {
    Machine machine({.processors = 3});
    const Outcome outcome = machine.run_in_kernel([] {
        KAFFINITY active = 0;
        CHECK(KeQueryActiveProcessorCount(&active) == 3);
        CHECK(active == 7);
        CHECK(KeQueryActiveProcessorCount(nullptr) == 3);
        CHECK(KeQueryActiveProcessors() == 7);
        CHECK(KeQueryMaximumProcessorCount() >= 3);
        ULONG64 counter = 0;
        const ULONG64 before = KeQueryInterruptTime();
        const ULONG64 precise = KeQueryInterruptTimePrecise(&counter);
        CHECK(precise >= before);
        CHECK(precise <= KeQueryInterruptTime());
        CHECK(counter <= static_cast<ULONG64>(KeQueryPerformanceCounter(nullptr).QuadPart));
        LARGE_INTEGER now;
        LARGE_INTEGER exact;
        KeQuerySystemTime(&now);
        KeQuerySystemTimePrecise(&exact);
        CHECK(exact.QuadPart >= now.QuadPart);
        CHECK(exact.QuadPart < now.QuadPart + 100'000);
        CHECK(MmQuerySystemSize() == MmLargeSystem); // more than a megabyte in Windows' sense of 1993
        CHECK(MmIsThisAnNtAsSystem() == FALSE);      // a client, as RtlGetVersion says
    });
    CHECK(outcome.finished());
}

TEST_CASE("guarded mutexes may be taken without entering a region, inside of one", "[exports]") {
    Machine machine;
    CHECK(machine
              .run_in_kernel([] {
                  KGUARDED_MUTEX mutex;
                  KeInitializeGuardedMutex(&mutex);
                  KeEnterGuardedRegion();
                  KeAcquireGuardedMutexUnsafe(&mutex);
                  CHECK_FALSE(KeTryToAcquireGuardedMutex(&mutex));
                  KeReleaseGuardedMutexUnsafe(&mutex);
                  CHECK(KeTryToAcquireGuardedMutex(&mutex));
                  KeReleaseGuardedMutex(&mutex);
                  KeLeaveGuardedRegion();
              })
              .finished());
}

TEST_CASE("references with tags count as those without", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([] {
        constexpr ULONG tag = 0x74736554;
        HANDLE handle = nullptr;
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        REQUIRE(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE) == STATUS_SUCCESS);
        PVOID event = nullptr;
        REQUIRE(ObReferenceObjectByHandleWithTag(handle, EVENT_ALL_ACCESS, *ExEventObjectType, KernelMode, tag, &event,
                                                 nullptr) == STATUS_SUCCESS);
        CHECK(ObReferenceObjectByPointerWithTag(event, EVENT_ALL_ACCESS, *IoFileObjectType, UserMode, tag) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        REQUIRE(ObReferenceObjectByPointerWithTag(event, EVENT_ALL_ACCESS, *ExEventObjectType, KernelMode, tag) ==
                STATUS_SUCCESS);
        const LONG_PTR count = ObfReferenceObjectWithTag(event, tag);
        CHECK(ObfDereferenceObjectWithTag(event, tag) == count - 1);
        ObDereferenceObjectDeferDeleteWithTag(event, tag);
        CHECK(ObfReferenceObjectWithTag(event, tag) == count - 1);
        CHECK(ObfDereferenceObjectWithTag(event, tag) == count - 2);
        HANDLE second = nullptr;
        REQUIRE(ObOpenObjectByPointerWithTag(event, OBJ_KERNEL_HANDLE, nullptr, EVENT_MODIFY_STATE, *ExEventObjectType,
                                             KernelMode, tag, &second) == STATUS_SUCCESS);
        CHECK(ZwSetEvent(second, nullptr) == STATUS_SUCCESS);
        CHECK(ZwClose(second) == STATUS_SUCCESS);
        CHECK(KeReadStateEvent(static_cast<PKEVENT>(event)) != 0);
        ObfDereferenceObjectWithTag(event, tag);
        CHECK(ZwClose(handle) == STATUS_SUCCESS);
    });
    CHECK(outcome.finished());
}

TEST_CASE("a named object's descriptor is read and changed by handle and by pointer", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([] {
        UNICODE_STRING name = RTL_CONSTANT_STRING(u"\\BaseNamedObjects\\Guarded");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        HANDLE handle = nullptr;
        REQUIRE(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE) == STATUS_SUCCESS);
        ULONG needed = 0;
        CHECK(ZwQuerySecurityObject(handle, DACL_SECURITY_INFORMATION, nullptr, 0, &needed) == STATUS_BUFFER_TOO_SMALL);
        alignas(8) unsigned char room[512];
        REQUIRE(needed <= sizeof room);
        CHECK(ZwQuerySecurityObject(handle, DACL_SECURITY_INFORMATION, room, needed, &needed) == STATUS_SUCCESS);
        CHECK(RtlValidSecurityDescriptor(room));
        SECURITY_DESCRIPTOR everybody;
        REQUIRE(RtlCreateSecurityDescriptor(&everybody, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
        REQUIRE(RtlSetDaclSecurityDescriptor(&everybody, TRUE, nullptr, FALSE) == STATUS_SUCCESS);
        CHECK(ZwSetSecurityObject(handle, DACL_SECURITY_INFORMATION, &everybody) == STATUS_SUCCESS);
        PVOID event = nullptr;
        REQUIRE(ObReferenceObjectByHandle(handle, 0, *ExEventObjectType, KernelMode, &event, nullptr) ==
                STATUS_SUCCESS);
        PSECURITY_DESCRIPTOR descriptor = nullptr;
        BOOLEAN allocated = FALSE;
        REQUIRE(ObGetObjectSecurity(event, &descriptor, &allocated) == STATUS_SUCCESS);
        PACL list = nullptr;
        BOOLEAN present = FALSE;
        BOOLEAN defaulted = FALSE;
        CHECK(RtlGetDaclSecurityDescriptor(descriptor, &present, &list, &defaulted) == STATUS_SUCCESS);
        CHECK(present);
        CHECK(list == nullptr); // everybody
        ObReleaseObjectSecurity(descriptor, allocated);
        ObDereferenceObject(event);
        ZwClose(handle);
    });
    CHECK(outcome.finished());
}

TEST_CASE("a driver controls another's device by handle", "[exports]") {
    Machine machine;
    machine.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    const Outcome outcome = machine.run_in_kernel([] {
        UNICODE_STRING name = RTL_CONSTANT_STRING(u"\\Device\\KeeperA");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        HANDLE file = nullptr;
        IO_STATUS_BLOCK block{};
        REQUIRE(ZwOpenFile(&file, SYNCHRONIZE | FILE_READ_DATA, &attributes, &block, FILE_SHARE_READ,
                           FILE_SYNCHRONOUS_IO_NONALERT) == STATUS_SUCCESS);
        CHECK(ZwDeviceIoControlFile(file, nullptr, nullptr, nullptr, &block, KEEPER_PRINT, nullptr, 0, nullptr, 0) ==
              STATUS_SUCCESS);
        CHECK(ZwFsControlFile(file, nullptr, nullptr, nullptr, &block, 0x90000, nullptr, 0, nullptr, 0) ==
              STATUS_INVALID_DEVICE_REQUEST);
        CHECK(ZwClose(file) == STATUS_SUCCESS);
        CHECK(ZwDeviceIoControlFile(nullptr, nullptr, nullptr, nullptr, &block, KEEPER_PRINT, nullptr, 0, nullptr, 0) ==
              STATUS_INVALID_HANDLE);
        PCONTROLLER_OBJECT controller = IoCreateController(16);
        REQUIRE(controller != nullptr);
        CHECK(*static_cast<const unsigned char*>(controller->ControllerExtension) == 0);
        IoDeleteController(controller);
        CHECK(print(DPFLTR_ERROR_LEVEL, "%d and %s\n", 7, "text") == STATUS_SUCCESS);
    });
    CHECK(outcome.finished());
    CHECK(machine.debug_output().find("keeper\n") != std::string::npos);
    CHECK(machine.debug_output().find("7 and text\n") != std::string::npos);
}

TEST_CASE("a status that nobody handles is a system thread's end, and the machine's", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([] { RtlRaiseStatus(STATUS_NO_MEMORY); });
    CHECK(outcome.is_bug_check(0x7E));
    CHECK(static_cast<std::uint32_t>(outcome.bug_check.parameters[0]) == 0xC0000017);
}

TEST_CASE("an assertion that fails is printed, and goes on under a debugger", "[exports]") {
    Machine machine({.kernel_debugger = true});
    static char expression[] = "x == y";
    static char file[] = "file.c";
    CHECK(machine.run_in_kernel([] { RtlAssert(expression, file, 77, nullptr); }).finished());
    CHECK(machine.debug_output().find("x == y") != std::string::npos);
    CHECK(machine.debug_output().find("77") != std::string::npos);
}

TEST_CASE("an application opens its process's token", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run([](Process&) {
        constexpr ACCESS_MASK query = 8;
        HANDLE token = nullptr;
        REQUIRE(NtOpenProcessToken(NtCurrentProcess(), query, &token) == STATUS_SUCCESS);
        CHECK(NtClose(token) == STATUS_SUCCESS);
        CHECK(NtOpenProcessToken(nullptr, query, &token) == STATUS_INVALID_HANDLE);
        CHECK(NtOpenProcessToken(NtCurrentProcess(), query, nullptr) == STATUS_ACCESS_VIOLATION);
    });
    CHECK(outcome.finished());
}

TEST_CASE("a controller that is deleted is gone", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([] {
        PCONTROLLER_OBJECT controller = IoCreateController(16);
        IoDeleteController(controller);
        IoDeleteController(controller);
    });
    CHECK(outcome.is_bug_check(BAD_POOL_CALLER));
}
