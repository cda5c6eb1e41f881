// Mutexes: ownership, recursion, the region they imply, and threads that end with them.
#include "machines.hpp"

#include "ke/mutant.hpp"

using namespace ke_test;

namespace {

struct Mutex : KMUTEX {
    Mutex() { KeInitializeMutex(this, 0); }
    LONG release() { return KeReleaseMutex(this, FALSE); }
};

} // namespace

TEST_CASE("a mutex is taken by its owner again and again, and released as often", "[ke][mutex]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Mutex mutex;
        CHECK(KeReadStateMutex(&mutex) == 1);
        for (int i = 0; i < 3; ++i) CHECK(wait(&mutex) == STATUS_SUCCESS);
        CHECK(KeReadStateMutex(&mutex) == -2);
        CHECK(mutex.release() != 0);
        CHECK(mutex.release() != 0);
        CHECK(KeReadStateMutex(&mutex) == 0);
        CHECK(mutex.release() == 0);
        CHECK(KeReadStateMutex(&mutex) == 1);
    }));
}

TEST_CASE("one owner at a time", "[ke][mutex]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Mutex mutex;
        int inside = 0, total = 0;
        Bodies bodies;
        for (int i = 0; i < 5; ++i) {
            bodies.push_back([&] {
                for (int round = 0; round < 40; ++round) {
                    wait(&mutex);
                    REQUIRE(++inside == 1);
                    work(30);
                    ++total;
                    --inside;
                    mutex.release();
                }
            });
        }
        check_finished(kernel.run(bodies));
        CHECK(total == 200);
    });
}

TEST_CASE("owning a mutex is a critical region", "[ke][mutex]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Mutex mutex;
        CHECK_FALSE(KeAreApcsDisabled());
        wait(&mutex);
        wait(&mutex);
        CHECK(KeAreApcsDisabled());
        CHECK_FALSE(KeAreAllApcsDisabled());
        mutex.release();
        CHECK(KeAreApcsDisabled());
        mutex.release();
        CHECK_FALSE(KeAreApcsDisabled());
    }));
}

TEST_CASE("only its owner releases a mutex", "[ke][mutex]") {
    KernelFixture kernel({}, shape(2));
    Mutex mutex;
    check_finished(kernel.run({[&] {
                                   wait(&mutex);
                                   sleep_us(200);
                                   mutex.release();
                               },
                               [&] {
                                   sleep_us(100);
                                   CHECK(test_object(&mutex) == STATUS_TIMEOUT);
                                   CHECK(test::status_raised_by([&] { mutex.release(); }) == STATUS_MUTANT_NOT_OWNED);
                                   CHECK(KeReadStateMutex(&mutex) == 0);
                               }}));
    check_finished(kernel.run([&] {
        CHECK(test::status_raised_by([&] { mutex.release(); }) == STATUS_MUTANT_NOT_OWNED); // nobody owns it
        CHECK(KeReadStateMutex(&mutex) == 1);
    }));
}

TEST_CASE("a mutex taken too often raises, at the caller's level", "[ke][mutex]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Mutex mutex;
        wait(&mutex);
        mutex.Header.SignalState = static_cast<LONG>(MINLONG); // as after 2^31 waits
        CHECK(test::status_raised_by([&] { wait(&mutex); }) == STATUS_MUTANT_LIMIT_EXCEEDED);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        mutex.Header.SignalState = 0;
        mutex.release();
    }));
}

TEST_CASE("a thread that ends with a mutex is bug check 0x4000008A", "[ke][mutex]") {
    KernelFixture kernel;
    static KMUTEX mutex;
    KeInitializeMutex(&mutex, 0);
    const bool by_exit = GENERATE(false, true);
    const ke::Stop stop = kernel.run([&] {
        wait(&mutex);
        if (by_exit) ke::exit_current_thread(STATUS_SUCCESS);
    });
    check_bug_check(stop, THREAD_TERMINATE_HELD_MUTEX, ke::parameter(stop.thread));
    CHECK(stop.parameters[1] == ke::parameter(&mutex));
}

TEST_CASE("a mutant of an application is abandoned by a thread that ends", "[ke][mutex]") {
    KernelFixture kernel({}, shape(2));
    Mutex mutant, other;
    mutant.ApcDisable = 0; // what NtCreateMutant makes
    other.ApcDisable = 0;
    Event set(NotificationEvent, true);
    check_finished(kernel.run({[&] {
                                   wait(&mutant);
                                   wait(&mutant);
                                   wait(&other);
                                   sleep_us(100);
                               },
                               [&] {
                                   sleep_us(50);
                                   CHECK(wait_many({&set, &mutant}, WaitAll) == STATUS_ABANDONED);
                                   CHECK(mutant.Abandoned == FALSE); // told once
                                   CHECK(wait(&mutant) == STATUS_SUCCESS);
                                   CHECK(mutant.release() != 0);
                                   CHECK(mutant.release() == 0);
                                   Event unset;
                                   CHECK(test::status_raised_by([&] { other.release(); }) == STATUS_ABANDONED);
                                   CHECK(wait_many({&unset, &other}, WaitAny) == STATUS_ABANDONED_WAIT_0 + 1);
                                   other.release();
                               }}));
}

TEST_CASE("a mutex is released at the class of IRQL that it was acquired at", "[ke][mutex]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        static KMUTEX mutex;
        KeInitializeMutex(&mutex, 0);
        CHECK(wait(&mutex) == STATUS_SUCCESS);
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK(dirql::test::status_raised_by([] { KeReleaseMutex(&mutex, FALSE); }) == STATUS_MUTANT_NOT_OWNED);
        KeLowerIrql(old);
        CHECK(KeReleaseMutex(&mutex, FALSE) == 0);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK(test_object(&mutex) == STATUS_SUCCESS);
        KeLowerIrql(old);
        CHECK(dirql::test::status_raised_by([] { KeReleaseMutex(&mutex, FALSE); }) == STATUS_MUTANT_NOT_OWNED);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK(KeReleaseMutex(&mutex, FALSE) == 0);
        KeLowerIrql(old);
        CHECK(KeReadStateMutex(&mutex) == 1);
    }));
}

TEST_CASE("mutants disable no APCs, may be owned from the start, and be abandoned", "[ke][mutex]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KMUTANT mutant;
        KeInitializeMutant(&mutant, TRUE);
        CHECK_FALSE(KeAreApcsDisabled());
        CHECK(KeReadStateMutant(&mutant) == 0);
        CHECK(wait(&mutant) == STATUS_SUCCESS);
        CHECK(KeReadStateMutant(&mutant) == -1);
        CHECK(KeReleaseMutant(&mutant, 0, FALSE, FALSE) == -1);
        CHECK(KeReleaseMutant(&mutant, 0, FALSE, FALSE) == 0);
        CHECK(KeReadStateMutant(&mutant) == 1);
        CHECK(wait(&mutant) == STATUS_SUCCESS);
        CHECK(KeReleaseMutant(&mutant, 0, TRUE, FALSE) == 0);
        CHECK(wait(&mutant) == STATUS_ABANDONED);
        CHECK(KeReleaseMutant(&mutant, 0, FALSE, FALSE) == 0);
        KeInitializeMutant(&mutant, FALSE);
        CHECK(KeReadStateMutant(&mutant) == 1);
    }));
}
