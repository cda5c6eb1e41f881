// How files come to be open: names, relative opens, what IoCreateFile may say, stream files, cancelled opens; and the lock of a
// synchronous file, with alerts.
#include "io/services.hpp"
#include "closure_driver.hpp"

#include <algorithm>
#include <utility>

using namespace dirql;
using namespace dirql::test;

namespace {

// What the last create was shown.
struct Seen {
    std::u16string name;
    std::u16string related;
    ULONG flags = 0;
    ULONG location_flags = 0;
    ULONG options = 0;
    PDEVICE_OBJECT device = nullptr;
    PFILE_OBJECT file = nullptr;
};

// \Device\Base, and upon request a filter above it whose behaviour is its own.
struct OpenLab : Lab {
    OpenLab() {
        behaviour[IRP_MJ_CREATE] = [this](PDEVICE_OBJECT to, PIRP irp) {
            ++creates;
            PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
            PFILE_OBJECT file = location->FileObject;
            seen = {std::u16string(view(file->FileName)),
                    file->RelatedFileObject == nullptr ? u"none"
                                                       : std::u16string(view(file->RelatedFileObject->FileName)),
                    file->Flags,
                    location->Flags,
                    location->Parameters.Create.Options,
                    to,
                    file};
            return complete(irp, STATUS_SUCCESS, FILE_OPENED);
        };
        for (const unsigned major : {IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_FLUSH_BUFFERS}) {
            behaviour[major] = [this, major](PDEVICE_OBJECT, PIRP irp) {
                note(major == IRP_MJ_CLEANUP ? "cleanup" : major == IRP_MJ_CLOSE ? "close" : "flush");
                return complete(irp, STATUS_SUCCESS);
            };
            above[major] = [this, major](PDEVICE_OBJECT, PIRP irp) {
                note(major == IRP_MJ_CLEANUP ? "F cleanup" : major == IRP_MJ_CLOSE ? "F close" : "F flush");
                return skip_to(base, irp);
            };
        }
        above[IRP_MJ_CREATE] = [this](PDEVICE_OBJECT, PIRP irp) {
            note("F create");
            return skip_to(base, irp);
        };
        load("base",
             [this](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Base", behaviour, 0, &base); });
    }
    void filter() {
        load("filter", [this](PDRIVER_OBJECT driver) {
            const NTSTATUS status = create_device(driver, nullptr, above, 0, &filter_device);
            if (NT_SUCCESS(status)) {
                IoAttachDeviceToDeviceStack(filter_device, base);
                filter_device->Flags &= ~DO_DEVICE_INITIALIZING;
            }
            return status;
        });
    }
    Behaviour behaviour;
    Behaviour above;
    PDEVICE_OBJECT base = nullptr;
    PDEVICE_OBJECT filter_device = nullptr;
    unsigned creates = 0;
    Seen seen;
};

struct Open {
    explicit Open(const char16_t* text, HANDLE root = nullptr, ULONG flags = OBJ_CASE_INSENSITIVE)
        : name(unicode(text)) {
        InitializeObjectAttributes(&attributes, &name, flags, root, nullptr);
    }
    NTSTATUS nt(ACCESS_MASK access = GENERIC_READ | SYNCHRONIZE, ULONG options = FILE_SYNCHRONOUS_IO_NONALERT) {
        return NtOpenFile(&handle, access, &attributes, &block, FILE_SHARE_VALID_FLAGS, options);
    }
    // IoCreateFile in all forms, in a driver.
    NTSTATUS io(ULONG io_options, PDEVICE_OBJECT hint = nullptr, ULONG options = 0) {
        return IoCreateFileSpecifyDeviceObjectHint(&handle, GENERIC_READ, &attributes, &block, nullptr, 0, 0, FILE_OPEN,
                                                   options, nullptr, 0, CreateFileTypeNone, nullptr, io_options, hint);
    }
    NTSTATUS plain(ULONG io_options, ULONG options, ULONG disposition = FILE_OPEN) {
        return IoCreateFile(&handle, GENERIC_READ, &attributes, &block, nullptr, 0, 0, disposition, options, nullptr, 0,
                            CreateFileTypeNone, nullptr, io_options);
    }
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes{};
    HANDLE handle = nullptr;
    IO_STATUS_BLOCK block{};
};

} // namespace

TEST_CASE("names: what follows the device, a backslash at the end, and what is relative to an open file") {
    OpenLab lab;
    lab.run([&](Process&) {
        Open plain(u"\\Device\\Base");
        REQUIRE(plain.nt() == STATUS_SUCCESS);
        CHECK(lab.seen.name == u"");
        CHECK((lab.seen.flags & (FO_DIRECT_DEVICE_OPEN | FO_SYNCHRONOUS_IO)) == FO_SYNCHRONOUS_IO);
        CHECK((lab.seen.file->Flags & (FO_FILE_OPEN | FO_HANDLE_CREATED)) == (FO_FILE_OPEN | FO_HANDLE_CREATED));
        Open slash(u"\\Device\\Base\\");
        CHECK(slash.nt() == STATUS_SUCCESS);
        CHECK(lab.seen.name == u"\\");
        Open deep(u"\\Device\\Base\\a\\b c\\");
        CHECK(deep.nt() == STATUS_SUCCESS);
        CHECK(lab.seen.name == u"\\a\\b c\\");
        CHECK(lab.seen.related == u"none");
        Open below(u"x\\y", deep.handle);
        CHECK(below.nt() == STATUS_SUCCESS);
        CHECK(lab.seen.name == u"x\\y");
        CHECK(lab.seen.related == u"\\a\\b c\\");
        CHECK(lab.seen.file->RelatedFileObject == nullptr); // once it is open
        Open again(u"", deep.handle);
        CHECK(again.nt() == STATUS_SUCCESS);
        CHECK(lab.seen.name == u"");
        CHECK(lab.seen.related == u"\\a\\b c\\");
        // The device itself, for its attributes only.
        Open direct(u"\\Device\\Base");
        CHECK(direct.nt(FILE_READ_ATTRIBUTES | SYNCHRONIZE) == STATUS_SUCCESS);
        CHECK((lab.seen.flags & FO_DIRECT_DEVICE_OPEN) != 0);
        for (const Open* open : {&plain, &slash, &deep, &below, &again, &direct}) CHECK(NtClose(open->handle) == 0);
        Open closed(u"x", deep.handle);
        CHECK(closed.nt() == STATUS_INVALID_HANDLE);
        Open of_event(u"x");
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        of_event.attributes.RootDirectory = event;
        CHECK(of_event.nt() == STATUS_INVALID_HANDLE);
        NtClose(event);
    });
    CHECK(lab.creates == 6);
    CHECK(std::count(lab.journal.begin(), lab.journal.end(), "close") == 6);
}

TEST_CASE("IoCreateFile: options for drivers, parameters checked or not, below a device of one's choice") {
    OpenLab lab;
    lab.filter();
    std::vector<NTSTATUS> statuses;
    std::vector<std::string> by_hint;
    std::vector<std::string> from_top;
    ULONG target_flags = 0;
    ULONG symlink_flags = 0;
    PDEVICE_OBJECT related[2]{};
    lab.machine.run_in_kernel([&] {
        const auto note = [&](NTSTATUS status) { statuses.push_back(status); };
        Open open(u"\\Device\\Base\\f", nullptr, OBJ_KERNEL_HANDLE);
        note(open.plain(IO_OPEN_TARGET_DIRECTORY | IO_FORCE_ACCESS_CHECK, 0));
        target_flags = lab.seen.location_flags;
        ZwClose(open.handle);
        note(open.plain(IO_STOP_ON_SYMLINK, 0));
        symlink_flags = lab.seen.location_flags;
        ZwClose(open.handle);
        // Nonsense, which only IO_CHECK_CREATE_PARAMETERS minds in a driver's call.
        const ULONG nonsense = FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE;
        note(open.plain(0, nonsense));
        ZwClose(open.handle);
        note(open.plain(IO_CHECK_CREATE_PARAMETERS, nonsense) == STATUS_INVALID_PARAMETER ? STATUS_SUCCESS
                                                                                          : STATUS_UNSUCCESSFUL);
        IO_DRIVER_CREATE_CONTEXT context;
        IoInitializeDriverCreateContext(&context);
        const auto create_with_context = [&] {
            return IoCreateFileEx(&open.handle, GENERIC_READ, &open.attributes, &open.block, nullptr, 0, 0, FILE_OPEN,
                                  0, nullptr, 0, CreateFileTypeNone, nullptr, 0, &context);
        };
        lab.journal.clear();
        note(create_with_context());
        IO_STATUS_BLOCK block;
        ZwFlushBuffersFile(open.handle, &block);
        ZwClose(open.handle);
        from_top = std::exchange(lab.journal, {});
        context.DeviceObjectHint = lab.base;
        note(create_with_context());
        PVOID file = nullptr;
        ObReferenceObjectByHandle(open.handle, 0, *IoFileObjectType, KernelMode, &file, nullptr);
        related[0] = IoGetRelatedDeviceObject(static_cast<PFILE_OBJECT>(file));
        ObDereferenceObject(file);
        ZwFlushBuffersFile(open.handle, &block);
        ZwClose(open.handle);
        by_hint = std::exchange(lab.journal, {});
        context.Size = 4;
        note(create_with_context() == STATUS_INVALID_PARAMETER ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        note(open.io(0, lab.filter_device));
        ObReferenceObjectByHandle(open.handle, 0, *IoFileObjectType, KernelMode, &file, nullptr);
        related[1] = IoGetRelatedDeviceObject(static_cast<PFILE_OBJECT>(file));
        ObDereferenceObject(file);
        ZwClose(open.handle);
    });
    for (std::size_t i = 0; i < statuses.size(); ++i) {
        CAPTURE(i);
        CHECK(statuses[i] == STATUS_SUCCESS);
    }
    CHECK(target_flags == (SL_OPEN_TARGET_DIRECTORY | SL_FORCE_ACCESS_CHECK));
    CHECK(symlink_flags == SL_STOP_ON_SYMLINK);
    CHECK(from_top ==
          std::vector<std::string>{"F create", "F flush", "flush", "F cleanup", "cleanup", "F close", "close"});
    CHECK(by_hint == std::vector<std::string>{"flush", "cleanup", "close"});
    CHECK(related[0] == lab.base);
    CHECK(related[1] == lab.filter_device);
}

TEST_CASE("a hint that is in another stack opens nothing; a file that ignores sharing says so from the start") {
    OpenLab lab;
    Behaviour other;
    PDEVICE_OBJECT stranger = nullptr;
    lab.load("other",
             [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\O", other, 0, &stranger); });
    NTSTATUS wrong = STATUS_SUCCESS;
    NTSTATUS ignoring = STATUS_UNSUCCESSFUL;
    BOOLEAN ignores = FALSE;
    lab.machine.run_in_kernel([&] {
        Open open(u"\\Device\\Base\\f", nullptr, OBJ_KERNEL_HANDLE);
        wrong = open.io(0, stranger);
        ignoring = open.plain(IO_IGNORE_SHARE_ACCESS_CHECK, 0);
        ignores = IoIsFileObjectIgnoringSharing(lab.seen.file);
        ZwClose(open.handle);
    });
    CHECK(wrong == STATUS_INVALID_DEVICE_OBJECT_PARAMETER);
    CHECK(ignoring == STATUS_SUCCESS);
    CHECK(ignores == TRUE);
}

TEST_CASE("stream files: cleaned up at once, or with their handle, or never; closed with the last reference") {
    OpenLab lab;
    std::vector<std::vector<std::string>> journals;
    ULONG flags[3]{};
    NTSTATUS origin[3]{};
    BOOLEAN remote[2]{};
    GENERIC_MAPPING mapping{};
    ACCESS_MASK mapped = GENERIC_READ;
    NTSTATUS access[2]{};
    PDEVICE_OBJECT device = nullptr;
    lab.machine.run_in_kernel([&] {
        const auto note = [&] { journals.push_back(std::exchange(lab.journal, {})); };
        PFILE_OBJECT plain = IoCreateStreamFileObject(nullptr, lab.base);
        note();
        flags[0] = plain->Flags;
        device = plain->DeviceObject;
        PFILE_OBJECT lite = IoCreateStreamFileObjectLite(plain, nullptr);
        flags[1] = lite->Flags;
        HANDLE handle = nullptr;
        PFILE_OBJECT kept = IoCreateStreamFileObjectEx(nullptr, lab.base, &handle);
        flags[2] = kept->Flags;
        note();
        ZwClose(handle);
        note();
        PFILE_OBJECT without = IoCreateStreamFileObjectEx(nullptr, lab.base, nullptr);
        note();
        origin[0] = IoSetFileOrigin(plain, TRUE);
        remote[0] = IoIsFileOriginRemote(plain);
        origin[1] = IoSetFileOrigin(plain, TRUE);
        origin[2] = IoSetFileOrigin(plain, FALSE);
        remote[1] = IoIsFileOriginRemote(plain);
        for (PFILE_OBJECT file : {plain, lite, kept, without}) ObDereferenceObject(file);
        note();
        mapping = *IoGetFileObjectGenericMapping();
        access[0] = IoCheckDesiredAccess(&mapped, FILE_GENERIC_READ);
        ACCESS_MASK more = FILE_WRITE_DATA;
        access[1] = IoCheckDesiredAccess(&more, FILE_GENERIC_READ);
    });
    using Lines = std::vector<std::string>;
    CHECK(journals ==
          std::vector<Lines>{{"cleanup"}, {}, {"cleanup"}, {"cleanup"}, {"close", "close", "close", "close"}});
    for (const ULONG each : flags) CHECK((each & FO_STREAM_FILE) != 0);
    CHECK(device == lab.base);
    CHECK(origin[0] == STATUS_SUCCESS);
    CHECK(origin[1] == STATUS_INVALID_PARAMETER_MIX);
    CHECK(origin[2] == STATUS_SUCCESS);
    CHECK(remote[0] == TRUE);
    CHECK(remote[1] == FALSE);
    CHECK(mapping.GenericRead == FILE_GENERIC_READ);
    CHECK(mapped == FILE_GENERIC_READ);
    CHECK(access[0] == STATUS_SUCCESS);
    CHECK(access[1] == STATUS_ACCESS_DENIED);
}

TEST_CASE("a filter cancels an open: below it was opened and closed, above it has failed") {
    OpenLab lab;
    lab.filter();
    Completion cancel = [&](PDEVICE_OBJECT, PIRP) { return STATUS_MORE_PROCESSING_REQUIRED; };
    lab.above[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        copy_to(lab.base, irp, cancel);
        IoCancelFileOpen(lab.base, IoGetCurrentIrpStackLocation(irp)->FileObject);
        return complete(irp, STATUS_ACCESS_DENIED);
    };
    lab.run([&](Process&) {
        Open open(u"\\Device\\Base");
        CHECK(open.nt() == STATUS_ACCESS_DENIED);
    });
    CHECK(lab.creates == 1);
    // IRP_MJ_CLOSE goes to the whole stack.
    CHECK(lab.journal == std::vector<std::string>{"cleanup", "F close", "close"});
}

TEST_CASE("IoCancelFileOpen of a file that has a handle already") {
    OpenLab lab;
    lab.behaviour[IRP_MJ_FLUSH_BUFFERS] = [&](PDEVICE_OBJECT device, PIRP irp) {
        IoCancelFileOpen(device, IoGetCurrentIrpStackLocation(irp)->FileObject);
        return complete(irp, STATUS_SUCCESS);
    };
    const Outcome outcome = lab.machine.run([&](Process& process) {
        IO_STATUS_BLOCK block;
        NtFlushBuffersFile(process.open("\\Device\\Base").value().handle(), &block);
    });
    CHECK(!outcome.finished());
    CHECK(outcome.bug_check.code == INVALID_CANCEL_OF_FILE_OPEN);
}

TEST_CASE("one request at a time on a synchronous file; an alertable wait for the file, or in it, ends with an APC") {
    OpenLab lab;
    PIRP pended = nullptr;
    unsigned at_once = 0;
    unsigned most = 0;
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        most = std::max(most, ++at_once);
        pended = irp;
        IoSetCancelRoutine(irp, [](PDEVICE_OBJECT, PIRP cancelled) {
            IoReleaseCancelSpinLock(cancelled->CancelIrql);
            complete(cancelled, STATUS_CANCELLED);
        });
        return pend(irp);
    };
    lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
        --at_once;
        IoSetCancelRoutine(pended, nullptr);
        complete(pended, STATUS_SUCCESS, 1);
        return complete(irp, STATUS_SUCCESS, 1);
    };
    static unsigned calls;
    calls = 0;
    lab.run([&](Process& process) {
        Open file(u"\\Device\\Base");
        REQUIRE(file.nt(GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, FILE_SYNCHRONOUS_IO_NONALERT) == STATUS_SUCCESS);
        unsigned good = 0;
        const auto read = [&](HANDLE handle) {
            char buffer[1];
            IO_STATUS_BLOCK block{};
            LARGE_INTEGER at{};
            return NtReadFile(handle, nullptr, nullptr, nullptr, &block, buffer, 1, &at, nullptr);
        };
        {
            Thread first = process.start_thread([&] { good += read(file.handle) == STATUS_SUCCESS; });
            Thread second = process.start_thread([&] { good += read(file.handle) == STATUS_SUCCESS; });
            Thread third = process.start_thread([&] { good += read(file.handle) == STATUS_SUCCESS; });
            File trigger = process.open("\\Device\\Base").value();
            for (int i = 0; i < 3; ++i) {
                process.sleep(std::chrono::milliseconds(1));
                CHECK(trigger.write(bytes("x")).ok());
            }
        }
        CHECK(good == 3);
        CHECK(most == 1);
        NtClose(file.handle);
        // Alertable: an APC of an earlier request cancels the wait, and the request with it.
        Open alertable(u"\\Device\\Base");
        REQUIRE(alertable.nt(GENERIC_READ | SYNCHRONIZE, FILE_SYNCHRONOUS_IO_ALERT) == STATUS_SUCCESS);
        File other = process.open("\\Device\\Base", {.overlapped = true}).value();
        File trigger = process.open("\\Device\\Base").value();
        IO_STATUS_BLOCK block{};
        char buffer[1];
        LARGE_INTEGER at{};
        const auto count = [](PVOID, PIO_STATUS_BLOCK, ULONG) { ++calls; };
        CHECK(NtReadFile(other.handle(), nullptr, count, nullptr, &block, buffer, 1, &at, nullptr) == STATUS_PENDING);
        CHECK(trigger.write(bytes("x")).ok());
        CHECK(calls == 0);
        CHECK(read(alertable.handle) == STATUS_CANCELLED);
        CHECK(calls == 1);
        NtClose(alertable.handle);
    });
}
