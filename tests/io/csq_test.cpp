// Cancel-safe queues: the protocol between insertion, removal and cancellation, in both forms.
#include "csq_lab.hpp"

#include <algorithm>

using namespace dirql;
using namespace dirql::test;

TEST_CASE("a cancel-safe queue gives its IRPs back in order, by what the peek wants, and none when it is empty") {
    for (const bool extended : {false, true}) {
        CsqLab lab(extended);
        lab.use_ex = extended;
        lab.run([&](Process& process) {
            lab.process = &process;
            File file = process.open("\\Device\\Q", overlapped).value();
            CHECK(lab.take() == -1);
            std::vector<Request> reads;
            for (const int offset : {1, 2, 3}) reads.push_back(file.start_read(4, offset));
            for (Request& read : reads) CHECK(read.started() == STATUS_PENDING);
            int no_such_file;
            CHECK(lab.take(&no_such_file) == -1);
            for (const int offset : {1, 2, 3}) CHECK(lab.take() == offset);
            CHECK(lab.take() == -1);
            for (Request& read : reads) CHECK(read.wait().status == STATUS_SUCCESS);
        });
        CHECK(lab.inserted == 3);
        CHECK(lab.removed == 3);
        CHECK(lab.cancelled == 0);
        CHECK(lab.cookie_seen == (extended ? &lab.insert_cookie : nullptr));
    }
}

TEST_CASE(
    "a queued IRP that is cancelled is taken out and completed without the lock, at the level before the cancel") {
    CsqLab lab(false);
    lab.run([&](Process& process) {
        lab.process = &process;
        File file = process.open("\\Device\\Q", overlapped).value();
        std::vector<Request> reads;
        for (const int offset : {1, 2, 3}) reads.push_back(file.start_read(4, offset));
        CHECK(reads[1].cancel() == STATUS_SUCCESS);
        CHECK(reads[1].wait().status == STATUS_CANCELLED);
        CHECK(lab.take() == 1);
        CHECK(lab.take() == 3);
        Request last = file.start_read(4, 9);
        file.close();
        CHECK(!last.done());
        CHECK(lab.take() == 9);
        CHECK(last.wait().status == STATUS_SUCCESS);
    });
    CHECK(lab.cancelled == 1);
    CHECK(lab.removed == 4);
    CHECK(lab.level == PASSIVE_LEVEL);
    CHECK_FALSE(lab.link_left);
}

TEST_CASE("an IRP that was cancelled before its insertion is completed as cancelled and never inserted") {
    for (const bool extended : {false, true}) {
        CsqLab lab(extended);
        lab.use_ex = extended;
        lab.cancel_first = true;
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\Q", overlapped).value();
            Request read = file.start_read(4);
            CHECK(read.started() == STATUS_PENDING);
            CHECK(read.wait().status == STATUS_CANCELLED);
        });
        CHECK(lab.inserted == 0);
        CHECK(lab.cancelled == 1);
    }
}

TEST_CASE("an IRP that is cancelled while it is inserted is taken out again") {
    CsqLab lab(true);
    lab.use_ex = lab.cancel_while_inserting = true;
    IO_CSQ_IRP_CONTEXT* context = nullptr;
    lab.run([&](Process& process) {
        lab.process = &process;
        lab.machine_call([&] { lab.context = context = kernel_object<IO_CSQ_IRP_CONTEXT>(); });
        File file = process.open("\\Device\\Q", overlapped).value();
        CHECK(file.start_read(4).wait().status == STATUS_CANCELLED);
        lab.machine_call([&] {
            CHECK(context->Irp == nullptr);
            ExFreePool(context);
        });
    });
    CHECK(lab.inserted == 1);
    CHECK(lab.removed == 1);
    CHECK(lab.cancelled == 1);
}

TEST_CASE("the status of CsqInsertIrpEx is the insertion's; an IRP that it refuses is not marked pending") {
    CsqLab lab(true);
    lab.use_ex = true;
    lab.insert_result = STATUS_DEVICE_BUSY;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Q", overlapped).value();
        CHECK(file.start_read(4).started() == STATUS_DEVICE_BUSY); // with the mark it would be bug check 0xC9
    });
    CHECK(lab.inserted == 0);
    CHECK(lab.cancelled == 0);
}

TEST_CASE("IoCsqRemoveIrp finds the IRP of a context until it has been cancelled or removed otherwise") {
    CsqLab lab(false);
    std::vector<IO_CSQ_IRP_CONTEXT*> contexts(3);
    lab.run([&](Process& process) {
        lab.process = &process;
        File file = process.open("\\Device\\Q", overlapped).value();
        std::vector<Request> reads;
        for (unsigned i = 0; i < 3; ++i) {
            lab.machine_call([&] { lab.context = contexts[i] = kernel_object<IO_CSQ_IRP_CONTEXT>(); });
            reads.push_back(file.start_read(4, i));
            CHECK(contexts[i]->Irp != nullptr);
            CHECK(contexts[i]->Csq == &lab.queue->csq);
            CHECK(contexts[i]->Type == IO_TYPE_CSQ_IRP_CONTEXT);
        }
        CHECK(reads[0].cancel() == STATUS_SUCCESS);
        lab.machine_call([&] {
            CHECK(IoCsqRemoveIrp(&lab.queue->csq, contexts[0]) == nullptr);
            PIRP irp = IoCsqRemoveIrp(&lab.queue->csq, contexts[2]);
            REQUIRE(irp != nullptr);
            CHECK(irp->CancelRoutine == nullptr);
            CHECK(irp->Tail.Overlay.DriverContext[3] == nullptr);
            complete(irp, STATUS_SUCCESS, 0);
            CHECK(IoCsqRemoveIrp(&lab.queue->csq, contexts[2]) == nullptr);
        });
        CHECK(lab.take() == 1);
        lab.machine_call([&] {
            CHECK(IoCsqRemoveIrp(&lab.queue->csq, contexts[1]) == nullptr);
            for (IO_CSQ_IRP_CONTEXT* context : contexts) ExFreePool(context);
        });
        CHECK(reads[0].wait().status == STATUS_CANCELLED);
        CHECK(reads[1].wait().status == STATUS_SUCCESS);
        CHECK(reads[2].wait().status == STATUS_SUCCESS);
    });
}

TEST_CASE("a removal passes over an IRP whose canceller waits for the queue's lock") {
    CsqLab lab(false);
    lab.run([&](Process& process) {
        lab.process = &process;
        File file = process.open("\\Device\\Q", overlapped).value();
        Request first = file.start_read(4, 1);
        Request second = file.start_read(4, 2);
        lab.machine_call([&] {
            PIRP irp = CsqLab::irp_of(lab.queue->list.Flink);
            const PDRIVER_CANCEL routine = IoSetCancelRoutine(irp, nullptr); // as IoCancelIrp does first
            REQUIRE(routine != nullptr);
            irp->Cancel = TRUE;
            PIRP next = IoCsqRemoveNextIrp(&lab.queue->csq, nullptr);
            REQUIRE(next != nullptr);
            CHECK(IoGetCurrentIrpStackLocation(next)->Parameters.Read.ByteOffset.QuadPart == 2);
            CHECK(IoCsqRemoveNextIrp(&lab.queue->csq, nullptr) == nullptr);
            complete(next, STATUS_SUCCESS, 0);
            KIRQL irql;
            IoAcquireCancelSpinLock(&irql);
            irp->CancelIrql = irql;
            routine(nullptr, irp);
        });
        CHECK(first.wait().status == STATUS_CANCELLED);
        CHECK(second.wait().status == STATUS_SUCCESS);
    });
}

TEST_CASE("threads that read, cancel, close and serve a queue lose no request and complete none twice") {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        CsqLab lab(seed % 2 != 0, {.seed = seed, .processors = 1 + static_cast<unsigned>(seed) % 4});
        lab.use_ex = seed % 2 != 0;
        unsigned ended = 0;
        lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
            if (PIRP next = IoCsqRemoveNextIrp(&lab.queue->csq, nullptr)) complete(next, STATUS_SUCCESS, 0);
            return complete(irp, STATUS_SUCCESS);
        };
        lab.behaviour[IRP_MJ_CLEANUP] = [&](PDEVICE_OBJECT, PIRP irp) {
            PVOID file = IoGetCurrentIrpStackLocation(irp)->FileObject;
            while (PIRP next = IoCsqRemoveNextIrp(&lab.queue->csq, file)) complete(next, STATUS_CANCELLED);
            return complete(irp, STATUS_SUCCESS);
        };
        lab.run([&](Process& process) {
            std::vector<Thread> threads;
            for (unsigned t = 0; t < 3; ++t) {
                threads.push_back(process.start_thread([&, t] {
                    for (unsigned round = 0; round < 20; ++round) {
                        File file = process.open("\\Device\\Q", overlapped).value();
                        Request first = file.start_read(1);
                        Request second = file.start_read(1);
                        if ((round + t) % 3 != 0) first.cancel();
                        (void)file.start_write(bytes("x")).wait();
                        if (round % 2 == 0) file.close();
                        if (round % 2 != 0) second.cancel();
                        const Status statuses[] = {first.wait().status, second.wait().status};
                        ended += static_cast<unsigned>(std::ranges::count_if(statuses, [](Status status) {
                            return status == STATUS_SUCCESS || status == STATUS_CANCELLED;
                        }));
                        process.sleep(std::chrono::microseconds(t + 1));
                    }
                }));
            }
            // A first read that was not cancelled ends with somebody's write; this one keeps on until all have ended.
            bool over = false;
            Thread server = process.start_thread([&] {
                File file = process.open("\\Device\\Q", overlapped).value();
                while (!over) {
                    (void)file.start_write(bytes("x")).wait();
                    process.sleep(std::chrono::microseconds(5));
                }
            });
            for (Thread& thread : threads) thread.join();
            over = true;
            server.join();
        });
        CHECK(ended == 120);
        CHECK(IsListEmpty(&lab.queue->list));
        CHECK(lab.inserted == lab.removed);
    }
}
