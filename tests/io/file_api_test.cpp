// The C++ API's view of files beyond transfers: APCs, completion ports, information, position, cancelling.
#include "closure_driver.hpp"

#include <deque>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr ULONG finish_oldest = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS);

// Reads are pended, cancellably, until a control request completes the oldest.
struct ApiLab : Lab {
    ApiLab() {
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) {
            waiting.push_back(irp);
            IoSetCancelRoutine(irp, [](PDEVICE_OBJECT, PIRP cancelled) {
                IoReleaseCancelSpinLock(cancelled->CancelIrql);
                complete(cancelled, STATUS_CANCELLED);
            });
            return pend(irp);
        };
        behaviour[IRP_MJ_DEVICE_CONTROL] = [this](PDEVICE_OBJECT, PIRP irp) {
            PIRP oldest = waiting.front();
            waiting.pop_front();
            IoSetCancelRoutine(oldest, nullptr);
            static_cast<char*>(oldest->AssociatedIrp.SystemBuffer)[0] = 'x';
            complete(oldest, STATUS_SUCCESS, 1);
            return complete(irp, STATUS_SUCCESS, 0);
        };
        behaviour[IRP_MJ_FLUSH_BUFFERS] = [this](PDEVICE_OBJECT, PIRP irp) {
            ++flushes;
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_QUERY_INFORMATION] = [](PDEVICE_OBJECT, PIRP irp) {
            static_cast<PFILE_STANDARD_INFORMATION>(irp->AssociatedIrp.SystemBuffer)->EndOfFile.QuadPart = 0x41;
            return complete(irp, STATUS_SUCCESS, sizeof(FILE_STANDARD_INFORMATION));
        };
        load("api", [this](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\Api", behaviour, DO_BUFFERED_IO);
        });
    }
    Behaviour behaviour;
    std::deque<PIRP> waiting;
    unsigned flushes = 0;
};

} // namespace

TEST_CASE("a request's callback is called in an alertable wait of its thread, while the Request exists") {
    ApiLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Api", overlapped).value();
        File trigger = process.open("\\Device\\Api").value();
        std::vector<std::string> told;
        const auto tell = [&](const IoResult& result) {
            told.push_back(std::string(reinterpret_cast<const char*>(result.data.data()), result.data.size()));
        };
        Request first = file.start_read(4, 0, {.on_end = tell});
        CHECK(!process.sleep_alertably(std::chrono::milliseconds(1)));
        CHECK(trigger.device_control(finish_oldest).ok());
        CHECK(first.wait().information == 1);
        CHECK(told.empty());
        CHECK(process.sleep_alertably(std::chrono::milliseconds(1)));
        CHECK(told == std::vector<std::string>{"x"});
        {
            const Request forgotten = file.start_read(4, 0, {.on_end = tell}); // cancelled and dropped
        }
        CHECK(process.sleep_alertably(std::chrono::milliseconds(1)));
        CHECK(told.size() == 1);
        lab.waiting.clear();
        const Request never = file.start_read(4, 0, {.on_end = tell});
    });
}

TEST_CASE("a port takes the ends of its files' requests and what is posted") {
    ApiLab lab;
    lab.run([&](Process& process) {
        CompletionPort port = process.create_port();
        File file = process.open("\\Device\\Api", overlapped).value();
        File trigger = process.open("\\Device\\Api").value();
        CHECK(file.set_port(port, 5) == STATUS_SUCCESS);
        CHECK(trigger.set_port(port, 5) == STATUS_INVALID_PARAMETER);
        const Request request = file.start_read(4, 0, {.context = 77});
        CHECK(!port.take(std::chrono::milliseconds(1)).has_value());
        CHECK(trigger.device_control(finish_oldest).ok());
        CHECK(port.post({.key = 1, .context = 2, .status = STATUS_DEVICE_BUSY, .information = 3}) == STATUS_SUCCESS);
        CHECK(port.size() == 2);
        const PortPacket first = port.take().value_or(PortPacket{});
        CHECK(first.key == 5);
        CHECK(first.context == 77);
        CHECK(first.information == 1);
        const PortPacket second = port.take().value_or(PortPacket{});
        CHECK(second.key == 1);
        CHECK(second.context == 2);
        CHECK(second.status == STATUS_DEVICE_BUSY);
        CHECK(second.information == 3);
        Request both = file.start_read(4, 0, {.on_end = [](const IoResult&) {}});
        CHECK(both.wait().status == STATUS_INVALID_PARAMETER);
        CompletionPort other = std::move(port);
        CHECK(port.handle() == nullptr);
        CHECK(other.close() == STATUS_SUCCESS);
        CHECK(other.close() == STATUS_INVALID_HANDLE);
        CHECK_THROWS_AS(other.size(), std::logic_error);
    });
}

TEST_CASE("information, position, flushing and cancelling of a file") {
    ApiLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Api").value();
        const IoResult standard = file.query_information(FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION));
        CHECK(standard.ok());
        CHECK(standard.data.size() == sizeof(FILE_STANDARD_INFORMATION));
        CHECK(standard.data[offsetof(FILE_STANDARD_INFORMATION, EndOfFile)] == std::byte{0x41});
        CHECK(file.query_information(FileStandardInformation, 1).status == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(file.position() == 0);
        CHECK(file.set_position(4711) == STATUS_SUCCESS);
        CHECK(file.position() == 4711);
        CHECK(file.set_position(-1) == STATUS_INVALID_PARAMETER);
        CHECK(file.set_information(FileModeInformation, bytes({FILE_SYNCHRONOUS_IO_ALERT, 0, 0, 0})) == STATUS_SUCCESS);
        CHECK(file.flush() == STATUS_SUCCESS);
        CHECK(lab.flushes == 1);
        File other = process.open("\\Device\\Api", overlapped).value();
        Request one = other.start_read(1);
        Request two = other.start_read(1);
        CHECK(other.cancel() == STATUS_SUCCESS);
        CHECK(one.done());
        CHECK(one.wait().status == STATUS_CANCELLED);
        CHECK(two.wait().status == STATUS_CANCELLED);
    });
}
