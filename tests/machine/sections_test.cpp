// Virtual memory and sections, by the system services that drivers and applications call.
#include "catch.hpp"
#include "support/names.hpp"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <cstring>
#include <string>
#include <string_view>

// The services that applications reach through their own libraries.
extern "C" {
NTSTATUS NTAPI NtOpenSection(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSTATUS NTAPI NtMapViewOfSection(HANDLE, HANDLE, PVOID*, ULONG_PTR, SIZE_T, PLARGE_INTEGER, PSIZE_T, SECTION_INHERIT,
                                  ULONG, ULONG);
NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE, PVOID);
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE, PVOID*, PSIZE_T, ULONG, PULONG);
NTSTATUS NTAPI NtClose(HANDLE);
}

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr SIZE_T kib64 = 0x10000;

LARGE_INTEGER large(LONGLONG value) {
    LARGE_INTEGER result;
    result.QuadPart = value;
    return result;
}

NTSTATUS make_section(HANDLE& handle, LONGLONG size, ULONG protect = PAGE_READWRITE, ULONG attributes = SEC_COMMIT,
                      ACCESS_MASK access = SECTION_ALL_ACCESS) {
    LARGE_INTEGER maximum = large(size);
    return NtCreateSection(&handle, access, nullptr, &maximum, protect, attributes, nullptr);
}

struct View {
    NTSTATUS status;
    std::byte* base;
    SIZE_T size;
};

View map(HANDLE section, ULONG protect = PAGE_READWRITE, LONGLONG offset = 0, SIZE_T size = 0, void* at = nullptr,
         SIZE_T commit = 0) {
    LARGE_INTEGER from = large(offset);
    PVOID base = at;
    const NTSTATUS status =
        NtMapViewOfSection(section, NtCurrentProcess(), &base, 0, commit, &from, &size, ViewUnmap, 0, protect);
    return {status, static_cast<std::byte*>(base), size};
}

MEMORY_BASIC_INFORMATION query(void* address) {
    MEMORY_BASIC_INFORMATION information{};
    SIZE_T returned = 0;
    CHECK(NtQueryVirtualMemory(NtCurrentProcess(), address, MemoryBasicInformation, &information, sizeof information,
                               &returned) == STATUS_SUCCESS);
    CHECK(returned == sizeof information);
    return information;
}

} // namespace

TEST_CASE("an application's virtual memory, by the services", "[virtual]") {
    Machine machine;
    const Outcome outcome = machine.run([&](Process& process) {
        PVOID base = nullptr;
        SIZE_T size = 3 * PAGE_SIZE - 5;
        REQUIRE(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_RESERVE, PAGE_READWRITE) ==
                STATUS_SUCCESS);
        CHECK(size == 3 * PAGE_SIZE);
        auto* memory = static_cast<std::byte*>(base);
        MEMORY_BASIC_INFORMATION information = query(memory + 5);
        CHECK(information.State == MEM_RESERVE);
        CHECK(information.BaseAddress == memory);
        CHECK(information.AllocationBase == memory);
        CHECK(information.AllocationProtect == PAGE_READWRITE);
        CHECK(information.RegionSize == 3 * PAGE_SIZE);
        CHECK(information.Protect == 0);
        CHECK(information.Type == MEM_PRIVATE);
        CHECK(query(memory + 3 * PAGE_SIZE).State == MEM_FREE);
        PVOID second = memory + PAGE_SIZE;
        size = 1;
        CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), &second, 0, &size, MEM_COMMIT, PAGE_READWRITE) ==
              STATUS_SUCCESS);
        memory[PAGE_SIZE] = std::byte{9};
        ULONG old = 0;
        CHECK(NtProtectVirtualMemory(NtCurrentProcess(), &second, &size, PAGE_READONLY, &old) == STATUS_SUCCESS);
        CHECK(old == PAGE_READWRITE);
        CHECK(query(second).Protect == PAGE_READONLY);
        CHECK(query(second).RegionSize == PAGE_SIZE);
        // A service that is to write there sees it.
        CHECK(NtQueryVirtualMemory(NtCurrentProcess(), base, MemoryBasicInformation, second, sizeof information,
                                   nullptr) == STATUS_ACCESS_VIOLATION);
        size = 0;
        CHECK(NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE) == STATUS_SUCCESS);
        CHECK(size == 3 * PAGE_SIZE);
        CHECK(query(memory).State == MEM_FREE);
        // Pointers and handles that are not the caller's.
        PVOID null = nullptr;
        size = PAGE_SIZE;
        auto* system = static_cast<PVOID*>(MmSystemRangeStart);
        CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), system, 0, &size, MEM_RESERVE, PAGE_READWRITE) ==
              STATUS_ACCESS_VIOLATION);
        CHECK(NtAllocateVirtualMemory(reinterpret_cast<HANDLE>(0x9998), &null, 0, &size, MEM_RESERVE, PAGE_READWRITE) ==
              STATUS_INVALID_HANDLE);
        CHECK(NtAllocateVirtualMemory(NtCurrentThread(), &null, 0, &size, MEM_RESERVE, PAGE_READWRITE) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(null == nullptr);
        CHECK(size == PAGE_SIZE);
        CHECK(NtQueryVirtualMemory(NtCurrentProcess(), nullptr, MemoryBasicInformation, &information, 8, nullptr) ==
              STATUS_INFO_LENGTH_MISMATCH);
        CHECK(NtQueryVirtualMemory(NtCurrentProcess(), nullptr, static_cast<MEMORY_INFORMATION_CLASS>(9), &information,
                                   sizeof information, nullptr) == STATUS_INVALID_INFO_CLASS);
        CHECK(NtQueryVirtualMemory(NtCurrentProcess(), MmSystemRangeStart, MemoryBasicInformation, &information,
                                   sizeof information, nullptr) == STATUS_INVALID_PARAMETER);
        CHECK(query(nullptr).State == MEM_FREE);
        CHECK(query(process.allocate(100)).State == MEM_COMMIT);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("a driver's virtual memory in the system process", "[virtual]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([&] {
        PVOID base = nullptr;
        SIZE_T size = PAGE_SIZE;
        REQUIRE(ZwAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_RESERVE | MEM_COMMIT,
                                        PAGE_READWRITE) == STATUS_SUCCESS);
        CHECK(base < MmSystemRangeStart);
        std::memset(base, 5, PAGE_SIZE);
        ULONG old = 0;
        CHECK(ZwProtectVirtualMemory(NtCurrentProcess(), &base, &size, PAGE_READONLY, &old) == STATUS_SUCCESS);
        MEMORY_BASIC_INFORMATION information{};
        CHECK(ZwQueryVirtualMemory(NtCurrentProcess(), base, MemoryBasicInformation, &information, sizeof information,
                                   nullptr) == STATUS_SUCCESS);
        CHECK(information.Protect == PAGE_READONLY);
        size = 0;
        CHECK(ZwFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE) == STATUS_SUCCESS);
        CHECK(!MmIsAddressValid(base));
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("a named section is shared by processes, drivers and the system", "[section]") {
    Machine machine;
    HANDLE kernel_handle = nullptr;
    void* system_view = nullptr;
    Outcome outcome = machine.run_in_kernel([&] {
        Attributes name(u"\\BaseNamedObjects\\Shared", OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE);
        SECURITY_DESCRIPTOR everybody; // else what a driver makes is the system's, and administrators only read it
        REQUIRE(RtlCreateSecurityDescriptor(&everybody, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
        REQUIRE(RtlSetDaclSecurityDescriptor(&everybody, TRUE, nullptr, FALSE) == STATUS_SUCCESS);
        name.get()->SecurityDescriptor = &everybody;
        LARGE_INTEGER size = large(3 * kib64 + 1);
        REQUIRE(ZwCreateSection(&kernel_handle, SECTION_ALL_ACCESS, name.get(), &size, PAGE_READWRITE, SEC_COMMIT,
                                nullptr) == STATUS_SUCCESS);
        HANDLE again = nullptr;
        CHECK(ZwCreateSection(&again, SECTION_ALL_ACCESS, name.get(), &size, PAGE_READWRITE, SEC_COMMIT, nullptr) ==
              STATUS_OBJECT_NAME_COLLISION);
        CHECK(ZwOpenSection(&again, SECTION_MAP_READ, name.get()) == STATUS_SUCCESS);
        ZwClose(again);
        PVOID section = nullptr;
        REQUIRE(ObReferenceObjectByHandle(kernel_handle, SECTION_MAP_WRITE, *MmSectionObjectType, KernelMode, &section,
                                          nullptr) == STATUS_SUCCESS);
        SIZE_T view_size = 0;
        REQUIRE(MmMapViewInSystemSpace(section, &system_view, &view_size) == STATUS_SUCCESS);
        CHECK(view_size == 3 * kib64 + PAGE_SIZE);
        CHECK(system_view >= MmSystemRangeStart);
        static_cast<std::byte*>(system_view)[kib64 + 3] = std::byte{33};
        PVOID session_view = nullptr;
        view_size = kib64;
        CHECK(MmMapViewInSessionSpace(section, &session_view, &view_size) == STATUS_SUCCESS);
        CHECK(view_size == kib64);
        static_cast<std::byte*>(session_view)[9] = std::byte{99};
        CHECK(static_cast<std::byte*>(system_view)[9] == std::byte{99});
        CHECK(MmUnmapViewInSessionSpace(session_view) == STATUS_SUCCESS);
        CHECK(MmUnmapViewInSessionSpace(session_view) == STATUS_NOT_MAPPED_VIEW);
        view_size = 4 * kib64;
        CHECK(MmMapViewInSystemSpace(section, &session_view, &view_size) == STATUS_INVALID_VIEW_SIZE);
        ObDereferenceObject(section);

        PVOID base = nullptr; // in the system process
        view_size = 0;
        REQUIRE(ZwMapViewOfSection(kernel_handle, NtCurrentProcess(), &base, 0, 0, nullptr, &view_size, ViewUnmap, 0,
                                   PAGE_READWRITE) == STATUS_SUCCESS);
        CHECK(static_cast<std::byte*>(base)[kib64 + 3] == std::byte{33});
        CHECK(ZwUnmapViewOfSection(NtCurrentProcess(), static_cast<std::byte*>(base) + 100) == STATUS_SUCCESS);
        CHECK(ZwUnmapViewOfSection(NtCurrentProcess(), base) == STATUS_NOT_MAPPED_VIEW);
    });
    INFO(outcome.report);
    REQUIRE(outcome.finished());
    for (int round = 0; round < 2; ++round) { // a process each
        outcome = machine.run([&](Process&) {
            Attributes name(u"\\BaseNamedObjects\\shared", OBJ_CASE_INSENSITIVE);
            HANDLE section = nullptr;
            REQUIRE(NtOpenSection(&section, SECTION_MAP_READ | SECTION_MAP_WRITE, name.get()) == STATUS_SUCCESS);
            const View view = map(section, PAGE_READWRITE, kib64 + 500); // rounded down
            REQUIRE(view.status == STATUS_SUCCESS);
            CHECK(view.size == 2 * kib64 + PAGE_SIZE);
            CHECK(view.base[3] == static_cast<std::byte>(33 + round));
            view.base[3] = static_cast<std::byte>(33 + round + 1);
            CHECK(map(section, PAGE_READWRITE, kib64 + 500, PAGE_SIZE).size == 2 * PAGE_SIZE); // its end is not
            CHECK(map(section, PAGE_READWRITE, 0xFFFF, 2 * kib64).size == 3 * kib64);
            CHECK(map(section, PAGE_READWRITE, 2 * kib64 + 0xFFFF, kib64).status == STATUS_INVALID_VIEW_SIZE);
            const View twice = map(section, PAGE_READONLY);
            CHECK(twice.base[kib64 + 3] == view.base[3]);
            MEMORY_BASIC_INFORMATION information = query(twice.base + PAGE_SIZE);
            CHECK(information.Type == MEM_MAPPED);
            CHECK(information.Protect == PAGE_READONLY);
            CHECK(information.AllocationBase == twice.base);
            CHECK(NtClose(section) == STATUS_SUCCESS);
            CHECK(view.base[3] == static_cast<std::byte>(33 + round + 1)); // a view keeps the section
            if (round == 0) CHECK(NtUnmapViewOfSection(NtCurrentProcess(), view.base) == STATUS_SUCCESS);
        });
        INFO(outcome.report);
        REQUIRE(outcome.finished());
    }
    outcome = machine.run_in_kernel([&] {
        CHECK(static_cast<std::byte*>(system_view)[kib64 + 3] == std::byte{35});
        CHECK(MmUnmapViewInSystemSpace(system_view) == STATUS_SUCCESS);
        CHECK(MmUnmapViewInSystemSpace(system_view) == STATUS_NOT_MAPPED_VIEW);
        ZwClose(kernel_handle);
        Attributes name(u"\\BaseNamedObjects\\Shared", OBJ_KERNEL_HANDLE);
        HANDLE gone = nullptr;
        CHECK(ZwOpenSection(&gone, SECTION_MAP_READ, name.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("sections and views that cannot be had", "[section]") {
    MachineOptions options;
    options.physical_memory = std::size_t{16} << 20;
    Machine machine(options);
    const Outcome outcome = machine.run([&](Process& process) {
        HANDLE handle = nullptr;
        CHECK(make_section(handle, 0) == STATUS_INVALID_PARAMETER_4);
        CHECK(make_section(handle, -1) == STATUS_INVALID_PARAMETER_4);
        CHECK(NtCreateSection(&handle, SECTION_ALL_ACCESS, nullptr, nullptr, PAGE_READWRITE, SEC_COMMIT, nullptr) ==
              STATUS_INVALID_PARAMETER_4);
        CHECK(make_section(handle, LONGLONG{1} << 60) == STATUS_SECTION_TOO_BIG);
        CHECK(make_section(handle, LONGLONG{1} << 30) == STATUS_COMMITMENT_LIMIT);
        for (const ULONG wrong : {ULONG{0}, ULONG{SEC_COMMIT | SEC_RESERVE}, ULONG{SEC_COMMIT | 1}, ULONG{SEC_IMAGE}})
            CHECK(make_section(handle, 1, PAGE_READWRITE, wrong) == STATUS_INVALID_PARAMETER_6);
        for (const ULONG wrong : {0, PAGE_NOACCESS, PAGE_READWRITE | PAGE_GUARD, PAGE_READWRITE | PAGE_READONLY})
            CHECK(make_section(handle, 1, wrong) == STATUS_INVALID_PAGE_PROTECTION);
        LARGE_INTEGER size = large(1);
        CHECK(NtCreateSection(&handle, SECTION_ALL_ACCESS, nullptr, &size, PAGE_READWRITE, SEC_COMMIT,
                              reinterpret_cast<HANDLE>(0x9998)) == STATUS_INVALID_HANDLE);
        CHECK(NtCreateSection(&handle, SECTION_ALL_ACCESS, nullptr, &size, PAGE_READWRITE, SEC_COMMIT,
                              NtCurrentProcess()) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(NtCreateSection(static_cast<PHANDLE>(MmSystemRangeStart), SECTION_ALL_ACCESS, nullptr, &size,
                              PAGE_READWRITE, SEC_COMMIT, nullptr) == STATUS_ACCESS_VIOLATION);

        REQUIRE(make_section(handle, 2 * kib64, PAGE_READONLY) == STATUS_SUCCESS);
        CHECK(map(handle, PAGE_READWRITE).status == STATUS_SECTION_PROTECTION);
        CHECK(map(handle, PAGE_EXECUTE_READ).status == STATUS_SECTION_PROTECTION);
        CHECK(map(handle, PAGE_READONLY).status == STATUS_SUCCESS);
        NtClose(handle);
        REQUIRE(make_section(handle, 2 * kib64, PAGE_READWRITE, SEC_COMMIT, SECTION_MAP_READ) == STATUS_SUCCESS);
        CHECK(map(handle, PAGE_READWRITE).status == STATUS_ACCESS_DENIED);
        const View read = map(handle, PAGE_READONLY); // and what the handle does not allow, its view does not
        PVOID page = read.base;
        SIZE_T one = 1;
        ULONG old = 0;
        CHECK(NtProtectVirtualMemory(NtCurrentProcess(), &page, &one, PAGE_READWRITE, &old) ==
              STATUS_SECTION_PROTECTION);
        CHECK(NtProtectVirtualMemory(NtCurrentProcess(), &page, &one, PAGE_NOACCESS, &old) == STATUS_SUCCESS);
        CHECK(NtProtectVirtualMemory(NtCurrentProcess(), &page, &one, PAGE_READONLY, &old) == STATUS_SUCCESS);
        NtClose(handle);
        REQUIRE(make_section(handle, 2 * kib64) == STATUS_SUCCESS);
        CHECK(map(handle, PAGE_READWRITE, 2 * kib64).status == STATUS_INVALID_VIEW_SIZE);
        CHECK(map(handle, PAGE_READWRITE, kib64, kib64 + 1).status == STATUS_INVALID_VIEW_SIZE);
        CHECK(map(handle, 0).status == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(map(handle, PAGE_READWRITE, 0, 0, MmSystemRangeStart).status == STATUS_INVALID_PARAMETER_3);
        const View view = map(handle);
        CHECK(map(handle, PAGE_READWRITE, 0, 0, view.base + 100).status == STATUS_CONFLICTING_ADDRESSES);
        const View placed = map(handle, PAGE_READWRITE, 0, 0, view.base + 64 * kib64 + 77);
        CHECK(placed.base == view.base + 64 * kib64);
        PVOID base = nullptr;
        SIZE_T bytes = 0;
        CHECK(NtMapViewOfSection(handle, NtCurrentProcess(), &base, 22, 0, nullptr, &bytes, ViewUnmap, 0,
                                 PAGE_READWRITE) == STATUS_INVALID_PARAMETER_4);
        CHECK(NtMapViewOfSection(handle, NtCurrentProcess(), &base, 0, 0, nullptr, &bytes,
                                 static_cast<SECTION_INHERIT>(3), 0, PAGE_READWRITE) == STATUS_INVALID_PARAMETER_8);
        CHECK(NtMapViewOfSection(handle, NtCurrentProcess(), &base, 0, 0, nullptr, &bytes, ViewUnmap, MEM_COMMIT,
                                 PAGE_READWRITE) == STATUS_INVALID_PARAMETER_9);
        CHECK(NtMapViewOfSection(NtCurrentProcess(), NtCurrentProcess(), &base, 0, 0, nullptr, &bytes, ViewUnmap, 0,
                                 PAGE_READWRITE) == STATUS_OBJECT_TYPE_MISMATCH);
        // A view is not freed as memory is, nor committed twice, nor memory unmapped as a view.
        base = view.base;
        CHECK(NtFreeVirtualMemory(NtCurrentProcess(), &base, &bytes, MEM_RELEASE) == STATUS_UNABLE_TO_DELETE_SECTION);
        bytes = PAGE_SIZE;
        CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &bytes, MEM_COMMIT, PAGE_READWRITE) ==
              STATUS_ALREADY_COMMITTED);
        CHECK(NtUnmapViewOfSection(NtCurrentProcess(), process.allocate(10)) == STATUS_NOT_MAPPED_VIEW);
        CHECK(NtUnmapViewOfSection(NtCurrentProcess(), MmSystemRangeStart) == STATUS_NOT_MAPPED_VIEW);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("a reserved section is committed page by page, for all views", "[section]") {
    Machine machine;
    const Outcome outcome = machine.run([&](Process&) {
        HANDLE handle = nullptr;
        REQUIRE(make_section(handle, 16 * PAGE_SIZE, PAGE_READWRITE, SEC_RESERVE) == STATUS_SUCCESS);
        const View first = map(handle, PAGE_READWRITE, 0, 0, nullptr, PAGE_SIZE + 1);
        const View second = map(handle);
        REQUIRE(first.status == STATUS_SUCCESS);
        first.base[PAGE_SIZE] = std::byte{5};
        CHECK(second.base[PAGE_SIZE] == std::byte{5});
        CHECK(query(second.base).RegionSize == 2 * PAGE_SIZE);
        CHECK(query(second.base + 2 * PAGE_SIZE).State == MEM_RESERVE);
        PVOID at = second.base + 7 * PAGE_SIZE;
        SIZE_T bytes = PAGE_SIZE;
        CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), &at, 0, &bytes, MEM_COMMIT, PAGE_READWRITE) ==
              STATUS_SUCCESS);
        second.base[7 * PAGE_SIZE] = std::byte{6};
        CHECK(first.base[7 * PAGE_SIZE] == std::byte{6});
        CHECK(query(first.base + 7 * PAGE_SIZE).State == MEM_COMMIT);
        CHECK(query(first.base + 8 * PAGE_SIZE).State == MEM_RESERVE);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("a copied view goes its own way with the first write to a page", "[section]") {
    Machine machine;
    const Outcome outcome = machine.run([&](Process&) {
        HANDLE handle = nullptr;
        REQUIRE(make_section(handle, 2 * PAGE_SIZE) == STATUS_SUCCESS);
        const View shared = map(handle);
        const View copied = map(handle, PAGE_WRITECOPY);
        shared.base[0] = std::byte{1};
        shared.base[PAGE_SIZE] = std::byte{2};
        CHECK(copied.base[0] == std::byte{1});
        CHECK(query(copied.base).Protect == PAGE_WRITECOPY);
        copied.base[1] = std::byte{3};
        CHECK(shared.base[1] == std::byte{0});
        CHECK(copied.base[0] == std::byte{1});
        shared.base[0] = std::byte{4};
        CHECK(copied.base[0] == std::byte{1});
        shared.base[PAGE_SIZE] = std::byte{5}; // that page is shared still
        CHECK(copied.base[PAGE_SIZE] == std::byte{5});
        CHECK(query(copied.base).Protect == PAGE_READWRITE);
        CHECK(query(copied.base + PAGE_SIZE).Protect == PAGE_WRITECOPY);
        CHECK(NtUnmapViewOfSection(NtCurrentProcess(), copied.base) == STATUS_SUCCESS);
        CHECK(shared.base[0] == std::byte{4});
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}

TEST_CASE("the kernel's routines are found by name", "[exports]") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([&] {
        const auto find = [](std::u16string_view text) {
            UNICODE_STRING name = unicode(text);
            return MmGetSystemRoutineAddress(&name);
        };
        CHECK(find(u"KeSetEvent") == reinterpret_cast<void*>(KeSetEvent));
        CHECK(find(u"MmHighestUserAddress") == static_cast<void*>(&MmHighestUserAddress)); // data, too
        CHECK(find(u"memcpy") != nullptr);
        for (const std::u16string_view absent : {u"kesetevent", u"KeSetEven", u"KeSetEventX", u"", u"KeSetEven\u00E9",
                                                 u"MmGetMdlByteCount", u"__stack_chk_fail"})
            CHECK(find(absent) == nullptr);
        CHECK(find(std::u16string(300, u'K')) == nullptr);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
}
