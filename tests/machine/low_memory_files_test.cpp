// Each allocation that a service of files makes fails once: the service says so, and nothing is lost.
#include "io/services.hpp"
#include "ke/system_service.hpp"
#include "support/low_memory.hpp"

#include "catch.hpp"

#include <dirql/dirql.hpp>

#include <string_view>

using namespace dirql;
using namespace dirql::test;

namespace {

NTSTATUS NTAPI succeed(PDEVICE_OBJECT, PIRP irp) {
    irp->IoStatus.Status = STATUS_SUCCESS;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI succeed_later(PDEVICE_OBJECT, PIRP irp) {
    IoMarkIrpPending(irp);
    irp->IoStatus.Status = STATUS_SUCCESS;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_PENDING;
}

UNICODE_STRING unicode(std::u16string_view text) {
    const auto bytes = static_cast<USHORT>(text.size() * sizeof(char16_t));
    return {bytes, bytes, reinterpret_cast<PWCH>(const_cast<char16_t*>(text.data()))};
}

NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    for (PDRIVER_DISPATCH& routine : driver->MajorFunction) routine = succeed;
    driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = succeed_later;
    UNICODE_STRING name = unicode(u"\\Device\\LowFile");
    PDEVICE_OBJECT device = nullptr;
    const NTSTATUS status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (NT_SUCCESS(status)) device->Flags |= DO_BUFFERED_IO;
    return status;
}

FreshMachine in_kernel() {
    return [](const std::function<void()>& work) {
        Machine machine;
        REQUIRE(machine.load("low", reinterpret_cast<void*>(driver_entry)).has_value());
        const Outcome outcome = machine.run_in_kernel(work);
        if (!outcome.finished()) UNSCOPED_INFO(outcome.report);
        return outcome.finished();
    };
}

struct Name {
    explicit Name(std::u16string_view of) : text(unicode(of)) {
        InitializeObjectAttributes(&attributes, &text, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    }
    UNICODE_STRING text;
    OBJECT_ATTRIBUTES attributes{};
};

// In a service of an application's thread, where the normal kernel APC that ends a request is delivered at once. A system thread
// starts in a critical region: there the APC, and with it the IRP, stays queued until the thread ends.
FreshMachine in_application() {
    return [](const std::function<void()>& work) {
        Machine machine;
        REQUIRE(machine.load("low", reinterpret_cast<void*>(driver_entry)).has_value());
        const Outcome outcome = machine.run([&](Process&) {
            (void)ke::system_service([&] {
                work();
                return STATUS_SUCCESS;
            });
        });
        if (!outcome.finished()) UNSCOPED_INFO(outcome.report);
        return outcome.finished();
    };
}

// Asynchronous, unless `options` says otherwise.
HANDLE open(const LowMemory& memory, ULONG options = 0) {
    Name name(u"\\Device\\LowFile\\f");
    IO_STATUS_BLOCK block{};
    HANDLE file = nullptr;
    return memory.ok(ZwOpenFile(&file, FILE_ALL_ACCESS, &name.attributes, &block, 0, options)) ? file : nullptr;
}

unsigned locked;
VOID NTAPI count_lock(PVOID, PIO_STATUS_BLOCK, ULONG) { ++locked; }

} // namespace

TEST_CASE("information, locks, directories, attributes and volumes, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_application(), [](const LowMemory& memory) {
        for (const ULONG options : {0u, 0u + FILE_SYNCHRONOUS_IO_NONALERT}) {
            const HANDLE file = open(memory, options);
            if (file == nullptr) continue;
            IO_STATUS_BLOCK block{};
            alignas(8) char buffer[128] = {};
            LARGE_INTEGER at{.QuadPart = 1};
            UNICODE_STRING pattern = unicode(u"*");
            (void)memory.ok(ZwQueryInformationFile(file, &block, buffer, sizeof buffer, FileBasicInformation));
            (void)memory.ok(ZwSetInformationFile(file, &block, buffer, 40, FileBasicInformation));
            auto* rename = reinterpret_cast<PFILE_RENAME_INFORMATION>(buffer);
            rename->RootDirectory = file;
            rename->FileNameLength = 2;
            rename->FileName[0] = u'x';
            (void)memory.ok(ZwSetInformationFile(file, &block, buffer, sizeof *rename, FileRenameInformation));
            (void)memory.ok(ZwQueryVolumeInformationFile(file, &block, buffer, sizeof buffer, FileFsSizeInformation));
            locked = 0;
            if (memory.ok(ZwLockFile(file, nullptr, count_lock, nullptr, &block, &at, &at, 0, TRUE, TRUE)))
                CHECK(locked == 1);
            (void)memory.ok(ZwUnlockFile(file, &block, &at, &at, 0));
            (void)memory.ok(ZwFlushBuffersFile(file, &block));
            (void)memory.ok(ZwQueryDirectoryFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer,
                                                 FileNamesInformation, FALSE, &pattern, FALSE));
            char names[] = "\0\0\0\0\x01N";
            (void)memory.ok(
                ZwQueryEaFile(file, &block, buffer, sizeof buffer, FALSE, names, sizeof names, nullptr, FALSE));
            char attributes[] = "\0\0\0\0\0\x01\x01\0N\0v";
            (void)memory.ok(ZwSetEaFile(file, &block, attributes, sizeof attributes));
            ZwClose(file);
        }
        Name name(u"\\Device\\LowFile\\f");
        FILE_NETWORK_OPEN_INFORMATION network;
        (void)memory.ok(ZwQueryFullAttributesFile(&name.attributes, &network));
        (void)memory.ok(ZwDeleteFile(&name.attributes));
    });
    CHECK(made > 20);
}

TEST_CASE("completion ports, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        Name name(u"\\LowPort");
        HANDLE port = nullptr;
        if (!memory.ok(ZwCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, &name.attributes, 0))) return;
        const HANDLE file = open(memory);
        unsigned expected = 0;
        IO_STATUS_BLOCK block{};
        char buffer[8];
        LARGE_INTEGER at{};
        if (file != nullptr) {
            FILE_COMPLETION_INFORMATION information{port, nullptr};
            CHECK(ZwSetInformationFile(file, &block, &information, sizeof information, FileCompletionInformation) ==
                  STATUS_SUCCESS);
            for (int i = 0; i < 2; ++i) {
                const NTSTATUS status = ZwReadFile(file, nullptr, nullptr, &block, &block, buffer, 8, &at, nullptr);
                expected += memory.ok(status == STATUS_PENDING ? STATUS_SUCCESS : status) ? 1 : 0;
            }
            if (memory.ok(ZwSetIoCompletion(port, nullptr, nullptr, STATUS_SUCCESS, 0))) ++expected;
        }
        PVOID key = nullptr;
        PVOID context = nullptr;
        LARGE_INTEGER now{};
        if (expected > 1) { // one stays there
            for (unsigned i = 1; i < expected; ++i)
                CHECK(ZwRemoveIoCompletion(port, &key, &context, &block, &now) == STATUS_SUCCESS);
        }
        if (file != nullptr) ZwClose(file);
        ZwClose(port);
    });
    CHECK(made > 5);
}
