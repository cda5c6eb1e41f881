// NtDeviceIoControlFile: the four transfer methods, access bits, what is copied back.
#include "closure_driver.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr ULONG code(ULONG method, ULONG access = FILE_ANY_ACCESS) {
    return CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, method, access);
}

struct Seen {
    unsigned calls = 0;
    ULONG in_length = 0;
    ULONG out_length = 0;
    ULONG code = 0;
    void* system_buffer = nullptr;
    void* user_buffer = nullptr;
    void* type3 = nullptr;
    PMDL mdl = nullptr;
    std::string input;
    std::string second;
};

struct Answer {
    NTSTATUS status = STATUS_SUCCESS;
    std::string data;
    LONGLONG information = -1; // -1: the data's length
};

// Takes the request apart by its method, and answers.
NTSTATUS serve(Seen& seen, const Answer& answer, PIRP irp) {
    const auto& parameters = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl;
    ++seen.calls;
    seen.in_length = parameters.InputBufferLength;
    seen.out_length = parameters.OutputBufferLength;
    seen.code = parameters.IoControlCode;
    seen.system_buffer = irp->AssociatedIrp.SystemBuffer;
    seen.user_buffer = irp->UserBuffer;
    seen.type3 = parameters.Type3InputBuffer;
    seen.mdl = irp->MdlAddress;
    const ULONG method = METHOD_FROM_CTL_CODE(seen.code);
    const void* input = method == METHOD_NEITHER ? seen.type3 : seen.system_buffer;
    void* output = method == METHOD_NEITHER    ? seen.user_buffer
                   : method == METHOD_BUFFERED ? seen.system_buffer
                                               : nullptr;
    if (method == METHOD_IN_DIRECT || method == METHOD_OUT_DIRECT) {
        output = seen.mdl == nullptr ? nullptr : MmGetSystemAddressForMdlSafe(seen.mdl, NormalPagePriority);
    }
    if (input != nullptr) seen.input.assign(static_cast<const char*>(input), seen.in_length);
    if (method == METHOD_IN_DIRECT && output != nullptr)
        seen.second.assign(static_cast<const char*>(output), seen.out_length);
    if (output != nullptr && method != METHOD_IN_DIRECT) std::memcpy(output, answer.data.data(), answer.data.size());
    return complete(irp, answer.status,
                    answer.information < 0 ? answer.data.size() : static_cast<ULONG_PTR>(answer.information));
}

struct ControlLab : Lab {
    ControlLab() {
        behaviour[IRP_MJ_DEVICE_CONTROL] = [this](PDEVICE_OBJECT, PIRP irp) { return serve(seen, answer, irp); };
        load("c", [this](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\C", behaviour); });
    }
    Behaviour behaviour;
    Seen seen;
    Answer answer;
};

std::string text_of(const IoResult& result) {
    return {reinterpret_cast<const char*>(result.data.data()), result.data.size()};
}

} // namespace

TEST_CASE("METHOD_BUFFERED: one system buffer, as long as the longer of both") {
    ControlLab lab;
    lab.answer.data = "answer";
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        const IoResult result = file.device_control(code(METHOD_BUFFERED), bytes("ask"), 10);
        CHECK(result.status == STATUS_SUCCESS);
        CHECK(text_of(result) == "answer");
    });
    CHECK(lab.seen.input == "ask");
    CHECK(lab.seen.in_length == 3);
    CHECK(lab.seen.out_length == 10);
    CHECK(lab.seen.code == code(METHOD_BUFFERED));
    CHECK(lab.seen.mdl == nullptr);
    CHECK(lab.seen.system_buffer >= MmSystemRangeStart);
    CHECK(lab.seen.type3 == nullptr);
}

TEST_CASE("METHOD_IN_DIRECT: the second buffer is input too, by an MDL") {
    ControlLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        CHECK(file.device_control(code(METHOD_IN_DIRECT), bytes("first"), 0, bytes("second")).ok());
    });
    CHECK(lab.seen.input == "first");
    CHECK(lab.seen.second == "second");
}

TEST_CASE("METHOD_OUT_DIRECT: input by the system buffer, output by an MDL") {
    ControlLab lab;
    lab.answer.data = std::string(9'000, 'z');
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        CHECK(text_of(file.device_control(code(METHOD_OUT_DIRECT), bytes("in"), 9'000)) == lab.answer.data);
    });
    CHECK(lab.seen.input == "in");
}

TEST_CASE("METHOD_NEITHER: both addresses as the application gave them") {
    ControlLab lab;
    lab.answer.data = "raw";
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        CHECK(text_of(file.device_control(code(METHOD_NEITHER), bytes("in"), 5)) == "raw");
        CHECK(lab.seen.input == "in");
        CHECK(lab.seen.system_buffer == nullptr);
        CHECK(lab.seen.mdl == nullptr);
        IO_STATUS_BLOCK block{};
        lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) { // looks at no buffer
            lab.seen.type3 = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.Type3InputBuffer;
            lab.seen.user_buffer = irp->UserBuffer;
            return complete(irp, STATUS_SUCCESS);
        };
        auto* const in = reinterpret_cast<void*>(0x1234);
        auto* const out = reinterpret_cast<void*>(0x5678);
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &block, code(METHOD_NEITHER), in, 16, out,
                                    16) == STATUS_SUCCESS);
        CHECK(lab.seen.type3 == in);
        CHECK(lab.seen.user_buffer == out);
    });
}

TEST_CASE("zero lengths: no buffer at all, whatever the method") {
    for (const ULONG method : {METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT, METHOD_NEITHER}) {
        ControlLab lab;
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\C").value();
            CHECK(file.device_control(code(method)).status == STATUS_SUCCESS);
        });
        CHECK(lab.seen.calls == 1);
        CHECK(lab.seen.system_buffer == nullptr);
        CHECK(lab.seen.mdl == nullptr);
        CHECK(lab.seen.in_length == 0);
        CHECK(lab.seen.out_length == 0);
    }
}

TEST_CASE("a null buffer has no length, except for METHOD_NEITHER") {
    ControlLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        IO_STATUS_BLOCK block{};
        for (const ULONG method : {METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT}) {
            lab.seen = {};
            CHECK(NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &block, code(method), nullptr, 8,
                                        nullptr, 8) == STATUS_SUCCESS);
            CHECK(lab.seen.calls == 1);
            CHECK(lab.seen.in_length == 0);
            CHECK(lab.seen.out_length == 0);
            CHECK(lab.seen.system_buffer == nullptr);
            CHECK(lab.seen.mdl == nullptr);
        }
    });
}

TEST_CASE("bad buffers are refused before the driver is called") {
    ControlLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        IO_STATUS_BLOCK block{};
        char good[8]{};
        const auto control = [&](ULONG method, void* in, ULONG in_length, void* out, ULONG out_length) {
            return NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &block, code(method), in, in_length,
                                         out, out_length);
        };
        for (void* bad :
             {reinterpret_cast<void*>(0x10000), static_cast<void*>(static_cast<char*>(MmSystemRangeStart) + 64)}) {
            for (const ULONG method : {METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT}) {
                CHECK(control(method, bad, 8, good, 8) == STATUS_ACCESS_VIOLATION);
                CHECK(control(method, good, 8, bad, 8) == STATUS_ACCESS_VIOLATION);
            }
        }
        CHECK(lab.seen.calls == 0);
        CHECK(control(METHOD_BUFFERED, good, 8, good, 8) == STATUS_SUCCESS);
    });
}

TEST_CASE("the code's access bits are held against the handle's rights") {
    ControlLab lab;
    lab.run([&](Process& process) {
        const struct {
            ULONG access;
            ULONG wanted;
            bool allowed;
        } cases[] = {
            {FILE_READ_DATA, FILE_ANY_ACCESS, true},
            {FILE_READ_DATA, FILE_READ_ACCESS, true},
            {FILE_READ_DATA, FILE_WRITE_ACCESS, false},
            {FILE_WRITE_DATA, FILE_WRITE_ACCESS, true},
            {FILE_WRITE_DATA, FILE_READ_ACCESS | FILE_WRITE_ACCESS, false},
            {FILE_READ_DATA | FILE_WRITE_DATA, FILE_READ_ACCESS | FILE_WRITE_ACCESS, true},
            {FILE_READ_ATTRIBUTES, FILE_ANY_ACCESS, true},
            {FILE_READ_ATTRIBUTES, FILE_READ_ACCESS, false},
        };
        for (const auto& c : cases) {
            lab.seen.calls = 0;
            File file = process.open("\\Device\\C", {.access = c.access}).value();
            CHECK(file.device_control(code(METHOD_BUFFERED, c.wanted)).status ==
                  (c.allowed ? STATUS_SUCCESS : STATUS_ACCESS_DENIED));
            CHECK(lab.seen.calls == (c.allowed ? 1u : 0u));
        }
    });
}

TEST_CASE("what comes back: success and warnings bring data, errors neither data nor a status block") {
    const struct {
        NTSTATUS status;
        bool data;
    } cases[] = {{STATUS_SUCCESS, true},       {STATUS_MORE_ENTRIES, true},      {STATUS_BUFFER_OVERFLOW, true},
                 {STATUS_NO_MORE_FILES, true}, {STATUS_BUFFER_TOO_SMALL, false}, {STATUS_UNSUCCESSFUL, false}};
    for (const bool pended : {false, true}) {
        for (const auto& c : cases) {
            ControlLab lab;
            lab.answer = {c.status, "data", -1};
            if (pended) {
                lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
                    IoMarkIrpPending(irp);
                    serve(lab.seen, lab.answer, irp);
                    return STATUS_PENDING;
                };
            }
            lab.run([&](Process& process) {
                File file = process.open("\\Device\\C").value();
                char out[8] = "-------";
                IO_STATUS_BLOCK block{};
                block.Information = 99;
                const NTSTATUS status = NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &block,
                                                              code(METHOD_BUFFERED), nullptr, 0, out, 8);
                CHECK(status == c.status);
                CHECK(std::string(out, 4) == (c.data ? "data" : "----"));
                CHECK(out[4] == '-');
                CHECK(block.Information == (c.data ? 4 : 99));
            });
        }
    }
}

TEST_CASE("only as many bytes come back as Information says") {
    ControlLab lab;
    lab.answer = {STATUS_SUCCESS, "abcdef", 2};
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        CHECK(text_of(file.device_control(code(METHOD_BUFFERED), {}, 6)) == "ab");
    });
}

TEST_CASE("Information beyond the output buffer is found") {
    ControlLab lab;
    lab.answer = {STATUS_SUCCESS, "abcdef", 7};
    const Outcome outcome = lab.machine.run([&](Process& process) {
        File file = process.open("\\Device\\C").value();
        file.device_control(code(METHOD_BUFFERED), {}, 6);
    });
    CHECK(outcome.is_bug_check(0xC9));
    CHECK(outcome.bug_check.parameters[0] == 0x312);
}

namespace {

bool fast_answers = true;
bool fast_wait = false;
unsigned fast_calls = 0;

BOOLEAN NTAPI fast_control(PFILE_OBJECT, BOOLEAN wait, PVOID, ULONG in_length, PVOID output, ULONG, ULONG,
                           PIO_STATUS_BLOCK block, PDEVICE_OBJECT) {
    ++fast_calls;
    fast_wait = wait != FALSE;
    if (!fast_answers) return FALSE;
    std::memcpy(output, "fast", 4);
    block->Status = STATUS_SUCCESS;
    block->Information = in_length;
    return TRUE;
}

} // namespace

TEST_CASE("a fast I/O routine may answer a control request without an IRP, or leave it to one") {
    Lab lab;
    Behaviour behaviour;
    unsigned irps = 0;
    static FAST_IO_DISPATCH dispatch{};
    dispatch.SizeOfFastIoDispatch = sizeof dispatch;
    dispatch.FastIoDeviceControl = fast_control;
    behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        ++irps;
        std::memcpy(irp->AssociatedIrp.SystemBuffer, "slow", 4);
        return complete(irp, STATUS_SUCCESS, 4);
    };
    lab.load("f", [&](PDRIVER_OBJECT driver) {
        driver->FastIoDispatch = &dispatch;
        return create_device(driver, u"\\Device\\F", behaviour);
    });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\F").value();
        fast_answers = true;
        fast_calls = 0;
        CHECK(text_of(file.device_control(code(METHOD_BUFFERED), bytes("1234"), 8)) == "fast");
        CHECK(fast_wait);
        CHECK(irps == 0);
        fast_answers = false;
        CHECK(text_of(file.device_control(code(METHOD_BUFFERED), bytes("1234"), 8)) == "slow");
        CHECK(fast_calls == 2);
        CHECK(irps == 1);
    });
}
