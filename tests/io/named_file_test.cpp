// Services that take names: attributes, deletion, pipes and mailslots; and all services under the names that drivers use.
#include "service_lab.hpp"

using namespace dirql;
using namespace dirql::test;

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
        Attributes name(u"\\Device\\F\\x", OBJ_CASE_INSENSITIVE);
        FILE_BASIC_INFORMATION basic{};
        CHECK(NtQueryAttributesFile(name.get(), &basic) == STATUS_SUCCESS);
        CHECK(basic.ChangeTime.QuadPart == 9);
        CHECK(handles_of_process == 0);
        CHECK(lab.desired == FILE_READ_ATTRIBUTES);
        CHECK((lab.create_options & FILE_OPEN_REPARSE_POINT) != 0);
        const std::vector<unsigned> expected{IRP_MJ_CREATE, IRP_MJ_QUERY_INFORMATION, IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
        CHECK(lab.majors == expected);
        lab.information = sizeof(FILE_NETWORK_OPEN_INFORMATION);
        FILE_NETWORK_OPEN_INFORMATION network{};
        CHECK(NtQueryFullAttributesFile(name.get(), &network) == STATUS_SUCCESS);
        CHECK(network.ChangeTime.QuadPart == 9);
        CHECK(lab.seen.Parameters.QueryFile.FileInformationClass == FileNetworkOpenInformation);
        lab.status = STATUS_INVALID_PARAMETER;
        CHECK(NtQueryAttributesFile(name.get(), &basic) == STATUS_INVALID_PARAMETER);
        CHECK(NtQueryAttributesFile(name.get(), nullptr) == STATUS_ACCESS_VIOLATION);
        Attributes nothing(u"\\Device\\Nothing", OBJ_CASE_INSENSITIVE);
        CHECK(NtQueryAttributesFile(nothing.get(), &basic) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(NtDeleteFile(nothing.get()) == STATUS_OBJECT_NAME_NOT_FOUND);
        lab.majors.clear();
        CHECK(NtDeleteFile(name.get()) == STATUS_SUCCESS);
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
        Attributes name(u"\\Device\\F\\pipe", OBJ_CASE_INSENSITIVE);
        HANDLE handle = nullptr;
        IO_STATUS_BLOCK block{};
        LARGE_INTEGER timeout{.QuadPart = -500};
        const auto create = [&](ULONG share, ULONG disposition, ULONG options) {
            const NTSTATUS status = NtCreateNamedPipeFile(&handle, GENERIC_READ | SYNCHRONIZE, name.get(), &block,
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
        CHECK(NtCreateMailslotFile(&handle, GENERIC_READ, name.get(), &block, 0, 100, 200, nullptr) == STATUS_SUCCESS);
        CHECK(mailslot.MailslotQuota == 100);
        CHECK(mailslot.MaximumMessageSize == 200);
        CHECK(mailslot.TimeoutSpecified == FALSE);
        NtClose(handle);
        CHECK(NtCreateMailslotFile(&handle, GENERIC_READ, name.get(), &block, FILE_RANDOM_ACCESS, 1, 2, nullptr) ==
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
        note(ZwOpenFile(&file, FILE_READ_DATA, name.get(), &block, 0, 0)); // rights do not bind the kernel
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
        note(ZwQueryFullAttributesFile(name.get(), &network));
        note(ZwDeleteFile(name.get()));
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
