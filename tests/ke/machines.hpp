// What the tests of the kernel proper share: machines of several shapes, and short words for what their threads do.
#pragma once

#include "support/kernel_fixture.hpp"
#include "support/pause.hpp"

#include "ke/clock.hpp"
#include "ke/scheduler.hpp"
#include "ke/thread.hpp"
#include "ke/wait.hpp"

#include <catch.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ke_test {

using namespace dirql;
using dirql::test::KernelFixture;
using dirql::test::relative_us;
using dirql::test::sleep_us;
using Bodies = std::vector<std::function<void()>>;

inline ke::MachineOptions shape(unsigned processors, std::uint64_t seed = 0) {
    ke::MachineOptions options;
    options.processors = processors;
    options.seed = seed;
    options.physical_memory = std::size_t{128} << 20;
    return options;
}

// Calls check(options) for machines of 1, 2, 4 and 8 processors with a few seeds each.
template <class Check> void on_many_machines(Check check, std::uint64_t seeds = 5) {
    for (const unsigned processors : {1u, 2u, 4u, 8u}) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            INFO("processors " << processors << ", seed " << seed);
            check(shape(processors, seed));
        }
    }
}

// Waits of the current thread, at KernelMode.
inline NTSTATUS wait(void* object) { return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, nullptr); }
inline NTSTATUS wait_us(void* object, std::int64_t us) {
    LARGE_INTEGER time = relative_us(us);
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &time);
}
inline NTSTATUS test_object(void* object) { return wait_us(object, 0); }

inline NTSTATUS wait_many(std::vector<void*> objects, WAIT_TYPE type, LARGE_INTEGER* timeout = nullptr,
                          KWAIT_BLOCK* blocks = nullptr) {
    return KeWaitForMultipleObjects(static_cast<ULONG>(objects.size()), objects.data(), type, Executive, KernelMode,
                                    FALSE, timeout, blocks);
}

// The machine's time as of now, ns.
inline std::uint64_t now() { return ke::current_processor()->now; }

inline std::uint64_t now_us() { return now() / 1000; }

// Base and current priority of the current thread.
inline void become(int priority) {
    ke::Thread& self = *ke::current_thread();
    self.base_priority = static_cast<std::int8_t>(priority);
    ke::set_priority(self, priority);
    ke::reschedule_if_asked();
}

// From here on the thread runs on this processor.
inline void stay_on(unsigned processor) {
    ke::Thread& self = *ke::current_thread();
    self.affinity = std::uint64_t{1} << processor;
    const KIRQL level = KeRaiseIrqlToDpcLevel();
    ke::swap_context();
    KeLowerIrql(level);
}

// Some work at this IRQL: `blocks` basic blocks of driver code.
inline void work(unsigned blocks) {
    for (; blocks != 0; --blocks) ke::charge(ke::current_processor(), ke::cost::block);
}

struct Event : KEVENT {
    explicit Event(EVENT_TYPE type = NotificationEvent, bool set = false) { KeInitializeEvent(this, type, set); }
    LONG set(KPRIORITY increment = 0) { return KeSetEvent(this, increment, FALSE); }
};

inline void check_finished(const ke::Stop& stop) {
    CHECK(stop.kind == ke::StopKind::none);
    if (stop.kind != ke::StopKind::none)
        FAIL_CHECK("stopped: code 0x" << std::hex << stop.code << ": " << (stop.rule ? stop.rule : ""));
}

inline void check_bug_check(const ke::Stop& stop, std::uint32_t code, std::uint64_t first = 0) {
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == code);
    if (first != 0) CHECK(stop.parameters[0] == first);
}

} // namespace ke_test
