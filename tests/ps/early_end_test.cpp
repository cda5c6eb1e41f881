// Processes that end early, and what comes after their end.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"
#include "ps/services.hpp"

#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct EndFixture : ProcessFixture {
    void in_kernel(const std::function<void()>& body) { CHECK(run(body).kind == ke::StopKind::none); }
    std::int64_t objects(const ob::ObjectType& type) { return ob::type_state(ob::state_of(machine()), type).objects; }
};

// A handle of the kernel to it.
HANDLE open(ke::Process& process) {
    HANDLE handle = nullptr;
    REQUIRE(ObOpenObjectByPointer(&process, OBJ_KERNEL_HANDLE, nullptr, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode,
                                  &handle) == STATUS_SUCCESS);
    return handle;
}

} // namespace

TEST_CASE_METHOD(EndFixture, "a process that has ended gets no handles any more") {
    in_kernel([&] {
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        const std::int64_t before = objects(**ExEventObjectType);
        const HANDLE target = open(*process);
        REQUIRE(ZwTerminateProcess(target, STATUS_SUCCESS) == STATUS_SUCCESS);
        KAPC_STATE state{};
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(process), &state);
        HANDLE event = nullptr;
        CHECK(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) ==
              STATUS_PROCESS_IS_TERMINATING);
        KeUnstackDetachProcess(&state);
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        HANDLE made = nullptr;
        CHECK(ZwDuplicateObject(NtCurrentProcess(), event, target, &made, 0, 0, DUPLICATE_SAME_ACCESS) ==
              STATUS_PROCESS_IS_TERMINATING);
        ZwClose(event);
        CHECK(ob::table_of(*process)->count == 0);
        CHECK(objects(**ExEventObjectType) == before);
        ZwClose(target);
        ob::dereference(process);
    });
}
