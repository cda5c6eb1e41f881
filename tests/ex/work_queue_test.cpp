#include "catch.hpp"
#include "ex/pool.hpp"
#include "ex/state.hpp"
#include "support/kernel_fixture.hpp"

using namespace dirql;
using test::KernelFixture;

namespace {

struct Job {
    WORK_QUEUE_ITEM item;
    KEVENT done;
    std::function<void()> body;

    explicit Job(std::function<void()> what) : body(std::move(what)) {
        KeInitializeEvent(&done, NotificationEvent, FALSE);
        ExInitializeWorkItem(&item, run, this);
    }
    static VOID NTAPI run(PVOID self) {
        auto& job = *static_cast<Job*>(self);
        job.body();
        KeSetEvent(&job.done, 0, FALSE);
    }
    void queue(WORK_QUEUE_TYPE type = DelayedWorkQueue) { ExQueueWorkItem(&item, type); }
    void wait() { KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, nullptr); }
};

} // namespace

TEST_CASE("a work item runs on a system thread of its queue's priority", "[work]") {
    KernelFixture kernel;
    const auto [type, priority] =
        GENERATE(table<WORK_QUEUE_TYPE, int>({{CriticalWorkQueue, 13},
                                              {DelayedWorkQueue, 12},
                                              {HyperCriticalWorkQueue, 15},
                                              {BackgroundWorkQueue, 7},
                                              {static_cast<WORK_QUEUE_TYPE>(CustomPriorityWorkQueue + 5), 5}}));
    const WORK_QUEUE_TYPE queue = type;
    const int expected = priority;
    const ke::Stop stop = kernel.run([&] {
        ke::Thread* ran_on = nullptr;
        KIRQL level = HIGH_LEVEL;
        int at = -1;
        Job job([&] {
            ran_on = ke::current_thread();
            level = KeGetCurrentIrql();
            at = ran_on->base_priority;
        });
        job.queue(queue);
        job.wait();
        CHECK(ran_on != ke::current_thread());
        CHECK(ex::is_worker_thread(*ran_on));
        CHECK(ran_on->process == ke::current_machine().system_process);
        CHECK(level == PASSIVE_LEVEL);
        CHECK(at == expected);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("idle workers are used again, and take the next item's priority", "[work]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        for (int i = 0; i < 20; ++i) {
            int at = 0;
            Job job([&] { at = ke::current_thread()->base_priority; });
            job.queue(i % 2 == 0 ? DelayedWorkQueue : CriticalWorkQueue);
            job.wait();
            CHECK(at == (i % 2 == 0 ? 12 : 13));
            LARGE_INTEGER moment; // the worker becomes idle
            moment.QuadPart = -1000;
            KeDelayExecutionThread(KernelMode, FALSE, &moment);
        }
        CHECK(ex::current_state().work.workers == 1);
    });
}

TEST_CASE("an item that waits for another does not keep it from running", "[work]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        Job inner([] {});
        Job outer([&] {
            inner.queue();
            inner.wait();
        });
        outer.queue();
        outer.wait();
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("more items than there may be workers all run", "[work]") {
    ke::MachineOptions options;
    options.kernel_stack_size = 64 << 10;
    KernelFixture kernel({}, options);
    int ran = 0;
    const ke::Stop stop = kernel.run([&] {
        std::vector<std::unique_ptr<Job>> jobs;
        for (int i = 0; i < 100; ++i) {
            jobs.push_back(std::make_unique<Job>([&] {
                LARGE_INTEGER while_;
                while_.QuadPart = -100'000;
                KeDelayExecutionThread(KernelMode, FALSE, &while_);
                ++ran;
            }));
        }
        for (auto& job : jobs) job->queue();
        CHECK(ex::current_state().work.workers == ex::most_workers);
        for (auto& job : jobs) job->wait();
        CHECK(ex::current_state().work.queued == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(ran == 100);
}

TEST_CASE("an item may free itself, or be queued again, in its routine", "[work]") {
    KernelFixture kernel;
    static int left;
    static KEVENT done;
    const ke::Stop stop = kernel.run([&] {
        left = 3;
        KeInitializeEvent(&done, NotificationEvent, FALSE);
        auto* item = static_cast<PWORK_QUEUE_ITEM>(ExAllocatePoolWithTag(NonPagedPool, sizeof(WORK_QUEUE_ITEM), 1));
        const PWORKER_THREAD_ROUTINE routine = [](PVOID self) {
            if (--left != 0) {
                ExQueueWorkItem(static_cast<PWORK_QUEUE_ITEM>(self), DelayedWorkQueue);
            } else {
                ExFreePool(self);
                KeSetEvent(&done, 0, FALSE);
            }
        };
        ExInitializeWorkItem(item, routine, item);
        ExQueueWorkItem(item, DelayedWorkQueue);
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(left == 0);
}

TEST_CASE("work may be queued at DISPATCH_LEVEL, and the kernel's own too", "[work]") {
    KernelFixture kernel;
    static ex::KernelWork work;
    static KEVENT done;
    const ke::Stop stop = kernel.run([&] {
        work = {};
        KeInitializeEvent(&done, NotificationEvent, FALSE);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        ex::queue_kernel_work(work, CriticalWorkQueue, [](ex::KernelWork& self) {
            if (&self == &work) KeSetEvent(&done, 0, FALSE);
        });
        CHECK(ex::is_queued(work.item));
        KeLowerIrql(old);
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, nullptr);
        CHECK(!ex::is_queued(work.item));
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("each item has a budget of its own", "[work]") {
    ke::MachineOptions options;
    options.callout_budget = 1'000'000;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        for (int i = 0; i < 10; ++i) {
            Job job([] { KeStallExecutionProcessor(600); });
            job.queue();
            job.wait();
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("misuse of work items", "[work][bugcheck]") {
    KernelFixture kernel;
    static WORK_QUEUE_ITEM item;
    item = {};
    ke::Stop stop{};
    SECTION("returned at DISPATCH_LEVEL") {
        const PWORKER_THREAD_ROUTINE routine = [](PVOID) { KeRaiseIrqlToDpcLevel(); };
        // A driver's, unlike all other code of this program, which the kernel is linked into.
        REQUIRE(ke::add_code_range(kernel.machine(), {ke::parameter(routine), ke::parameter(routine) + 1, "x"}));
        stop = kernel.run([&] {
            ExInitializeWorkItem(&item, routine, &kernel);
            ExQueueWorkItem(&item, DelayedWorkQueue);
            KEVENT never;
            KeInitializeEvent(&never, NotificationEvent, FALSE);
            KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, nullptr);
        });
        CHECK(stop.code == WORKER_THREAD_RETURNED_AT_BAD_IRQL);
        CHECK(stop.parameters[0] == ke::parameter(routine));
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == ke::parameter(&kernel));
        CHECK(stop.parameters[3] == ke::parameter(&item));
    }
    SECTION("queued twice") {
        stop = kernel.run([&] {
            ExInitializeWorkItem(
                &item, [](PVOID) {}, nullptr);
            KeRaiseIrqlToDpcLevel();
            ExQueueWorkItem(&item, DelayedWorkQueue);
            ExQueueWorkItem(&item, DelayedWorkQueue);
        });
        CHECK(stop.code == WORKER_INVALID);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == ke::parameter(&item));
        CHECK(stop.parameters[2] == DelayedWorkQueue);
    }
    SECTION("a queue that there is not") {
        stop = kernel.run([&] {
            ExInitializeWorkItem(
                &item, [](PVOID) {}, nullptr);
            ExQueueWorkItem(&item, MaximumWorkQueue);
        });
        CHECK(stop.code == WORKER_INVALID);
        CHECK(stop.parameters[0] == 6);
        CHECK(stop.parameters[2] == MaximumWorkQueue);
    }
    SECTION("no routine") {
        stop = kernel.run([&] {
            ExInitializeWorkItem(&item, nullptr, nullptr);
            ExQueueWorkItem(&item, DelayedWorkQueue);
        });
        CHECK(stop.code == WORKER_INVALID);
        CHECK(stop.parameters[0] == 7);
    }
    SECTION("freed while queued") {
        void* block = nullptr;
        stop = kernel.run([&] {
            block = ExAllocatePoolWithTag(NonPagedPool, 64, 1);
            auto* queued = static_cast<PWORK_QUEUE_ITEM>(block);
            ExInitializeWorkItem(
                queued, [](PVOID) {}, nullptr);
            KeRaiseIrqlToDpcLevel();
            ExQueueWorkItem(queued, DelayedWorkQueue);
            ExFreePool(block);
        });
        CHECK(stop.code == WORKER_INVALID);
        CHECK(stop.parameters[0] == 0);
        CHECK(stop.parameters[1] == ke::parameter(block));
        CHECK(stop.parameters[2] == ke::parameter(block));
        CHECK(stop.parameters[3] == ke::parameter(block) + 64);
    }
}
