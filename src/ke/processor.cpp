#include "ke/processor.hpp"

#include "ke/clock.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/exports/ps.hpp"
#include "ke/host_section.hpp"
#include "ke/irql.hpp"
#include "ke/processor_group.hpp"
#include "ke/scheduler.hpp"
#include "ke/timer.hpp"

#include <algorithm>

extern "C" {
constinit thread_local dirql::ke::Processor* dirql_current_processor = nullptr;
constinit thread_local unsigned dirql_host_sections = 0;
}

using namespace dirql::ke;

extern "C" {

PKTHREAD NTAPI KeGetCurrentThread(VOID) {
    DIRQL_CALLED(KeGetCurrentThread);
    return as_kthread(current_thread());
}

ULONG NTAPI KeGetCurrentProcessorNumber(VOID) {
    DIRQL_DOOR(KeGetCurrentProcessorNumber);
    return current_processor()->number;
}

ULONG NTAPI KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber) {
    DIRQL_DOOR(KeGetCurrentProcessorNumberEx);
    const ULONG number = current_processor()->number;
    if (ProcNumber != nullptr) *ProcNumber = {0, static_cast<UCHAR>(number), 0};
    return number;
}

ULONG NTAPI KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors) {
    DIRQL_DOOR(KeQueryActiveProcessorCount);
    if (ActiveProcessors != nullptr) *ActiveProcessors = all_processors();
    return current_machine().processor_count;
}

ULONG NTAPI KeQueryMaximumProcessorCount(VOID) {
    DIRQL_DOOR(KeQueryMaximumProcessorCount);
    return current_machine().processor_count;
}

KAFFINITY NTAPI KeQueryActiveProcessors(VOID) {
    DIRQL_DOOR(KeQueryActiveProcessors);
    KAFFINITY active = 0;
    KeQueryActiveProcessorCount(&active);
    return active;
}

volatile CCHAR* NTAPI dirql_number_processors(VOID) {
    DIRQL_CALLED(dirql_number_processors);
    return &current_machine().number_processors;
}

// YieldProcessor: a hint that the code spins. Lets the other processors go on.
VOID NTAPI dirql_yield_processor(VOID) {
    Processor* processor = current_processor();
    if (processor != nullptr) charge(processor, cost::yield);
}

// Each basic block of driver code that `dirql cc` builds begins with this call.
void __sanitizer_cov_trace_pc(void);
__attribute__((visibility("default"))) void __sanitizer_cov_trace_pc(void) {
    Processor* processor = current_processor();
    if (processor != nullptr) [[likely]]
        charge(processor, cost::block);
}

VOID NTAPI KeStallExecutionProcessor(ULONG MicroSeconds) {
    DIRQL_DOOR(KeStallExecutionProcessor);
    const std::uint64_t until = current_processor()->now + std::uint64_t{MicroSeconds} * 1000;
    // In steps up to each horizon, so that what happens meanwhile happens at its own time.
    for (Processor* processor = current_processor(); processor->now < until; processor = current_processor()) {
        const std::uint64_t next = std::min(until, std::max(processor->horizon, processor->now + cost::block));
        charge(processor, next - processor->now);
    }
}

LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency) {
    DIRQL_DOOR(KeQueryPerformanceCounter);
    if (PerformanceFrequency != nullptr) PerformanceFrequency->QuadPart = 10'000'000; // as Windows 10 says it: 10 MHz
    LARGE_INTEGER now;
    now.QuadPart = static_cast<LONGLONG>(interrupt_time(current_machine()));
    return now;
}

ULONGLONG NTAPI KeQueryInterruptTime(VOID) {
    DIRQL_DOOR(KeQueryInterruptTime);
    return interrupt_time(current_machine());
}

ULONGLONG NTAPI KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp) {
    DIRQL_DOOR(KeQueryInterruptTimePrecise);
    const std::uint64_t now = interrupt_time(current_machine());
    *QpcTimeStamp = now;
    return now;
}

// The machine never sleeps: nothing is to be left out.
ULONGLONG NTAPI KeQueryUnbiasedInterruptTime(VOID) {
    DIRQL_DOOR(KeQueryUnbiasedInterruptTime);
    return interrupt_time(current_machine());
}

ULONG64 NTAPI KeQueryUnbiasedInterruptTimePrecise(PULONG64 QpcTimeStamp) {
    DIRQL_DOOR(KeQueryUnbiasedInterruptTimePrecise);
    const std::uint64_t now = interrupt_time(current_machine());
    *QpcTimeStamp = now;
    return now;
}

VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime) {
    DIRQL_DOOR(KeQuerySystemTimePrecise);
    *CurrentTime = system_time(current_machine());
}

VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime) {
    DIRQL_DOOR(KeQuerySystemTime);
    *CurrentTime = system_time(current_machine());
}

volatile KSYSTEM_TIME* NTAPI dirql_tick_count(VOID) {
    DIRQL_CALLED(dirql_tick_count);
    Machine& machine = current_machine();
    const std::uint64_t ticks = machine.time() / clock_interval_ns;
    machine.tick_count = {static_cast<ULONG>(ticks), static_cast<LONG>(ticks >> 32), static_cast<LONG>(ticks >> 32)};
    return &machine.tick_count;
}

VOID NTAPI KeQueryTickCount(PLARGE_INTEGER CurrentCount) {
    DIRQL_DOOR(KeQueryTickCount);
    CurrentCount->QuadPart = static_cast<LONGLONG>(current_machine().time() / clock_interval_ns);
}

ULONG NTAPI KeQueryTimeIncrement(VOID) {
    DIRQL_DOOR(KeQueryTimeIncrement);
    return clock_interval_ns / ns_per_tick;
}
}
