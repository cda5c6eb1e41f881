// Every error of the misuse driver ends as a bug check with the code and parameters that the documents give.
#include "misuse_lab.hpp"

#include <ntifs.h>

#include <optional>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

// A parameter: a value, any address of the system range, or not looked at.
struct Parameter {
    enum Kind { any, value, system, page } kind = any;
    std::uint64_t is = 0;
    static Parameter of(std::uint64_t v) { return {value, v}; }
};
const Parameter some{};
const Parameter in_system{Parameter::system, 0};
const Parameter page_in_system{Parameter::page, 0}; // its beginning
Parameter is(std::uint64_t v) { return Parameter::of(v); }
const Parameter zero = is(0);

bool holds(const Parameter& expected, std::uint64_t actual) {
    switch (expected.kind) {
    case Parameter::value: return actual == expected.is;
    case Parameter::system: return actual >= reinterpret_cast<std::uint64_t>(MmSystemRangeStart);
    case Parameter::page: return holds(in_system, actual) && actual % 4096 == 0;
    default: return true;
    }
}

struct Expectation {
    Misuse misuse;
    std::uint32_t code;
    std::array<Parameter, 4> parameters;
};

constexpr std::uint64_t sign_extended(std::uint32_t status) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(status)));
}

std::vector<Expectation> expectations() {
    return {
        {misuse_complete_twice, 0x44, {in_system, zero, zero, zero}},
        {misuse_no_location_left, 0x35, {in_system, zero, zero, zero}},
        {misuse_complete_pending, 0xC9, {is(6), is(STATUS_PENDING), in_system, zero}},
        {misuse_complete_with_cancel_routine, 0xC9, {is(7), some, in_system, zero}},
        {misuse_pending_not_marked, 0xC9, {is(0x23D), some, in_system, is(STATUS_PENDING)}},
        {misuse_marked_not_pending, 0xC9, {is(0x23E), some, in_system, is(STATUS_SUCCESS)}},
        {misuse_suspicious_status, 0xC9, {is(0x225), some, in_system, is(0xFFFF'FFFF)}},
        {misuse_not_completed, 0xC9, {is(0x226), some, in_system, is(STATUS_SUCCESS)}},
        {misuse_call_with_cancel_routine, 0xC9, {is(0x203), some, in_system, zero}},
        {misuse_reuse_queued, 0xC9, {is(0x311), some, in_system, zero}},
        {misuse_free_twice, 0x44, {in_system, zero, zero, zero}},

        {misuse_return_raised, 0xC9, {is(5), in_system, is(PASSIVE_LEVEL), is(DISPATCH_LEVEL)}},
        {misuse_return_in_critical_region, 0xC4, {is(0xC5), some, some, zero}},
        {misuse_return_in_guarded_region, 0xC4, {is(0xC5), some, some, zero}},
        {misuse_return_with_lock, 0xC4, {is(0x00040009), some, some, some}},

        {misuse_raise_downwards, 0xC4, {is(0x30), is(DISPATCH_LEVEL), is(APC_LEVEL), zero}},
        {misuse_lower_upwards, 0xC4, {is(0x31), is(PASSIVE_LEVEL), is(DISPATCH_LEVEL), zero}},
        {misuse_wait_raised, 0xC4, {is(0x3B), is(DISPATCH_LEVEL), some, zero}},
        {misuse_wait_in_dpc, 0xB8, {in_system, some, some, zero}},
        {misuse_release_not_held, 0x10, {some, zero, zero, zero}},
        {misuse_acquire_twice, 0x0F, {some, zero, zero, zero}},
        {misuse_passive_export_raised, 0xC4, {is(0x0002000D), is(DISPATCH_LEVEL), is(PASSIVE_LEVEL), zero}},

        {misuse_pool_free_twice, 0xC2, {some, some, some, some}},
        {misuse_pool_wrong_tag, 0xC2, {is(0x0A), in_system, some, some}},
        {misuse_pool_free_garbage, 0xC2, {some, some, some, some}},
        {misuse_pool_overrun, 0x19, {some, some, some, some}},

        {misuse_fault_raised, 0xD1, {zero, is(DISPATCH_LEVEL), is(1), some}},
        {misuse_fault_raised_in_try, 0xD1, {zero, is(DISPATCH_LEVEL), is(1), some}},
        {misuse_fault_in_kernel_raised, 0x0A, {in_system, is(DISPATCH_LEVEL), some, some}},
        {misuse_fault_system_address, 0x50, {in_system, is(2), some, zero}},
        {misuse_fault_system_address_in_try, 0x50, {in_system, is(2), some, zero}},
        {misuse_fault_null, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_fault_null_write, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_fault_in_dpc, 0x1E, {is(sign_extended(0xC000'0094)), some, some, some}},
        {misuse_fault_in_thread, 0x7E, {is(sign_extended(0xC000'0005)), some, in_system, in_system}},
        {misuse_call_null, 0x3B, {is(0xC000'0005), zero, in_system, zero}},
        {misuse_call_garbage, 0x3B, {is(0xC000'0005), is(0x12345678), in_system, zero}},
        {misuse_noncanonical, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_divide_by_zero, 0x3B, {is(0xC000'0094), some, in_system, zero}},
        {misuse_raise_status, 0x3B, {is(static_cast<std::uint32_t>(STATUS_DEVICE_DATA_ERROR)), some, some, zero}},
        {misuse_stack_overflow, 0x7F, {is(8), page_in_system, zero, some}},
        {misuse_stack_overflow_in_dpc, 0x7F, {is(8), page_in_system, zero, some}},
        {misuse_print_garbage, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_copy_to_garbage, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_complete_garbage, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_copy_to_null, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_complete_null, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_complete_misaligned, 0x3B, {is(0xC000'0005), some, in_system, zero}},
        {misuse_breakpoint, 0x3B, {is(0x8000'0003), some, in_system, zero}},
        {misuse_bug_check, 0xDEADDEAD, {is(1), is(2), is(3), is(4)}},
    };
}

void check_one(Host& host, const Expectation& expected, const Run& run) {
    const Outcome outcome = provoke(host, expected.misuse, run);
    INFO("misuse " << expected.misuse << ", form " << static_cast<int>(run.form) << ", " << run.processors
                   << " processors, seed " << run.seed);
    INFO("ended as " << outcome.report);
    REQUIRE(outcome.kind == OutcomeKind::bug_check);
    CHECK(outcome.bug_check.code == expected.code);
    for (unsigned i = 0; i < 4; ++i) {
        INFO("parameter " << i + 1 << ": 0x" << std::hex << outcome.bug_check.parameters[i]);
        CHECK(holds(expected.parameters[i], outcome.bug_check.parameters[i]));
    }
    if (run.form != Form::linked) CHECK(outcome.bug_check.driver == "misuse");
}

} // namespace

TEST_CASE("each misuse of a plug-in ends as documented, and the next machine knows nothing of it") {
    Host host;
    for (const Expectation& expected : expectations()) {
        check_one(host, expected, {});
        check_as_if_nothing_happened(host, Form::plug_in);
    }
}

TEST_CASE("each misuse of a linked driver ends as documented") {
    Host host;
    for (const Expectation& expected : expectations()) {
        check_one(host, expected, {Form::linked, 1, 0});
        check_as_if_nothing_happened(host, Form::linked);
    }
}

TEST_CASE("each misuse ends the same on 2 and 8 processors, whatever the seed") {
    Host host;
    for (const Expectation& expected : expectations()) {
        check_one(host, expected, {Form::plug_in, 2, 1});
        check_one(host, expected, {Form::plug_in, 8, 42});
    }
    check_as_if_nothing_happened(host, Form::plug_in);
}

TEST_CASE("a handler catches what it may catch") {
    Host host;
    for (const Misuse caught : {misuse_fault_null_in_try, misuse_divide_by_zero_in_try}) {
        for (const Form form : {Form::plug_in, Form::linked}) {
            const Outcome outcome = provoke(host, caught, {form, 1, 0});
            INFO(outcome.report);
            CHECK(outcome.finished());
        }
    }
}

TEST_CASE("what a driver leaves behind at unload is found") {
    const struct {
        Misuse misuse;
        std::uint32_t code;
    } cases[] = {{misuse_leave_timer, 0xCE},
                 {misuse_leave_work_item, 0xCE},
                 {misuse_leave_thread, 0xCE},
                 {misuse_leave_dpc, 0xCE},
                 {misuse_pool_leak, 0xC4}};
    Host host;
    for (const Form form : {Form::plug_in, Form::linked}) {
        for (const auto& c : cases) {
            MachineOptions options;
            options.processors = 2;
            Machine machine(host, options);
            const Driver driver = load_misuse(machine, form).value();
            REQUIRE(machine
                        .run([&](Process& process) {
                            process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(c.misuse));
                        })
                        .finished());
            const Result<Unload> unloaded = machine.unload(driver);
            INFO("misuse " << c.misuse << ", form " << static_cast<int>(form) << ": " << machine.outcome().report);
            CHECK(!unloaded);
            CHECK(machine.outcome().is_bug_check(c.code));
            if (c.code == 0xC4) {
                CHECK(machine.outcome().bug_check.parameters[0] == 0x62);
                CHECK(holds(in_system, machine.outcome().bug_check.parameters[1])); // the name, in the machine
                CHECK(machine.outcome().bug_check.parameters[3] == 1);
            }
        }
        check_as_if_nothing_happened(host, form);
    }
}

TEST_CASE("a DPC that is queued when Unload returns has run before the image goes") {
    Host host;
    for (const Form form : {Form::plug_in, Form::linked}) {
        MachineOptions options;
        options.processors = 2;
        Machine machine(host, options);
        const Driver driver = load_misuse(machine, form).value();
        machine.run([&](Process& process) {
            process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse_queue_dpc_at_unload));
        });
        const Result<Unload> unloaded = machine.unload(driver);
        INFO(machine.outcome().report);
        CHECK((unloaded && unloaded.value() == Unload::unloaded));
    }
}
