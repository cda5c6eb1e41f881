// The position of a file, held against a model.
#include "information_lab.hpp"
#include "support/random.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("the position of a file follows a model through 10,000 transfers, seeks and refusals") {
    InformationLab lab;
    LONGLONG at = -1;
    // A driver that keeps the position as file systems do.
    lab.behaviour[IRP_MJ_READ] = lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
        PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
        at = location->Parameters.Read.ByteOffset.QuadPart;
        if (at == -1) at = 1000; // the end
        location->FileObject->CurrentByteOffset.QuadPart = at + location->Parameters.Read.Length;
        return complete(irp, STATUS_SUCCESS, location->Parameters.Read.Length);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Info").value();
        Random random(7);
        LONGLONG position = 0;
        LONGLONG expected = 0;
        std::string failure;
        char buffer[16];
        for (int step = 0; step < property_steps && failure.empty(); ++step) {
            IO_STATUS_BLOCK block;
            const auto length = static_cast<ULONG>(random.below(sizeof buffer + 1));
            LARGE_INTEGER offset{.QuadPart = static_cast<LONGLONG>(random.below(5000))};
            NTSTATUS status = STATUS_SUCCESS;
            at = expected = -2;
            switch (random.below(7)) {
            case 0: // where the file stands
                expected = position;
                status = NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, nullptr, nullptr);
                break;
            case 1: // at a place
                expected = offset.QuadPart;
                status =
                    NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, &offset, nullptr);
                break;
            case 2: // where the file stands, said aloud
                expected = position;
                offset.QuadPart = static_cast<LONGLONG>(0xFFFFFFFF00000000 | FILE_USE_FILE_POINTER_POSITION);
                status = NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, &offset, nullptr);
                break;
            case 3: // at the end
                expected = 1000;
                offset.QuadPart = -1;
                status =
                    NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, &offset, nullptr);
                break;
            case 4: // seek
                status = set_position(file.handle(), offset.QuadPart);
                position = offset.QuadPart;
                break;
            case 5: // nowhere
                status = set_position(file.handle(), -1 - offset.QuadPart) == STATUS_INVALID_PARAMETER
                             ? STATUS_SUCCESS
                             : STATUS_UNSUCCESSFUL;
                break;
            default: { // before the beginning
                offset.QuadPart = -3 - offset.QuadPart;
                status = NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, buffer, length, &offset, nullptr);
                status = status == STATUS_INVALID_PARAMETER ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
            }
            }
            if (expected >= 0) position = expected + length;
            const Answer<FILE_POSITION_INFORMATION> told(file.handle(), FilePositionInformation);
            if (!NT_SUCCESS(status) || at != expected || told.value.CurrentByteOffset.QuadPart != position)
                failure = "step " + std::to_string(step);
        }
        CHECK(failure == "");
        // Without a position of its own, an asynchronous file's driver is asked.
        const File other = process.open("\\Device\\Info", overlapped).value();
        CHECK(set_position(other.handle(), 5) == STATUS_SUCCESS);
        CHECK(lab.seen.which == FilePositionInformation);
        CHECK(lab.seen.content == std::string("\5\0\0\0\0\0\0\0", 8));
    });
}
