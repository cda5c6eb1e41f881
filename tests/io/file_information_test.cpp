// NtQueryInformationFile and NtSetInformationFile: what the I/O manager answers itself, what drivers are shown, what is refused.
#include "information_lab.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

TEST_CASE("what the I/O manager knows itself it answers without the driver") {
    InformationLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info", {.access = FILE_READ_DATA}).value();
        const Answer<FILE_ACCESS_INFORMATION> access(file.handle(), FileAccessInformation);
        CHECK(access.status == STATUS_SUCCESS);
        CHECK(access.block.Status == STATUS_SUCCESS);
        CHECK(access.block.Information == sizeof(FILE_ACCESS_INFORMATION));
        CHECK(access.value.AccessFlags == (FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE));
        CHECK(Answer<FILE_MODE_INFORMATION>(file.handle(), FileModeInformation).value.Mode ==
              FILE_SYNCHRONOUS_IO_NONALERT);
        CHECK(Answer<FILE_ALIGNMENT_INFORMATION>(file.handle(), FileAlignmentInformation).value.AlignmentRequirement ==
              FILE_QUAD_ALIGNMENT);
        CHECK(Answer<FILE_IO_PRIORITY_HINT_INFORMATION>(file.handle(), FileIoPriorityHintInformation)
                  .value.PriorityHint == IoPriorityNormal);
        const Answer<FILE_IS_REMOTE_DEVICE_INFORMATION> remote(file.handle(), FileIsRemoteDeviceInformation);
        CHECK(remote.status == STATUS_SUCCESS);
        CHECK(remote.value.IsRemote == FALSE);
        const File unbuffered =
            process
                .open("\\Device\\Info",
                      {.create_options = FILE_WRITE_THROUGH | FILE_NO_INTERMEDIATE_BUFFERING, .overlapped = true})
                .value();
        CHECK(Answer<FILE_MODE_INFORMATION>(unbuffered.handle(), FileModeInformation).value.Mode ==
              (FILE_WRITE_THROUGH | FILE_NO_INTERMEDIATE_BUFFERING));
    });
    CHECK(lab.seen.calls == 0);
}

TEST_CASE("all else is the driver's: a system buffer, the length, the class; what it tells comes back") {
    InformationLab lab;
    lab.information = sizeof(FILE_BASIC_INFORMATION);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info").value();
        const Answer<FILE_BASIC_INFORMATION> basic(file.handle(), FileBasicInformation);
        CHECK(basic.status == STATUS_SUCCESS);
        CHECK(basic.block.Information == sizeof(FILE_BASIC_INFORMATION));
        CHECK(basic.value.FileAttributes == 0x5A5A5A5A);
        CHECK(lab.seen.major == IRP_MJ_QUERY_INFORMATION);
        CHECK(lab.seen.which == FileBasicInformation);
        CHECK(lab.seen.length == sizeof(FILE_BASIC_INFORMATION));
        CHECK((lab.seen.flags & (IRP_BUFFERED_IO | IRP_INPUT_OPERATION)) == (IRP_BUFFERED_IO | IRP_INPUT_OPERATION));
        CHECK((lab.seen.flags & IRP_SYNCHRONOUS_API) == 0);
        // Information counts what is copied back.
        lab.information = 4;
        const Answer<FILE_STANDARD_INFORMATION> part(file.handle(), FileStandardInformation);
        CHECK(part.value.AllocationSize.QuadPart == 0x5A5A5A5A);
        CHECK(part.block.Information == 4);
        // An error leaves the caller's block and buffer alone.
        lab.status = STATUS_INVALID_PARAMETER;
        const Answer<FILE_STANDARD_INFORMATION> failed(file.handle(), FileStandardInformation);
        CHECK(failed.status == STATUS_INVALID_PARAMETER);
        CHECK(failed.block.Information == 77);
        CHECK(failed.value.AllocationSize.QuadPart == 0);
        // A warning is told, and what there was room for.
        lab.status = STATUS_BUFFER_OVERFLOW;
        const Answer<FILE_NAME_INFORMATION> overflow(file.handle(), FileNameInformation);
        CHECK(overflow.status == STATUS_BUFFER_OVERFLOW);
        CHECK(overflow.block.Status == STATUS_BUFFER_OVERFLOW);
    });
}

TEST_CASE("on an asynchronous file the service waits by itself, whenever the driver completes") {
    InformationLab lab;
    lab.information = 8;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info", overlapped).value();
        const Answer<FILE_INTERNAL_INFORMATION> at_once(file.handle(), FileInternalInformation);
        CHECK(at_once.status == STATUS_SUCCESS);
        CHECK(at_once.block.Information == 8);
        CHECK((lab.seen.flags & IRP_SYNCHRONOUS_API) != 0);
        CHECK(lab.seen.user_event != nullptr);
        for (const NTSTATUS end : {STATUS_SUCCESS, STATUS_DEVICE_NOT_READY}) {
            lab.pending = true;
            lab.end = end;
            Thread thread = process.start_thread([&] {
                process.sleep(std::chrono::milliseconds(5));
                process.open("\\Device\\Info").value().write(bytes("go"));
            });
            const Answer<FILE_INTERNAL_INFORMATION> later(file.handle(), FileInternalInformation);
            thread.join();
            CHECK(later.status == end);
            CHECK(later.block.Status == end);
            CHECK(later.value.IndexNumber.QuadPart == (NT_SUCCESS(end) ? 0x5A5A5A5A5A5A5A5A : 0));
        }
    });
}

TEST_CASE("FileAllInformation: the I/O manager's part is in the buffer, and counted, when the driver gets it") {
    InformationLab lab;
    FILE_ALL_INFORMATION seen{};
    ULONG_PTR counted = 0;
    lab.behaviour[IRP_MJ_QUERY_INFORMATION] = [&](PDEVICE_OBJECT, PIRP irp) {
        auto* all = static_cast<PFILE_ALL_INFORMATION>(irp->AssociatedIrp.SystemBuffer);
        seen = *all;
        counted = irp->IoStatus.Information;
        all->NameInformation.FileNameLength = 0;
        return complete(irp, STATUS_SUCCESS, sizeof *all);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info", {.access = FILE_READ_DATA}).value();
        const Answer<FILE_ALL_INFORMATION> all(file.handle(), FileAllInformation);
        CHECK(all.status == STATUS_SUCCESS);
        CHECK(all.value.ModeInformation.Mode == FILE_SYNCHRONOUS_IO_NONALERT);
        CHECK(seen.AccessInformation.AccessFlags == (FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE));
        CHECK(seen.AlignmentInformation.AlignmentRequirement == FILE_QUAD_ALIGNMENT);
        CHECK(counted == 12);
    });
}

TEST_CASE("classes, lengths, rights, alignment and memory are checked before a driver hears of it") {
    InformationLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info", {.access = SYNCHRONIZE}).value(); // and FILE_READ_ATTRIBUTES
        IO_STATUS_BLOCK block;
        alignas(8) char buffer[256] = {};
        const auto query = [&](PVOID to, ULONG length, int which) {
            return NtQueryInformationFile(file.handle(), &block, to, length,
                                          static_cast<FILE_INFORMATION_CLASS>(which));
        };
        const auto change = [&](ULONG length, int which) {
            return NtSetInformationFile(file.handle(), &block, buffer, length,
                                        static_cast<FILE_INFORMATION_CLASS>(which));
        };
        for (const int which : {0, -1, int{FileMaximumInformation}, 999, int{FileDirectoryInformation},
                                int{FileRenameInformation}, int{FileDispositionInformation}})
            CHECK(query(buffer, sizeof buffer, which) == STATUS_INVALID_INFO_CLASS);
        for (const int which :
             {0, int{FileMaximumInformation}, int{FileStandardInformation}, int{FileAccessInformation}})
            CHECK(change(sizeof buffer, which) == STATUS_INVALID_INFO_CLASS);
        CHECK(query(buffer, sizeof(FILE_BASIC_INFORMATION) - 1, FileBasicInformation) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(query(buffer, 0, FileStandardInformation) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(change(sizeof(FILE_BASIC_INFORMATION) - 1, FileBasicInformation) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(query(buffer + 4, sizeof(FILE_BASIC_INFORMATION), FileBasicInformation) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(query(buffer + 1, 4, FileEaInformation) == STATUS_DATATYPE_MISALIGNMENT);
        CHECK(query(nullptr, sizeof(FILE_BASIC_INFORMATION), FileBasicInformation) == STATUS_ACCESS_VIOLATION);
        CHECK(query(MmSystemRangeStart, sizeof(FILE_BASIC_INFORMATION), FileBasicInformation) ==
              STATUS_ACCESS_VIOLATION);
        CHECK(query(buffer, 12, FileFullEaInformation) == STATUS_ACCESS_DENIED); // FILE_READ_EA
        CHECK(query(buffer, 8, FilePositionInformation) == STATUS_ACCESS_DENIED);
        CHECK(query(buffer, 4, FileIoPriorityHintInformation) == STATUS_ACCESS_DENIED);
        CHECK(change(sizeof(FILE_BASIC_INFORMATION), FileBasicInformation) == STATUS_ACCESS_DENIED);
        CHECK(change(1, FileDispositionInformation) == STATUS_ACCESS_DENIED);
        CHECK(change(8, FilePositionInformation) == STATUS_ACCESS_DENIED);
        CHECK(change(8, FileEndOfFileInformation) == STATUS_ACCESS_DENIED);
        CHECK(NtQueryInformationFile(nullptr, &block, buffer, 64, FileBasicInformation) == STATUS_INVALID_HANDLE);
        CHECK(NtQueryInformationFile(file.handle(), nullptr, buffer, 64, FileBasicInformation) ==
              STATUS_ACCESS_VIOLATION);
        CHECK(IoCheckQuerySetFileInformation(FileBasicInformation, 39, FALSE) == STATUS_INFO_LENGTH_MISMATCH);
    });
    CHECK(lab.seen.calls == 0);
    NTSTATUS file[3]{};
    NTSTATUS volume[3]{};
    lab.machine.run_in_kernel([&] {
        file[0] = IoCheckQuerySetFileInformation(FileBasicInformation, 40, FALSE);
        file[1] = IoCheckQuerySetFileInformation(FileEndOfFileInformation, 7, TRUE);
        file[2] = IoCheckQuerySetFileInformation(FileEndOfFileInformation, 8, FALSE);
        volume[0] = IoCheckQuerySetVolumeInformation(FileFsSizeInformation, 24, FALSE);
        volume[1] = IoCheckQuerySetVolumeInformation(FileFsSizeInformation, 23, FALSE);
        volume[2] = IoCheckQuerySetVolumeInformation(FileFsSizeInformation, 24, TRUE);
    });
    CHECK(file[0] == STATUS_SUCCESS);
    CHECK(file[1] == STATUS_INFO_LENGTH_MISMATCH);
    CHECK(file[2] == STATUS_INVALID_INFO_CLASS);
    CHECK(volume[0] == STATUS_SUCCESS);
    CHECK(volume[1] == STATUS_INFO_LENGTH_MISMATCH);
    CHECK(volume[2] == STATUS_INVALID_INFO_CLASS);
}

TEST_CASE("the modes of a file: alertable or not may change, synchronous or not may not") {
    InformationLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info").value();
        const auto mode = [&] { return Answer<FILE_MODE_INFORMATION>(file.handle(), FileModeInformation).value.Mode; };
        const auto change = [&](ULONG value) {
            return set(file.handle(), FILE_MODE_INFORMATION{value}, FileModeInformation);
        };
        CHECK(change(FILE_SYNCHRONOUS_IO_ALERT | FILE_SEQUENTIAL_ONLY | FILE_WRITE_THROUGH) == STATUS_SUCCESS);
        CHECK(mode() == (FILE_SYNCHRONOUS_IO_ALERT | FILE_SEQUENTIAL_ONLY | FILE_WRITE_THROUGH));
        CHECK((lab.last_open->Flags & FO_ALERTABLE_IO) != 0);
        CHECK(change(FILE_SYNCHRONOUS_IO_NONALERT) == STATUS_SUCCESS);
        CHECK(mode() == FILE_SYNCHRONOUS_IO_NONALERT);
        CHECK(change(0) == STATUS_INVALID_PARAMETER);
        CHECK(change(FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) == STATUS_INVALID_PARAMETER);
        CHECK(change(FILE_SYNCHRONOUS_IO_ALERT | FILE_RANDOM_ACCESS) == STATUS_INVALID_PARAMETER);
        const File other = process.open("\\Device\\Info", overlapped).value();
        CHECK(set(other.handle(), FILE_MODE_INFORMATION{FILE_SYNCHRONOUS_IO_ALERT}, FileModeInformation) ==
              STATUS_INVALID_PARAMETER);
        CHECK(set(other.handle(), FILE_MODE_INFORMATION{FILE_WRITE_THROUGH}, FileModeInformation) == STATUS_SUCCESS);
        // A hint of an application's goes as far as normal.
        CHECK(set(file.handle(), FILE_IO_PRIORITY_HINT_INFORMATION{IoPriorityLow}, FileIoPriorityHintInformation) ==
              STATUS_SUCCESS);
        CHECK(Answer<FILE_IO_PRIORITY_HINT_INFORMATION>(file.handle(), FileIoPriorityHintInformation)
                  .value.PriorityHint == IoPriorityLow);
        CHECK(set(file.handle(), FILE_IO_PRIORITY_HINT_INFORMATION{IoPriorityHigh}, FileIoPriorityHintInformation) ==
              STATUS_INVALID_PARAMETER);
    });
    CHECK(lab.seen.calls == 0);
}

TEST_CASE("a disposition carries the handle, a rename the directory it goes to") {
    InformationLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info\\a", {.access = GENERIC_READ | GENERIC_WRITE | DELETE}).value();
        PFILE_OBJECT renamed = lab.last_open;
        CHECK(set(file.handle(), FILE_DISPOSITION_INFORMATION{TRUE}, FileDispositionInformation) == STATUS_SUCCESS);
        CHECK(lab.seen.delete_handle == file.handle());
        CHECK(lab.seen.content == std::string(1, '\1'));
        CHECK(set(file.handle(), FILE_DISPOSITION_INFORMATION{FALSE}, FileDispositionInformation) == STATUS_SUCCESS);
        CHECK(lab.seen.delete_handle == nullptr);

        const auto rename = [&](std::u16string_view name, HANDLE root, ULONG name_bytes) {
            alignas(8) char buffer[128] = {};
            auto* information = reinterpret_cast<PFILE_RENAME_INFORMATION>(buffer);
            information->ReplaceIfExists = TRUE;
            information->RootDirectory = root;
            information->FileNameLength = name_bytes;
            std::memcpy(information->FileName, name.data(), name.size() * 2);
            IO_STATUS_BLOCK block;
            const ULONG length = static_cast<ULONG>(offsetof(FILE_RENAME_INFORMATION, FileName) + name.size() * 2);
            return NtSetInformationFile(file.handle(), &block, buffer, length < 24 ? 24 : length,
                                        FileRenameInformation);
        };
        CHECK(rename(u"bb", nullptr, 4) == STATUS_SUCCESS);
        CHECK(lab.seen.target == nullptr);
        CHECK(lab.seen.replace);
        CHECK(lab.seen.file == renamed);
        CHECK(rename(u"\\Device\\Info\\dir\\bb", nullptr, 38) == STATUS_SUCCESS);
        CHECK(lab.targets_opened == 1);
        CHECK(lab.seen.target == lab.last_open);
        const File root = process.open("\\Device\\Info\\dir").value();
        CHECK(rename(u"cc", root.handle(), 4) == STATUS_SUCCESS);
        CHECK(lab.targets_opened == 2);
        const unsigned calls = lab.seen.calls;
        CHECK(rename(u"\\Device\\Other\\bb", nullptr, 32) == STATUS_NOT_SAME_DEVICE);
        CHECK(rename(u"bb", nullptr, 3) == STATUS_INVALID_PARAMETER);
        CHECK(rename(u"bb", nullptr, 0) == STATUS_INVALID_PARAMETER);
        CHECK(rename(u"bb", nullptr, 40) == STATUS_INVALID_PARAMETER);
        CHECK(lab.seen.calls == calls);
    });
}

TEST_CASE("drivers ask and tell by file object and by handle, in kernel memory") {
    InformationLab lab;
    lab.information = 8;
    NTSTATUS statuses[6]{};
    ULONG returned[2]{};
    IO_STATUS_BLOCK block{};
    FILE_STANDARD_INFORMATION standard{};
    FILE_ALIGNMENT_INFORMATION alignment{};
    std::string content;
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\Device\\Info");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        HANDLE handle = nullptr;
        statuses[0] = ZwOpenFile(&handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &block, 0, 0);
        PVOID file = nullptr;
        ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &file, nullptr);
        auto* object = static_cast<PFILE_OBJECT>(file);
        statuses[1] = IoQueryFileInformation(object, FileStandardInformation, sizeof standard, &standard, &returned[0]);
        statuses[2] = IoQueryFileInformation(object, FileAlignmentInformation, 4, &alignment, &returned[1]);
        FILE_END_OF_FILE_INFORMATION end{.EndOfFile = {.QuadPart = 0x4141414141414141}};
        statuses[3] = IoSetInformation(object, FileEndOfFileInformation, sizeof end, &end);
        content = lab.seen.content;
        statuses[4] = ZwQueryInformationFile(handle, &block, &standard, sizeof standard, FileStandardInformation);
        statuses[5] = ZwSetInformationFile(handle, &block, &end, 7, FileEndOfFileInformation);
        ObDereferenceObject(object);
        ZwClose(handle);
    });
    for (unsigned i = 0; i < 5; ++i) CHECK(statuses[i] == STATUS_SUCCESS);
    CHECK(statuses[5] == STATUS_INFO_LENGTH_MISMATCH);
    CHECK(returned[0] == 8);
    CHECK(returned[1] == 4);
    CHECK(standard.AllocationSize.QuadPart == 0x5A5A5A5A5A5A5A5A);
    CHECK(alignment.AlignmentRequirement == FILE_QUAD_ALIGNMENT);
    CHECK(content == "AAAAAAAA");
    CHECK(block.Information == 8);
}
