// Services of files besides transfers and information: locks, directories, extended attributes, volumes.
#include "service_lab.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

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
