// Services of files besides transfers and information: locks, directories, extended attributes, volumes, files by name, pipes and
// mailslots; and fast I/O in place of IRPs.
#include "../../src/io/services.hpp"
#include "../../src/ps/services.hpp"
#include "closure_driver.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr OpenOptions overlapped{.overlapped = true};

// What the driver was shown of the last request, and what it answers.
struct ServiceLab : Lab {
    explicit ServiceLab(ULONG flags = 0, PFAST_IO_DISPATCH fast = nullptr) {
        for (unsigned major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; ++major)
            behaviour[major] = [this](PDEVICE_OBJECT, PIRP irp) { return serve(irp); };
        load("services", [=, this](PDRIVER_OBJECT driver) {
            driver->FastIoDispatch = fast;
            return create_device(driver, u"\\Device\\F", behaviour, flags, &device);
        });
    }
    NTSTATUS serve(PIRP irp) {
        const IO_STACK_LOCATION& location = *IoGetCurrentIrpStackLocation(irp);
        if (location.MajorFunction == IRP_MJ_CREATE) {
            create_options = location.Parameters.Create.Options;
            desired = location.Parameters.Create.SecurityContext->DesiredAccess;
        }
        majors.push_back(location.MajorFunction);
        if (location.MajorFunction == IRP_MJ_CREATE || location.MajorFunction == IRP_MJ_CLEANUP ||
            location.MajorFunction == IRP_MJ_CLOSE)
            return complete(irp, STATUS_SUCCESS, FILE_OPENED);
        seen = location;
        if (look) look(irp);
        if (pends) {
            pended = irp;
            if (cancellable) IoSetCancelRoutine(irp, on_cancel);
            return pend(irp);
        }
        return complete(irp, status, information);
    }
    static VOID NTAPI on_cancel(PDEVICE_OBJECT, PIRP irp) {
        IoReleaseCancelSpinLock(irp->CancelIrql);
        complete(irp, STATUS_CANCELLED);
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    IO_STACK_LOCATION seen{};
    std::vector<unsigned> majors;
    ULONG create_options = 0;
    ACCESS_MASK desired = 0;
    std::function<void(PIRP)> look;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG_PTR information = 0;
    bool pends = false;
    bool cancellable = false;
    PIRP pended = nullptr;
};

struct Attributes {
    explicit Attributes(const char16_t* text, ULONG flags = OBJ_CASE_INSENSITIVE, HANDLE root = nullptr)
        : name(unicode(text)) {
        InitializeObjectAttributes(&value, &name, flags, root, nullptr);
    }
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES value{};
};

// Of FAST_IO_DISPATCH: how often each routine was called, and whether it answers.
struct Fast {
    unsigned calls = 0;
    bool answers = true;
    NTSTATUS status = STATUS_SUCCESS;
    LONGLONG offset = 0;
    LONGLONG length = 0;
} fast_state;

BOOLEAN fast_answer(PIO_STATUS_BLOCK block, ULONG_PTR information) {
    ++fast_state.calls;
    *block = {{fast_state.status}, information};
    return static_cast<BOOLEAN>(fast_state.answers);
}
BOOLEAN NTAPI fast_basic(PFILE_OBJECT, BOOLEAN, PFILE_BASIC_INFORMATION buffer, PIO_STATUS_BLOCK block,
                         PDEVICE_OBJECT) {
    buffer->FileAttributes = FILE_ATTRIBUTE_ARCHIVE;
    return fast_answer(block, sizeof *buffer);
}
BOOLEAN NTAPI fast_standard(PFILE_OBJECT, BOOLEAN, PFILE_STANDARD_INFORMATION buffer, PIO_STATUS_BLOCK block,
                            PDEVICE_OBJECT) {
    buffer->NumberOfLinks = 3;
    return fast_answer(block, sizeof *buffer);
}
BOOLEAN NTAPI fast_network(PFILE_OBJECT, BOOLEAN, PFILE_NETWORK_OPEN_INFORMATION buffer, PIO_STATUS_BLOCK block,
                           PDEVICE_OBJECT) {
    buffer->EndOfFile.QuadPart = 5;
    return fast_answer(block, sizeof *buffer);
}
BOOLEAN NTAPI fast_lock(PFILE_OBJECT, PLARGE_INTEGER offset, PLARGE_INTEGER length, PEPROCESS, ULONG, BOOLEAN, BOOLEAN,
                        PIO_STATUS_BLOCK block, PDEVICE_OBJECT) {
    fast_state.offset = offset->QuadPart;
    fast_state.length = length->QuadPart;
    return fast_answer(block, 0);
}
BOOLEAN NTAPI fast_unlock(PFILE_OBJECT, PLARGE_INTEGER offset, PLARGE_INTEGER, PEPROCESS, ULONG, PIO_STATUS_BLOCK block,
                          PDEVICE_OBJECT) {
    fast_state.offset = offset->QuadPart;
    return fast_answer(block, 0);
}
BOOLEAN NTAPI fast_transfer(PFILE_OBJECT, PLARGE_INTEGER offset, ULONG length, BOOLEAN, ULONG, PVOID,
                            PIO_STATUS_BLOCK block, PDEVICE_OBJECT) {
    fast_state.offset = offset->QuadPart;
    return fast_answer(block, length);
}

FAST_IO_DISPATCH fast_dispatch() {
    FAST_IO_DISPATCH fast{};
    fast.SizeOfFastIoDispatch = sizeof fast;
    fast.FastIoQueryBasicInfo = fast_basic;
    fast.FastIoQueryStandardInfo = fast_standard;
    fast.FastIoQueryNetworkOpenInfo = fast_network;
    fast.FastIoLock = fast_lock;
    fast.FastIoUnlockSingle = fast_unlock;
    fast.FastIoRead = fast.FastIoWrite = fast_transfer;
    return fast;
}

NTSTATUS lock(HANDLE file, LONGLONG offset, LONGLONG length, BOOLEAN exclusive = FALSE, IO_STATUS_BLOCK* to = nullptr) {
    LARGE_INTEGER at{.QuadPart = offset};
    LARGE_INTEGER count{.QuadPart = length};
    IO_STATUS_BLOCK block;
    return NtLockFile(file, nullptr, nullptr, nullptr, to == nullptr ? &block : to, &at, &count, 42, TRUE, exclusive);
}

} // namespace

TEST_CASE("a lock's range, key and flags reach the driver, and its length lives as long as the request") {
    ServiceLab lab;
    LONGLONG length = 0;
    lab.look = [&](PIRP) { length = lab.seen.Parameters.LockControl.Length->QuadPart; };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\F").value();
        CHECK(lock(file.handle(), 0x1'0000'0000, 0x2'0000'0001, TRUE) == STATUS_SUCCESS);
        CHECK(lab.seen.MajorFunction == IRP_MJ_LOCK_CONTROL);
        CHECK(lab.seen.MinorFunction == IRP_MN_LOCK);
        CHECK(lab.seen.Flags == (SL_FAIL_IMMEDIATELY | SL_EXCLUSIVE_LOCK));
        CHECK(lab.seen.Parameters.LockControl.ByteOffset.QuadPart == 0x1'0000'0000);
        CHECK(lab.seen.Parameters.LockControl.Key == 42);
        CHECK(length == 0x2'0000'0001);
        CHECK(lab.seen.FileObject->LockOperation == TRUE);
        IO_STATUS_BLOCK block;
        LARGE_INTEGER at{.QuadPart = 8};
        LARGE_INTEGER count{.QuadPart = 9};
        CHECK(NtUnlockFile(file.handle(), &block, &at, &count, 43) == STATUS_SUCCESS);
        CHECK(lab.seen.MinorFunction == IRP_MN_UNLOCK_SINGLE);
        CHECK(length == 9);
        CHECK(lab.seen.Parameters.LockControl.Key == 43);
        lab.status = STATUS_LOCK_NOT_GRANTED;
        CHECK(lock(file.handle(), 0, 1) == STATUS_LOCK_NOT_GRANTED);
        CHECK(NtLockFile(file.handle(), nullptr, nullptr, nullptr, &block, nullptr, &count, 0, TRUE, TRUE) ==
              STATUS_ACCESS_VIOLATION);
        lab.status = STATUS_SUCCESS;
        lab.pends = true; // granted later: the length is still there
        File later = process.open("\\Device\\F", overlapped).value();
        IO_STATUS_BLOCK granted{};
        CHECK(lock(later.handle(), 1, 77, TRUE, &granted) == STATUS_PENDING);
        Thread thread = process.start_thread([&] { process.sleep(std::chrono::milliseconds(1)); });
        thread.join();
        CHECK(IoGetCurrentIrpStackLocation(lab.pended)->Parameters.LockControl.Length->QuadPart == 77);
        lab.pends = false;
        lab.look = [&](PIRP) { complete(lab.pended, STATUS_SUCCESS, 0); };
        CHECK(NtFlushBuffersFile(file.handle(), &block) == STATUS_SUCCESS);
        CHECK(lab.seen.MajorFunction == IRP_MJ_FLUSH_BUFFERS);
        CHECK(granted.Status == STATUS_SUCCESS);
        lab.look = nullptr;
        File blind = process.open("\\Device\\F", {.access = SYNCHRONIZE}).value();
        CHECK(lock(blind.handle(), 0, 1) == STATUS_ACCESS_DENIED);
        CHECK(NtUnlockFile(blind.handle(), &block, &at, &count, 0) == STATUS_ACCESS_DENIED);
        CHECK(NtFlushBuffersFile(blind.handle(), &block) == STATUS_ACCESS_DENIED);
        CHECK(NtFlushBuffersFile(process.open("\\Device\\F", {.access = FILE_APPEND_DATA}).value().handle(), &block) ==
              STATUS_SUCCESS);
    });
}

TEST_CASE("a directory's listing: pattern, class and flags for the driver, the buffer by the device's kind") {
    for (const ULONG flags : {ULONG{0}, ULONG{DO_BUFFERED_IO}, ULONG{DO_DIRECT_IO}}) {
        ServiceLab lab(flags);
        std::u16string pattern;
        lab.information = 8;
        lab.look = [&](PIRP irp) {
            const auto* name = lab.seen.Parameters.QueryDirectory.FileName;
            pattern = name == nullptr ? u"" : std::u16string(name->Buffer, name->Length / 2);
            void* buffer = (flags & DO_BUFFERED_IO) != 0 ? irp->AssociatedIrp.SystemBuffer
                           : (flags & DO_DIRECT_IO) != 0
                               ? MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority)
                               : irp->UserBuffer;
            std::memset(buffer, 0x21, 8);
        };
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\F", overlapped).value();
            alignas(8) char buffer[128] = {};
            IO_STATUS_BLOCK block{};
            UNICODE_STRING name = unicode(u"*.txt");
            const auto list = [&](FILE_INFORMATION_CLASS which, ULONG length, PUNICODE_STRING text) {
                return NtQueryDirectoryFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, which,
                                            TRUE, text, TRUE);
            };
            CHECK(list(FileNamesInformation, sizeof buffer, &name) == STATUS_SUCCESS);
            CHECK(pattern == u"*.txt");
            CHECK(lab.seen.MinorFunction == IRP_MN_QUERY_DIRECTORY);
            CHECK(lab.seen.Flags == (SL_RESTART_SCAN | SL_RETURN_SINGLE_ENTRY));
            CHECK(lab.seen.Parameters.QueryDirectory.Length == sizeof buffer);
            CHECK(lab.seen.Parameters.QueryDirectory.FileInformationClass == FileNamesInformation);
            CHECK(buffer[7] == 0x21);
            CHECK(block.Information == 8);
            CHECK(list(FileDirectoryInformation, sizeof buffer, nullptr) == STATUS_SUCCESS);
            CHECK(pattern == u"");
            lab.status = STATUS_NO_MORE_FILES;
            CHECK(list(FileBothDirectoryInformation, sizeof buffer, &name) == STATUS_NO_MORE_FILES);
            lab.status = STATUS_SUCCESS;
            CHECK(list(FileStandardInformation, sizeof buffer, nullptr) == STATUS_INVALID_INFO_CLASS);
            CHECK(list(FileBothDirectoryInformation, 64, nullptr) == STATUS_INFO_LENGTH_MISMATCH);
            const std::pair<FILE_INFORMATION_CLASS, ULONG> least[] = {
                {FileObjectIdInformation, 72},        {FileQuotaInformation, 56},
                {FileReparsePointInformation, 16},    {FileIdGlobalTxDirectoryInformation, 96},
                {FileIdExtdDirectoryInformation, 96}, {FileIdExtdBothDirectoryInformation, 120},
            };
            for (const auto& [which, length] : least) {
                CHECK(list(which, length - 1, nullptr) == STATUS_INFO_LENGTH_MISMATCH);
                CHECK(list(which, length, nullptr) == STATUS_SUCCESS);
                CHECK(lab.seen.Parameters.QueryDirectory.FileInformationClass == which);
            }
            name.Length = 3;
            CHECK(list(FileNamesInformation, sizeof buffer, &name) == STATUS_INVALID_PARAMETER);
            name = {10, 10, nullptr};
            CHECK(list(FileNamesInformation, sizeof buffer, &name) == STATUS_ACCESS_VIOLATION);
            CHECK(NtQueryDirectoryFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer + 1, 64,
                                       FileNamesInformation, TRUE, nullptr, TRUE) == STATUS_DATATYPE_MISALIGNMENT);
            const auto watch = [&](ULONG filter, BOOLEAN tree) {
                return NtNotifyChangeDirectoryFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer,
                                                   sizeof buffer, filter, tree);
            };
            CHECK(watch(0, TRUE) == STATUS_INVALID_PARAMETER);
            CHECK(watch(0x1000, TRUE) == STATUS_INVALID_PARAMETER);
            lab.look = nullptr;
            lab.information = 0;
            CHECK(watch(FILE_NOTIFY_CHANGE_SIZE, TRUE) == STATUS_SUCCESS);
            CHECK(lab.seen.MinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY);
            CHECK(lab.seen.Flags == SL_WATCH_TREE);
            CHECK(lab.seen.Parameters.NotifyDirectory.CompletionFilter == FILE_NOTIFY_CHANGE_SIZE);
            const File blind = process.open("\\Device\\F", {.access = FILE_WRITE_DATA, .overlapped = true}).value();
            CHECK(NtNotifyChangeDirectoryFile(blind.handle(), nullptr, nullptr, nullptr, &block, buffer, sizeof buffer,
                                              1, FALSE) == STATUS_ACCESS_DENIED);
            // The pattern is the driver's as long as it keeps the request, and gone when it is cancelled.
            lab.pends = lab.cancellable = true;
            name = unicode(u"later");
            CHECK(list(FileNamesInformation, sizeof buffer, &name) == STATUS_PENDING);
            name = unicode(u"other");
            const auto* kept = IoGetCurrentIrpStackLocation(lab.pended)->Parameters.QueryDirectory.FileName;
            CHECK(std::u16string(kept->Buffer, kept->Length / 2) == u"later");
            CHECK(NtCancelIoFile(file.handle(), &block) == STATUS_SUCCESS);
        });
        lab.machine.run_in_kernel([] {});
    }
}

TEST_CASE("extended attributes: lists are checked, the driver gets names, index and flags") {
    ServiceLab lab(DO_BUFFERED_IO);
    std::string names;
    std::string content;
    lab.look = [&](PIRP irp) {
        if (lab.seen.MajorFunction == IRP_MJ_SET_EA) {
            content.assign(static_cast<char*>(irp->AssociatedIrp.SystemBuffer), lab.seen.Parameters.SetEa.Length);
        } else if (lab.seen.Parameters.QueryEa.EaList != nullptr) {
            names.assign(static_cast<char*>(lab.seen.Parameters.QueryEa.EaList),
                         lab.seen.Parameters.QueryEa.EaListLength);
        }
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\F").value();
        IO_STATUS_BLOCK block{};
        alignas(4) char list[] = "\x08\0\0\0\x01"
                                 "A\0\0"
                                 "\0\0\0\0\x02"
                                 "BC"; // two names; the literal's own zero ends the second
        alignas(4) char buffer[64] = {};
        ULONG index = 5;
        CHECK(NtQueryEaFile(file.handle(), &block, buffer, sizeof buffer, TRUE, list, sizeof list, &index, TRUE) ==
              STATUS_SUCCESS);
        CHECK(names == std::string(list, sizeof list));
        CHECK(lab.seen.Flags == (SL_RESTART_SCAN | SL_RETURN_SINGLE_ENTRY | SL_INDEX_SPECIFIED));
        CHECK(lab.seen.Parameters.QueryEa.EaIndex == 5);
        CHECK(lab.seen.Parameters.QueryEa.Length == sizeof buffer);
        CHECK(NtQueryEaFile(file.handle(), &block, buffer, sizeof buffer, FALSE, list, 7, nullptr, FALSE) ==
              STATUS_EA_LIST_INCONSISTENT);
        CHECK(NtQueryEaFile(file.handle(), &block, nullptr, 8, FALSE, nullptr, 0, nullptr, FALSE) ==
              STATUS_ACCESS_VIOLATION);
        alignas(4) char full[] = "\0\0\0\0\0\x01\x02\0"
                                 "N\0"
                                 "v"; // name N, value "v\0"
        CHECK(NtSetEaFile(file.handle(), &block, full, sizeof full) == STATUS_SUCCESS);
        CHECK(content == std::string(full, sizeof full));
        CHECK(lab.seen.MajorFunction == IRP_MJ_SET_EA);
        full[6] = 9;
        CHECK(NtSetEaFile(file.handle(), &block, full, sizeof full) == STATUS_EA_LIST_INCONSISTENT);
        CHECK(block.Status == STATUS_EA_LIST_INCONSISTENT);
        File blind = process.open("\\Device\\F", {.access = FILE_READ_DATA}).value();
        CHECK(NtSetEaFile(blind.handle(), &block, full, sizeof full) == STATUS_ACCESS_DENIED);
        CHECK(NtQueryEaFile(blind.handle(), &block, buffer, 8, FALSE, nullptr, 0, nullptr, FALSE) ==
              STATUS_ACCESS_DENIED);
    });
}

TEST_CASE(
    "a list of extended attributes is checked as the driver gets it, not as it was before the wait for the file") {
    ServiceLab lab(DO_BUFFERED_IO);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\F").value();
        File other = process.open("\\Device\\F").value();
        alignas(4) char list[] = "\0\0\0\0\0\x01\x02\0"
                                 "N\0"
                                 "v";
        IO_STATUS_BLOCK block{};
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        lab.pends = true;
        Thread reader = process.start_thread([&] { (void)file.read(1); });
        process.sleep(std::chrono::milliseconds(1));
        lab.pends = false;
        Thread setter = process.start_thread([&] {
            IO_STATUS_BLOCK own{};
            status = NtSetEaFile(file.handle(), &own, list, sizeof list);
        });
        process.sleep(std::chrono::milliseconds(1));
        list[6] = 9;
        lab.look = [&](PIRP) { complete(lab.pended, STATUS_SUCCESS, 0); };
        CHECK(NtFlushBuffersFile(other.handle(), &block) == STATUS_SUCCESS);
        lab.look = nullptr;
        reader.join();
        setter.join();
        CHECK(status == STATUS_EA_LIST_INCONSISTENT);
        CHECK(lab.seen.MajorFunction == IRP_MJ_FLUSH_BUFFERS);
    });
}

TEST_CASE("volumes: what kind of device the I/O manager tells, the rest is the driver's") {
    ServiceLab lab;
    std::string content;
    lab.look = [&](PIRP irp) {
        auto* buffer = static_cast<char*>(irp->AssociatedIrp.SystemBuffer);
        if (lab.seen.MajorFunction == IRP_MJ_QUERY_VOLUME_INFORMATION) std::memset(buffer, 0x11, 24);
        if (lab.seen.MajorFunction == IRP_MJ_SET_VOLUME_INFORMATION)
            content.assign(buffer, lab.seen.Parameters.SetVolume.Length);
    };
    lab.run([&](Process& process) {
        lab.device->Characteristics = FILE_REMOVABLE_MEDIA;
        File file = process.open("\\Device\\F").value();
        IO_STATUS_BLOCK block{};
        FILE_FS_DEVICE_INFORMATION device{};
        CHECK(NtQueryVolumeInformationFile(file.handle(), &block, &device, sizeof device, FileFsDeviceInformation) ==
              STATUS_SUCCESS);
        CHECK(device.DeviceType == FILE_DEVICE_UNKNOWN);
        CHECK(device.Characteristics == FILE_REMOVABLE_MEDIA);
        CHECK(block.Information == sizeof device);
        CHECK(lab.seen.MajorFunction == 0);
        FILE_FS_SIZE_INFORMATION size{};
        lab.information = sizeof size;
        CHECK(NtQueryVolumeInformationFile(file.handle(), &block, &size, sizeof size, FileFsSizeInformation) ==
              STATUS_SUCCESS);
        CHECK(size.BytesPerSector == 0x11111111);
        CHECK(lab.seen.Parameters.QueryVolume.FsInformationClass == FileFsSizeInformation);
        CHECK(NtQueryVolumeInformationFile(file.handle(), &block, &size, 23, FileFsSizeInformation) ==
              STATUS_INFO_LENGTH_MISMATCH);
        CHECK(NtQueryVolumeInformationFile(file.handle(), &block, &size, 24, FileFsLabelInformation) ==
              STATUS_INVALID_INFO_CLASS);
        lab.information = 0;
        FILE_FS_LABEL_INFORMATION label{2, {u'L'}};
        CHECK(NtSetVolumeInformationFile(file.handle(), &block, &label, sizeof label, FileFsLabelInformation) ==
              STATUS_SUCCESS);
        CHECK(content == std::string(reinterpret_cast<char*>(&label), sizeof label));
        CHECK(NtSetVolumeInformationFile(file.handle(), &block, &label, 4, FileFsLabelInformation) ==
              STATUS_INFO_LENGTH_MISMATCH);
        File reader = process.open("\\Device\\F", {.access = FILE_READ_DATA}).value();
        CHECK(NtSetVolumeInformationFile(reader.handle(), &block, &label, sizeof label, FileFsLabelInformation) ==
              STATUS_ACCESS_DENIED);
    });
}

TEST_CASE("a file by its name: opened for attributes or to be deleted, and closed again") {
    ServiceLab lab;
    unsigned handles_of_process = 0; // to the file that is open for the moment
    lab.look = [&](PIRP irp) {
        static_cast<PFILE_BASIC_INFORMATION>(irp->AssociatedIrp.SystemBuffer)->ChangeTime.QuadPart = 9;
        for (std::uintptr_t value = 4; value < 0x200; value += 4) {
            PVOID object = nullptr;
            if (!NT_SUCCESS(ObReferenceObjectByHandle(reinterpret_cast<HANDLE>(value), 0, *IoFileObjectType, UserMode,
                                                      &object, nullptr)))
                continue;
            if (object == lab.seen.FileObject) ++handles_of_process;
            ObDereferenceObject(object);
        }
    };
    lab.information = sizeof(FILE_BASIC_INFORMATION);
    lab.run([&](Process&) {
        Attributes name(u"\\Device\\F\\x");
        FILE_BASIC_INFORMATION basic{};
        CHECK(NtQueryAttributesFile(&name.value, &basic) == STATUS_SUCCESS);
        CHECK(basic.ChangeTime.QuadPart == 9);
        CHECK(handles_of_process == 0);
        CHECK(lab.desired == FILE_READ_ATTRIBUTES);
        CHECK((lab.create_options & FILE_OPEN_REPARSE_POINT) != 0);
        const std::vector<unsigned> expected{IRP_MJ_CREATE, IRP_MJ_QUERY_INFORMATION, IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
        CHECK(lab.majors == expected);
        lab.information = sizeof(FILE_NETWORK_OPEN_INFORMATION);
        FILE_NETWORK_OPEN_INFORMATION network{};
        CHECK(NtQueryFullAttributesFile(&name.value, &network) == STATUS_SUCCESS);
        CHECK(network.ChangeTime.QuadPart == 9);
        CHECK(lab.seen.Parameters.QueryFile.FileInformationClass == FileNetworkOpenInformation);
        lab.status = STATUS_INVALID_PARAMETER;
        CHECK(NtQueryAttributesFile(&name.value, &basic) == STATUS_INVALID_PARAMETER);
        CHECK(NtQueryAttributesFile(&name.value, nullptr) == STATUS_ACCESS_VIOLATION);
        Attributes nothing(u"\\Device\\Nothing");
        CHECK(NtQueryAttributesFile(&nothing.value, &basic) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(NtDeleteFile(&nothing.value) == STATUS_OBJECT_NAME_NOT_FOUND);
        lab.majors.clear();
        CHECK(NtDeleteFile(&name.value) == STATUS_SUCCESS);
        CHECK(lab.desired == DELETE);
        CHECK((lab.create_options & FILE_DELETE_ON_CLOSE) != 0);
        CHECK(lab.majors == std::vector<unsigned>{IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE});
    });
}

TEST_CASE("pipes and mailslots: their own major functions, with their parameters") {
    ServiceLab lab;
    NAMED_PIPE_CREATE_PARAMETERS pipe{};
    MAILSLOT_CREATE_PARAMETERS mailslot{};
    lab.look = [&](PIRP) {
        if (lab.seen.MajorFunction == IRP_MJ_CREATE_NAMED_PIPE) pipe = *lab.seen.Parameters.CreatePipe.Parameters;
        if (lab.seen.MajorFunction == IRP_MJ_CREATE_MAILSLOT) mailslot = *lab.seen.Parameters.CreateMailslot.Parameters;
    };
    lab.information = FILE_CREATED;
    lab.run([&](Process&) {
        Attributes name(u"\\Device\\F\\pipe");
        HANDLE handle = nullptr;
        IO_STATUS_BLOCK block{};
        LARGE_INTEGER timeout{.QuadPart = -500};
        const auto create = [&](ULONG share, ULONG disposition, ULONG options) {
            const NTSTATUS status = NtCreateNamedPipeFile(&handle, GENERIC_READ | SYNCHRONIZE, &name.value, &block,
                                                          share, disposition, options, 1, 2, 3, 4, 5, 6, &timeout);
            if (NT_SUCCESS(status)) NtClose(handle);
            return status;
        };
        CHECK(create(FILE_SHARE_READ, FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT) == STATUS_SUCCESS);
        CHECK(block.Information == FILE_CREATED);
        CHECK(lab.seen.Parameters.CreatePipe.Options == (FILE_CREATE << 24 | FILE_SYNCHRONOUS_IO_NONALERT));
        CHECK(lab.seen.Parameters.CreatePipe.ShareAccess == FILE_SHARE_READ);
        CHECK(pipe.NamedPipeType == 1);
        CHECK(pipe.ReadMode == 2);
        CHECK(pipe.CompletionMode == 3);
        CHECK(pipe.MaximumInstances == 4);
        CHECK(pipe.InboundQuota == 5);
        CHECK(pipe.OutboundQuota == 6);
        CHECK(pipe.TimeoutSpecified == TRUE);
        CHECK(pipe.DefaultTimeout.QuadPart == -500);
        CHECK(create(FILE_SHARE_DELETE, FILE_CREATE, 0) == STATUS_INVALID_PARAMETER);
        CHECK(create(FILE_SHARE_READ, FILE_OVERWRITE, 0) == STATUS_INVALID_PARAMETER);
        CHECK(create(FILE_SHARE_READ, FILE_CREATE, FILE_RANDOM_ACCESS) == STATUS_INVALID_PARAMETER);
        timeout.QuadPart = 1; // absolute
        CHECK(create(FILE_SHARE_READ, FILE_CREATE, 0) == STATUS_INVALID_PARAMETER);
        CHECK(NtCreateMailslotFile(&handle, GENERIC_READ, &name.value, &block, 0, 100, 200, nullptr) == STATUS_SUCCESS);
        CHECK(mailslot.MailslotQuota == 100);
        CHECK(mailslot.MaximumMessageSize == 200);
        CHECK(mailslot.TimeoutSpecified == FALSE);
        NtClose(handle);
        CHECK(NtCreateMailslotFile(&handle, GENERIC_READ, &name.value, &block, FILE_RANDOM_ACCESS, 1, 2, nullptr) ==
              STATUS_INVALID_PARAMETER);
    });
}

TEST_CASE("drivers call the same by their Zw names, with kernel memory") {
    ServiceLab lab(DO_BUFFERED_IO);
    std::vector<NTSTATUS> statuses;
    lab.information = 0;
    lab.machine.run_in_kernel([&] {
        Attributes name(u"\\Device\\F\\x", OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE);
        HANDLE file = nullptr;
        IO_STATUS_BLOCK block{};
        const auto note = [&](NTSTATUS status) { statuses.push_back(status); };
        note(ZwOpenFile(&file, FILE_READ_DATA, &name.value, &block, 0, 0)); // rights do not bind the kernel
        LARGE_INTEGER at{.QuadPart = 1};
        LARGE_INTEGER count{.QuadPart = 2};
        alignas(8) char buffer[128] = {};
        note(ZwLockFile(file, nullptr, nullptr, nullptr, &block, &at, &count, 0, TRUE, TRUE));
        note(ZwUnlockFile(file, &block, &at, &count, 0));
        note(ZwFlushBuffersFile(file, &block));
        note(ZwQueryDirectoryFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, FileNamesInformation,
                                  FALSE, nullptr, FALSE));
        note(ZwNotifyChangeDirectoryFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, 1, FALSE));
        note(ZwQueryEaFile(file, &block, buffer, sizeof buffer, FALSE, nullptr, 0, nullptr, FALSE));
        note(ZwSetEaFile(file, &block, nullptr, 0));
        note(ZwQueryVolumeInformationFile(file, &block, buffer, sizeof buffer, FileFsSizeInformation));
        note(ZwSetVolumeInformationFile(file, &block, buffer, sizeof buffer, FileFsLabelInformation));
        FILE_NETWORK_OPEN_INFORMATION network;
        note(ZwQueryFullAttributesFile(&name.value, &network));
        note(ZwDeleteFile(&name.value));
        note(ZwCancelIoFile(file, &block));
        PVOID object = nullptr;
        ObReferenceObjectByHandle(file, 0, *IoFileObjectType, KernelMode, &object, nullptr);
        FILE_FS_DEVICE_INFORMATION device{};
        ULONG returned = 0;
        note(IoQueryVolumeInformation(static_cast<PFILE_OBJECT>(object), FileFsDeviceInformation, sizeof device,
                                      &device, &returned));
        note(returned == sizeof device && device.DeviceType == FILE_DEVICE_UNKNOWN ? STATUS_SUCCESS
                                                                                   : STATUS_UNSUCCESSFUL);
        ObDereferenceObject(object);
        // What is pended is cancelled by its status block, or not found.
        lab.pends = lab.cancellable = true;
        IO_STATUS_BLOCK of_request{};
        note(ZwReadFile(file, nullptr, nullptr, nullptr, &of_request, buffer, 1, &at, nullptr) == STATUS_PENDING
                 ? STATUS_SUCCESS
                 : STATUS_UNSUCCESSFUL);
        note(ZwCancelIoFileEx(file, &block, &block) == STATUS_NOT_FOUND ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        note(ZwCancelIoFileEx(file, &of_request, &block));
        note(of_request.Status == STATUS_CANCELLED ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        lab.pends = false;
        HANDLE thread = nullptr;
        ObOpenObjectByPointer(PsGetCurrentThread(), OBJ_KERNEL_HANDLE, nullptr, THREAD_ALL_ACCESS, *PsThreadType,
                              KernelMode, &thread);
        note(ZwCancelSynchronousIoFile(thread, nullptr, &block) == STATUS_NOT_FOUND ? STATUS_SUCCESS
                                                                                    : STATUS_UNSUCCESSFUL);
        ZwClose(thread);
        ZwClose(file);
    });
    for (std::size_t i = 0; i < statuses.size(); ++i) {
        CAPTURE(i);
        CHECK(statuses[i] == STATUS_SUCCESS);
    }
    CHECK(statuses.size() == 20);
}

TEST_CASE("a thread that waits in a service is freed by cancelling its synchronous I/O") {
    ServiceLab lab;
    lab.run([&](Process& process) {
        lab.pends = lab.cancellable = true;
        HANDLE waiter = nullptr;
        IoResult result;
        Thread thread = process.start_thread([&] {
            NtDuplicateObject(NtCurrentProcess(), NtCurrentThread(), NtCurrentProcess(), &waiter, 0, 0,
                              DUPLICATE_SAME_ACCESS);
            result = process.open("\\Device\\F").value().read(1);
        });
        process.sleep(std::chrono::milliseconds(1));
        IO_STATUS_BLOCK block{};
        IO_STATUS_BLOCK none{};
        CHECK(NtCancelSynchronousIoFile(waiter, &none, &block) == STATUS_NOT_FOUND);
        CHECK(block.Status == STATUS_NOT_FOUND);
        CHECK(NtCancelSynchronousIoFile(waiter, nullptr, nullptr) == STATUS_ACCESS_VIOLATION);
        CHECK(NtCancelSynchronousIoFile(waiter, nullptr, &block) == STATUS_SUCCESS);
        thread.join();
        CHECK(result.status == STATUS_CANCELLED);
        NtClose(waiter);
    });
}

TEST_CASE("threads that wait on one synchronous file all end when they are told to") {
    for (const bool all : {false, true}) { // the other threads, or the process
        ServiceLab lab;
        const Outcome outcome = lab.run([&](Process& process) {
            File file = process.open("\\Device\\F").value();
            lab.pends = lab.cancellable = true;
            Thread first = process.start_thread([&] { (void)file.read(1); });
            Thread second = process.start_thread([&] { (void)file.read(1); });
            process.sleep(std::chrono::milliseconds(1));
            NtTerminateProcess(all ? NtCurrentProcess() : nullptr, STATUS_CANCELLED);
            first.join();
            second.join();
            lab.pends = false;
        });
        INFO(outcome.report);
        CHECK(outcome.finished());
        CHECK(std::count(lab.majors.begin(), lab.majors.end(), unsigned{IRP_MJ_READ}) == 1);
    }
}

TEST_CASE("fast I/O answers in place of an IRP, or leaves it to one") {
    FAST_IO_DISPATCH fast = fast_dispatch();
    ServiceLab lab(0, &fast);
    fast_state = {};
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\F").value();
        IO_STATUS_BLOCK block{};
        FILE_BASIC_INFORMATION basic{};
        CHECK(NtQueryInformationFile(file.handle(), &block, &basic, sizeof basic, FileBasicInformation) ==
              STATUS_SUCCESS);
        CHECK(basic.FileAttributes == FILE_ATTRIBUTE_ARCHIVE);
        CHECK(block.Information == sizeof basic);
        FILE_STANDARD_INFORMATION standard{};
        CHECK(NtQueryInformationFile(file.handle(), &block, &standard, sizeof standard, FileStandardInformation) ==
              STATUS_SUCCESS);
        CHECK(standard.NumberOfLinks == 3);
        FILE_NETWORK_OPEN_INFORMATION network{};
        CHECK(NtQueryInformationFile(file.handle(), &block, &network, sizeof network, FileNetworkOpenInformation) ==
              STATUS_SUCCESS);
        CHECK(network.EndOfFile.QuadPart == 5);
        CHECK(lock(file.handle(), 11, 12) == STATUS_SUCCESS);
        CHECK(fast_state.offset == 11);
        CHECK(fast_state.length == 12);
        LARGE_INTEGER at{.QuadPart = 13};
        CHECK(NtUnlockFile(file.handle(), &block, &at, &at, 0) == STATUS_SUCCESS);
        CHECK(fast_state.offset == 13);
        CHECK(fast_state.calls == 5);
        CHECK(lab.seen.MajorFunction == 0); // no IRP besides the open's
        fast_state.answers = false;
        CHECK(NtQueryInformationFile(file.handle(), &block, &basic, sizeof basic, FileBasicInformation) ==
              STATUS_SUCCESS);
        CHECK(lab.seen.MajorFunction == IRP_MJ_QUERY_INFORMATION);
        CHECK(lock(file.handle(), 1, 2) == STATUS_SUCCESS);
        CHECK(lab.seen.MajorFunction == IRP_MJ_LOCK_CONTROL);
        // Transfers: when the file is cached, and synchronous.
        fast_state = {};
        CHECK(file.read(3).ok());
        CHECK(fast_state.calls == 0);
        int cache_map = 0;
        lab.seen.FileObject->PrivateCacheMap = &cache_map;
        lab.seen.FileObject->CurrentByteOffset.QuadPart = 21;
        lab.seen.MajorFunction = 0;
        CHECK(file.read(3).information == 3);
        CHECK(fast_state.offset == 21);
        CHECK(file.write(bytes("abcd"), 5).information == 4);
        CHECK(fast_state.offset == 5);
        CHECK(lab.seen.MajorFunction == 0);
        fast_state.status = STATUS_END_OF_FILE;
        CHECK(file.read(3).status == STATUS_END_OF_FILE);
        fast_state.status = STATUS_FILE_LOCK_CONFLICT; // an IRP is to say so
        CHECK(file.read(3).status == STATUS_SUCCESS);
        CHECK(lab.seen.MajorFunction == IRP_MJ_READ);
        fast_state = {}; // who may only append writes at the end
        File appender = process.open("\\Device\\F", {.access = FILE_APPEND_DATA | SYNCHRONIZE}).value();
        CHECK(appender.write(bytes("ab"), 5).ok());
        lab.seen.FileObject->PrivateCacheMap = &cache_map;
        CHECK(appender.write(bytes("abcd"), 5).information == 4);
        CHECK(fast_state.calls == 1);
        CHECK(fast_state.offset == -1);
        fast.SizeOfFastIoDispatch = 8; // a table that is older than its members
        fast_state = {};
        CHECK(NtQueryInformationFile(file.handle(), &block, &basic, sizeof basic, FileBasicInformation) ==
              STATUS_SUCCESS);
        CHECK(fast_state.calls == 0);
    });
}
