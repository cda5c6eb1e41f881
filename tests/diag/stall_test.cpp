// The stall report.
#include "catch.hpp"

#include "diag/report.hpp"
#include "ke/stop.hpp"
#include "ke_machine.hpp"

using namespace support;

namespace {

struct Locks {
    KMUTANT first;
    KMUTANT second;
    KEVENT never;
    KSEMAPHORE none;
    ke::Thread* other;
};

struct Pair {
    Locks* locks;
    bool reversed;
};

} // namespace

DRIVER_CODE void NTAPI TakeBoth(void* context) {
    auto* pair = static_cast<Pair*>(context);
    LARGE_INTEGER pause;
    pause.QuadPart = -100'000;
    KeWaitForSingleObject(pair->reversed ? &pair->locks->second : &pair->locks->first, Executive, KernelMode, FALSE,
                          nullptr);
    KeDelayExecutionThread(KernelMode, FALSE, &pause);
    KeWaitForSingleObject(pair->reversed ? &pair->locks->first : &pair->locks->second, Executive, KernelMode, FALSE,
                          nullptr);
    asm volatile("" ::: "memory");
}

DRIVER_CODE void NTAPI WaitForSeveral(void* context) {
    auto* locks = static_cast<Locks*>(context);
    PVOID objects[] = {&locks->never, &locks->none, locks->other};
    KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, nullptr, nullptr);
    asm volatile("" ::: "memory");
}

DRIVER_CODE void NTAPI LoopForever(void*) {
    for (;;) KeStallExecutionProcessor(10);
}

DRIVER_CODE void NTAPI LoopWithLock(void* context) {
    const KIRQL irql = KeAcquireSpinLockRaiseToDpc(static_cast<PKSPIN_LOCK>(context));
    for (;;) KeStallExecutionProcessor(10);
    KeReleaseSpinLock(static_cast<PKSPIN_LOCK>(context), irql);
}

DRIVER_CODE void NTAPI AcquireLock(void* context) {
    const KIRQL irql = KeAcquireSpinLockRaiseToDpc(static_cast<PKSPIN_LOCK>(context));
    KeReleaseSpinLock(static_cast<PKSPIN_LOCK>(context), irql);
}

namespace {

struct World {
    KeMachine machine;
    Names names;

    explicit World(const ke::MachineOptions& options = {}) : machine(options) {
        names.functions = {{number(&TakeBoth), "TakeBoth"},
                           {number(&WaitForSeveral), "WaitForSeveral"},
                           {number(&LoopForever), "LoopForever"},
                           {number(&LoopWithLock), "LoopWithLock"},
                           {number(&AcquireLock), "AcquireLock"}};
        names.exports = {{number(&KeWaitForSingleObject), "KeWaitForSingleObject"},
                         {number(&KeWaitForMultipleObjects), "KeWaitForMultipleObjects"},
                         {number(&KeStallExecutionProcessor), "KeStallExecutionProcessor"},
                         {number(&KeAcquireSpinLockRaiseToDpc), "KeAcquireSpinLockRaiseToDpc"}};
    }

    Locks* locks() {
        auto* locks = machine->allocate<Locks>();
        const test::OnBootProcessor on_processor(*machine);
        KeInitializeMutex(&locks->first, 0);
        KeInitializeMutex(&locks->second, 0);
        KeInitializeEvent(&locks->never, SynchronizationEvent, FALSE);
        // KeInitializeSemaphore is for PASSIVE_LEVEL.
        const KIRQL irql = std::exchange(machine->processors[0]->irql, PASSIVE_LEVEL);
        KeInitializeSemaphore(&locks->none, 0, 5);
        machine->processors[0]->irql = irql;
        return locks;
    }

    std::string report(const std::vector<std::pair<const void*, std::string>>& known = {}) {
        return without_addresses(diag::stop_report(*machine, names), known);
    }
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("two threads, two mutexes") {
    World world;
    Locks* locks = world.locks();
    Pair a{locks, false};
    Pair b{locks, true};
    world.machine.thread("a", TakeBoth, &a);
    world.machine.thread("b", TakeBoth, &b);
    world.machine.run();
    REQUIRE(world.machine->stop.kind == ke::StopKind::stall);
    CHECK(world.report({{&locks->first, "first"}, {&locks->second, "second"}}) ==
          R"(*** STALL: nothing can ever run again

At 10000.450 us of virtual time.

Deadlock: thread 12 waits for thread 16, which waits for thread 12

Threads
  thread 12 "a" of process 4 "System": waits for a mutex <second>, which thread 16 "b" of process 4 "System" owns, without a time-out, for 0.000 us so far
      nt!KeWaitForSingleObject
      echo.so+0x100 TakeBoth (echo.c:1)
  thread 16 "b" of process 4 "System": waits for a mutex <first>, which thread 12 "a" of process 4 "System" owns, without a time-out, for 0.100 us so far
      nt!KeWaitForSingleObject
      echo.so+0x100 TakeBoth (echo.c:1)

Processors
  0: DISPATCH_LEVEL, idle
)");
}

TEST_CASE("a thread that waits for several objects, with requests out") {
    World world;
    Locks* locks = world.locks();
    Pair alone{locks, false};
    locks->other = &world.machine.thread("other", TakeBoth, &alone);
    locks->second.Header.SignalState = 0; // nobody will ever release it
    ke::Thread& waiter = world.machine.thread("waiter", WaitForSeveral, locks);
    PDRIVER_OBJECT echo = world.machine.driver(u"\\Driver\\echo");
    PDEVICE_OBJECT device = world.machine.device(echo);
    PIRP irps[] = {world.machine.irp(1), world.machine.irp(1)};
    KeMachine::send(irps[0], device, IRP_MJ_READ, 0, SL_PENDING_RETURNED);
    irps[0]->UserEvent = &locks->never;
    for (PIRP irp : irps) InsertTailList(&waiter.irp_list, &irp->ThreadListEntry);
    world.machine.run();
    CHECK(world.report({{irps[0], "irp0"}, {irps[1], "irp1"}, {&locks->none, "none"}, {&locks->second, "second"}}) ==
          R"(*** STALL: nothing can ever run again

At 10000.350 us of virtual time.

Threads
  thread 12 "other" of process 4 "System": waits for a mutex <second>, which nobody owns, without a time-out, for 0.000 us so far
      nt!KeWaitForSingleObject
      echo.so+0x100 TakeBoth (echo.c:1)
  thread 16 "waiter" of process 4 "System": waits for any of 3 objects: the end of IRP <irp0>; a semaphore <none>, its count 0 of 5; the end of thread 12 "other" of process 4 "System", without a time-out, for 10000.100 us so far
    request: IRP <irp0> IRP_MJ_READ at \Driver\echo device#1, in the hands of \Driver\echo, marked pending
    request: IRP <irp1>, not with any driver
      nt!KeWaitForMultipleObjects
      echo.so+0x200 WaitForSeveral (echo.c:2)

Processors
  0: DISPATCH_LEVEL, idle
)");
}

TEST_CASE("a routine that never ends") {
    World world({.callout_budget = 1'000'000});
    world.machine.thread("looper", LoopForever);
    world.machine.run();
    const std::string text = world.report();
    INFO(text);
    CHECK(
        text.rfind("*** STALL: a driver routine has used up its budget of virtual time without returning or waiting\n",
                   0) == 0);
    CHECK(contains(text, "\"looper\" of process 4 \"System\": runs\n      nt!KeStallExecutionProcessor\n      "
                         "echo.so+0x300 LoopForever (echo.c:3)\n"));
    CHECK(contains(text, "\n  0: PASSIVE_LEVEL, runs thread "));
}

TEST_CASE("an idle processor is idle, though its thread is in no list") {
    World world;
    RemoveEntryList(&world.machine->processors[0]->idle_thread->process_entry);
    world.machine.run();
    CHECK(world.report() == R"(*** STALL: nothing can ever run again

At 0.000 us of virtual time.

Threads
  none

Processors
  0: DISPATCH_LEVEL, idle
)");
}

TEST_CASE("a processor that spins for another's lock") {
    World world({.processors = 2, .callout_budget = 1'000'000'000, .run_budget = 100'000'000});
    auto* lock = world.machine->allocate<KSPIN_LOCK>();
    world.machine.thread("holder", LoopWithLock, lock);
    world.machine.thread("spinner", AcquireLock, lock);
    world.machine.run();
    const std::string text = world.report({{lock, "lock"}});
    INFO(text);
    CHECK(text.rfind("*** STALL: the run's budget of virtual time is used up\n", 0) == 0);
    CHECK(contains(text, "    holds spin lock <lock>\n"));
    const bool first_spins = contains(text, "\n  0: DISPATCH_LEVEL, runs thread 16 \"spinner\"");
    CHECK(contains(text, first_spins ? ", spins for spin lock <lock>, which processor 1 holds\n"
                                     : ", spins for spin lock <lock>, which processor 0 holds\n"));
    CHECK(contains(text, "      nt!KeAcquireSpinLockRaiseToDpc\n      echo.so+0x500 AcquireLock (echo.c:5)\n"));
}
