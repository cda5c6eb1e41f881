// Priorities that are none.
#include "catch.hpp"
#include "process_fixture.hpp"

#include <vector>

using namespace dirql;
using namespace dirql::test;

TEST_CASE_METHOD(ProcessFixture, "a priority outside the range is a bug check where it is set") {
    const KPRIORITY priority = GENERATE(-1, 32, 100, 256, -128, KPRIORITY(MINLONG), MAXLONG);
    const auto stop = run([&] { KeSetPriorityThread(KeGetCurrentThread(), priority); });
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == KERNEL_SECURITY_CHECK_FAILURE);
    CHECK(stop.parameters[0] == FAST_FAIL_INVALID_ARG);
}

TEST_CASE_METHOD(ProcessFixture, "the ends of the range") {
    const auto stop = run([] {
        const PKTHREAD self = KeGetCurrentThread();
        KeSetPriorityThread(self, HIGH_PRIORITY);
        CHECK(KeSetPriorityThread(self, LOW_PRIORITY) == HIGH_PRIORITY);
        CHECK(KeQueryPriorityThread(self) == 1); // 0 is reserved for system use
        for (const LONG wrong : std::vector<LONG>{LOW_PRIORITY, HIGH_PRIORITY + 1, LONG(MINLONG), MAXLONG}) {
            LONG value = wrong;
            CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadPriority, &value, sizeof value) ==
                  STATUS_INVALID_PARAMETER);
        }
        KeSetBasePriorityThread(self, MAXLONG);
        CHECK(KeQueryPriorityThread(self) == LOW_REALTIME_PRIORITY - 1);
        KeSetBasePriorityThread(self, LONG(MINLONG));
        CHECK(KeQueryPriorityThread(self) == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
