// Reading and writing: the three kinds of buffers, where a transfer begins, who may, and bad memory.
#include "closure_driver.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

// What a read or write looked like to the driver.
struct Seen {
    unsigned calls = 0;
    UCHAR major = 0;
    ULONG length = 0;
    ULONG key = 0;
    LONGLONG offset = 0;
    void* system_buffer = nullptr;
    void* user_buffer = nullptr;
    bool has_mdl = false;
    ULONG mdl_bytes = 0;
    std::string text;
};

// Reads fill the buffer with "0123..." ; writes are remembered.
NTSTATUS transfer(Seen& seen, PDEVICE_OBJECT device, PIRP irp) {
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    ++seen.calls;
    seen.major = location->MajorFunction;
    seen.length = location->Parameters.Read.Length;
    seen.key = location->Parameters.Read.Key;
    seen.offset = location->Parameters.Read.ByteOffset.QuadPart;
    seen.system_buffer = irp->AssociatedIrp.SystemBuffer;
    seen.user_buffer = irp->UserBuffer;
    seen.has_mdl = irp->MdlAddress != nullptr;
    seen.mdl_bytes = seen.has_mdl ? MmGetMdlByteCount(irp->MdlAddress) : 0;
    char* data = static_cast<char*>((device->Flags & DO_BUFFERED_IO) != 0 ? seen.system_buffer
                                    : (device->Flags & DO_DIRECT_IO) == 0 ? seen.user_buffer
                                    : seen.has_mdl ? MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority)
                                                   : nullptr);
    for (ULONG i = 0; data != nullptr && i < seen.length; ++i) {
        if (seen.major == IRP_MJ_WRITE) {
            seen.text += data[i];
        } else {
            data[i] = static_cast<char>('0' + i % 10);
        }
    }
    return complete(irp, STATUS_SUCCESS, seen.length);
}

// A machine with the device \Device\T.
struct TransferLab : Lab {
    explicit TransferLab(ULONG flags) {
        for (const unsigned major : {IRP_MJ_READ, IRP_MJ_WRITE}) {
            behaviour[major] = [this](PDEVICE_OBJECT device, PIRP irp) { return transfer(seen, device, irp); };
        }
        load("t",
             [this, flags](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\T", behaviour, flags); });
    }
    Behaviour behaviour;
    Seen seen;
};

std::string text_of(const IoResult& result) {
    return {reinterpret_cast<const char*>(result.data.data()), result.data.size()};
}

} // namespace

TEST_CASE("buffered: the driver sees a system buffer, the application the bytes that Information counts") {
    TransferLab lab(DO_BUFFERED_IO);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T").value();
        const IoResult read = file.read(12);
        CHECK(read.status == STATUS_SUCCESS);
        CHECK(read.information == 12);
        CHECK(text_of(read) == "012345678901");
        CHECK(lab.seen.system_buffer >= MmSystemRangeStart);
        CHECK(!lab.seen.has_mdl);
        CHECK(file.write(bytes("hello")).information == 5);
        CHECK(lab.seen.text == "hello");
        CHECK(lab.seen.system_buffer >= MmSystemRangeStart);
    });
}

TEST_CASE("direct: the driver sees an MDL of the application's pages") {
    TransferLab lab(DO_DIRECT_IO);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T").value();
        CHECK(text_of(file.read(10'000)).substr(9'990) == "0123456789");
        CHECK(lab.seen.mdl_bytes == 10'000);
        CHECK(lab.seen.system_buffer == nullptr);
        file.write(bytes("direct"));
        CHECK(lab.seen.text == "direct");
    });
}

TEST_CASE("neither: the driver sees the application's address") {
    TransferLab lab(0);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T").value();
        CHECK(text_of(file.read(3)) == "012");
        CHECK(lab.seen.user_buffer != nullptr);
        CHECK(lab.seen.user_buffer < MmSystemRangeStart);
        CHECK(lab.seen.system_buffer == nullptr);
        CHECK(!lab.seen.has_mdl);
        file.write(bytes("n"));
        CHECK(lab.seen.text == "n");
    });
}

TEST_CASE("a transfer of nothing reaches the driver without a buffer") {
    for (const ULONG flags : {ULONG{DO_BUFFERED_IO}, ULONG{DO_DIRECT_IO}, ULONG{0}}) {
        TransferLab lab(flags);
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\T").value();
            CHECK(file.read(0).status == STATUS_SUCCESS);
            CHECK(file.write({}).status == STATUS_SUCCESS);
        });
        CHECK(lab.seen.calls == 2);
        CHECK(lab.seen.length == 0);
        CHECK(lab.seen.system_buffer == nullptr);
        CHECK(!lab.seen.has_mdl);
    }
}

TEST_CASE("a synchronous file without an offset uses its own position, which the driver moves") {
    TransferLab lab(DO_BUFFERED_IO);
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
        lab.seen.offset = location->Parameters.Read.ByteOffset.QuadPart;
        location->FileObject->CurrentByteOffset.QuadPart += 4;
        return complete(irp, STATUS_SUCCESS, 4);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T").value();
        file.read(4);
        CHECK(lab.seen.offset == 0);
        file.read(4);
        CHECK(lab.seen.offset == 4);
        file.read(4, 1'000);
        CHECK(lab.seen.offset == 1'000);
        file.read(4, static_cast<std::int64_t>(0xFFFF'FFFF'FFFF'FFFE)); // FILE_USE_FILE_POINTER_POSITION
        CHECK(lab.seen.offset == 12);
    });
}

TEST_CASE("an overlapped file needs an offset, and no file takes a negative one") {
    TransferLab lab(DO_BUFFERED_IO);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T", overlapped).value();
        IO_STATUS_BLOCK block{};
        char data[4];
        LARGE_INTEGER minus_two{.QuadPart = -2};
        LARGE_INTEGER minus_nine{.QuadPart = -9};
        LARGE_INTEGER at_end{.QuadPart = -1}; // FILE_WRITE_TO_END_OF_FILE
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, nullptr, nullptr) ==
              STATUS_INVALID_PARAMETER);
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, &minus_two, nullptr) ==
              STATUS_INVALID_PARAMETER);
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, &minus_nine, nullptr) ==
              STATUS_INVALID_PARAMETER);
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, &at_end, nullptr) ==
              STATUS_INVALID_PARAMETER);
        CHECK(lab.seen.calls == 0);
        ULONG key = 77;
        CHECK(NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, &at_end, &key) == STATUS_SUCCESS);
        CHECK(lab.seen.offset == -1);
        CHECK(lab.seen.key == 77);
    });
}

TEST_CASE("access: reading and writing need their rights, appending writes at the end") {
    TransferLab lab(DO_BUFFERED_IO);
    lab.run([&](Process& process) {
        File reader = process.open("\\Device\\T", {.access = FILE_READ_DATA}).value();
        CHECK(reader.read(1).ok());
        CHECK(reader.write(bytes("x")).status == STATUS_ACCESS_DENIED);
        File writer = process.open("\\Device\\T", {.access = FILE_WRITE_DATA}).value();
        CHECK(writer.write(bytes("x"), 5).ok());
        CHECK(lab.seen.offset == 5);
        CHECK(writer.read(1).status == STATUS_ACCESS_DENIED);
        File appender = process.open("\\Device\\T", {.access = FILE_APPEND_DATA}).value();
        CHECK(appender.write(bytes("x"), 5).ok());
        CHECK(lab.seen.offset == -1);
        CHECK(lab.seen.calls == 3);
    });
}

TEST_CASE("a bad buffer, offset, key or status block is refused before any driver is called") {
    for (const ULONG flags : {ULONG{DO_BUFFERED_IO}, ULONG{DO_DIRECT_IO}, ULONG{0}}) {
        TransferLab lab(flags);
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\T").value();
            IO_STATUS_BLOCK block{};
            char data[4]{};
            auto* const nowhere = reinterpret_cast<void*>(0x10000);
            auto* const kernel = static_cast<char*>(MmSystemRangeStart) + 0x1000;
            const auto read = [&](void* buffer, ULONG length) {
                return NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, nullptr, nullptr);
            };
            const auto write = [&](void* buffer, ULONG length) {
                return NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, nullptr, nullptr);
            };
            for (void* bad : {nowhere, static_cast<void*>(kernel), static_cast<void*>(nullptr)}) {
                CHECK(read(bad, 4) == STATUS_ACCESS_VIOLATION);
                CHECK(write(bad, 4) == STATUS_ACCESS_VIOLATION);
            }
            CHECK(read(data, 0xFFFF'FFFF) == STATUS_ACCESS_VIOLATION);
            auto* const bad_offset = static_cast<PLARGE_INTEGER>(nowhere);
            auto* const bad_key = static_cast<PULONG>(nowhere);
            auto* const bad_block = static_cast<PIO_STATUS_BLOCK>(nowhere);
            CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, bad_offset, nullptr) ==
                  STATUS_ACCESS_VIOLATION);
            CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, nullptr, bad_key) ==
                  STATUS_ACCESS_VIOLATION);
            CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, bad_block, data, 4, nullptr, nullptr) ==
                  STATUS_ACCESS_VIOLATION);
            CHECK(lab.seen.calls == 0);
            CHECK(read(data, 4) == STATUS_SUCCESS); // and the file goes on
        });
    }
}

TEST_CASE("memory that is read-only for the application can be written from, not read into") {
    TransferLab lab(DO_DIRECT_IO);
    static const char constant[4096] = "constant";
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\T").value();
        IO_STATUS_BLOCK block{};
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, const_cast<char*>(constant), 8, nullptr,
                         nullptr) == STATUS_ACCESS_VIOLATION);
        CHECK(lab.seen.calls == 0);
    });
}

TEST_CASE("handles: none, closed, of another type") {
    TransferLab lab(DO_BUFFERED_IO);
    lab.run([&](Process& process) {
        IO_STATUS_BLOCK block{};
        char data[4];
        HANDLE event = nullptr;
        CHECK(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        const auto read = [&](HANDLE handle, HANDLE with_event) {
            return NtReadFile(handle, with_event, nullptr, nullptr, &block, data, 4, nullptr, nullptr);
        };
        CHECK(read(nullptr, nullptr) == STATUS_INVALID_HANDLE);
        CHECK(read(reinterpret_cast<HANDLE>(0x7654), nullptr) == STATUS_INVALID_HANDLE);
        CHECK(read(event, nullptr) == STATUS_OBJECT_TYPE_MISMATCH);
        File file = process.open("\\Device\\T").value();
        CHECK(read(file.handle(), reinterpret_cast<HANDLE>(0x7654)) == STATUS_INVALID_HANDLE);
        CHECK(read(file.handle(), file.handle()) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(read(file.handle(), event) == STATUS_SUCCESS);
        CHECK(lab.seen.calls == 1);
    });
}

TEST_CASE("a major function that a driver does not serve is an invalid request") {
    Lab lab;
    bool called = false;
    lab.load("bare", [&](PDRIVER_OBJECT driver) {
        static Behaviour behaviour;
        behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
            called = true;
            return complete(irp, STATUS_SUCCESS);
        };
        return create_device(driver, u"\\Device\\Bare", behaviour, DO_BUFFERED_IO);
    });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Bare").value();
        CHECK(file.read(4).status == STATUS_INVALID_DEVICE_REQUEST);
        CHECK(file.device_control(0x222000).status == STATUS_INVALID_DEVICE_REQUEST);
    });
    CHECK(called);
}

TEST_CASE("unbuffered, an application transfers whole sectors from aligned memory; buffered, any bytes") {
    TransferLab lab(DO_DIRECT_IO);
    PDEVICE_OBJECT device = nullptr;
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\Device\\T");
        PFILE_OBJECT file = nullptr;
        if (NT_SUCCESS(IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &device))) ObDereferenceObject(file);
    });
    REQUIRE(device != nullptr);
    device->SectorSize = 512;
    device->AlignmentRequirement = FILE_QUAD_ALIGNMENT;
    constexpr ACCESS_MASK access = FILE_READ_DATA | FILE_WRITE_DATA;
    lab.run([&](Process& process) {
        auto* memory = static_cast<char*>(process.allocate(2048));
        const auto read = [&](const File& file, char* to, ULONG length, LONGLONG at) {
            LARGE_INTEGER offset{.QuadPart = at};
            IO_STATUS_BLOCK block{};
            const NTSTATUS status =
                NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, to, length, &offset, nullptr);
            if (!NT_SUCCESS(status)) return status;
            return NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &block, to, length, &offset, nullptr);
        };
        File direct =
            process.open("\\Device\\T", {.access = access, .create_options = FILE_NO_INTERMEDIATE_BUFFERING}).value();
        CHECK(read(direct, memory, 512, 1024) == STATUS_SUCCESS);
        CHECK(read(direct, memory + 8, 1024, 0) == STATUS_SUCCESS);
        lab.seen.calls = 0;
        CHECK(read(direct, memory, 511, 1024) == STATUS_INVALID_PARAMETER);
        CHECK(read(direct, memory, 512, 1000) == STATUS_INVALID_PARAMETER);
        CHECK(read(direct, memory + 4, 512, 1024) == STATUS_INVALID_PARAMETER);
        CHECK(lab.seen.calls == 0);
        LARGE_INTEGER end;
        end.QuadPart = static_cast<LONGLONG>(0xFFFF'FFFF'FFFF'FFFF);
        IO_STATUS_BLOCK block{};
        CHECK(NtWriteFile(direct.handle(), nullptr, nullptr, nullptr, &block, memory, 512, &end, nullptr) ==
              STATUS_SUCCESS);
        CHECK(NtReadFile(direct.handle(), nullptr, nullptr, nullptr, &block, memory, 512, nullptr, nullptr) ==
              STATUS_SUCCESS); // the file's own position
        File buffered = process.open("\\Device\\T", {.access = access}).value();
        CHECK(read(buffered, memory + 4, 511, 1000) == STATUS_SUCCESS);
    });
}
