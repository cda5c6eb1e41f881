// Fast I/O in place of IRPs.
#include "service_lab.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

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

} // namespace

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
