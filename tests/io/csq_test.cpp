// Cancel-safe queues: the protocol between insertion, removal and cancellation, in both forms; and queues against a model.
#include "closure_driver.hpp"

#include <algorithm>
#include <deque>
#include <random>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr OpenOptions overlapped{.overlapped = true};

// A driver's queue, as a driver has it: a list and a spin lock. What the routines were called for is written down.
struct CsqLab : Lab {
    struct Queue {
        IO_CSQ csq;
        KSPIN_LOCK lock;
        LIST_ENTRY list;
    };
    explicit CsqLab(bool extended, MachineOptions options = {}) : Lab(std::move(options)) {
        instance = this;
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) { return read(irp); };
        load("q", [&](PDRIVER_OBJECT driver) {
            queue = kernel_object<Queue>();
            InitializeListHead(&queue->list);
            const NTSTATUS status =
                extended ? IoCsqInitializeEx(&queue->csq, insert_ex, remove, peek, acquire, release, complete_cancelled)
                         : IoCsqInitialize(&queue->csq, insert, remove, peek, acquire, release, complete_cancelled);
            CHECK(status == STATUS_SUCCESS);
            driver->DriverUnload = [](PDRIVER_OBJECT object) {
                ExFreePool(instance->queue);
                delete_all_devices(object);
            };
            return create_device(driver, u"\\Device\\Q", behaviour, DO_BUFFERED_IO);
        });
    }
    NTSTATUS read(PIRP irp) {
        if (cancel_first) irp->Cancel = TRUE;
        if (use_ex) {
            const NTSTATUS status = IoCsqInsertIrpEx(&queue->csq, irp, context, &insert_cookie);
            if (!NT_SUCCESS(status)) return complete(irp, status);
        } else {
            IoCsqInsertIrp(&queue->csq, irp, context);
        }
        return STATUS_PENDING;
    }
    static PIRP irp_of(LIST_ENTRY* entry) { return CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry); }
    static Queue& own(PIO_CSQ csq) { return *CONTAINING_RECORD(csq, Queue, csq); }
    static VOID NTAPI insert(PIO_CSQ csq, PIRP irp) {
        ++instance->inserted;
        InsertTailList(&own(csq).list, &irp->Tail.Overlay.ListEntry);
    }
    static NTSTATUS NTAPI insert_ex(PIO_CSQ csq, PIRP irp, PVOID cookie) {
        instance->cookie_seen = cookie;
        if (!NT_SUCCESS(instance->insert_result)) return instance->insert_result;
        insert(csq, irp);
        if (instance->cancel_while_inserting) irp->Cancel = TRUE; // as one who cancels and found no routine yet
        return instance->insert_result;
    }
    static VOID NTAPI remove(PIO_CSQ, PIRP irp) {
        ++instance->removed;
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    }
    static PIRP NTAPI peek(PIO_CSQ csq, PIRP irp, PVOID wanted) {
        LIST_ENTRY& list = own(csq).list;
        LIST_ENTRY* entry = irp == nullptr ? list.Flink : irp->Tail.Overlay.ListEntry.Flink;
        for (; entry != &list; entry = entry->Flink) {
            PIRP found = irp_of(entry);
            if (wanted == nullptr || IoGetCurrentIrpStackLocation(found)->FileObject == wanted) return found;
        }
        return nullptr;
    }
    static VOID NTAPI acquire(PIO_CSQ csq, PKIRQL irql) { KeAcquireSpinLock(&own(csq).lock, irql); }
    static VOID NTAPI release(PIO_CSQ csq, KIRQL irql) { KeReleaseSpinLock(&own(csq).lock, irql); }
    static VOID NTAPI complete_cancelled(PIO_CSQ, PIRP irp) {
        ++instance->cancelled;
        instance->level = KeGetCurrentIrql();
        instance->link_left |= irp->Tail.Overlay.DriverContext[3] != nullptr;
        complete(irp, STATUS_CANCELLED);
    }
    // Takes the next one and completes it; its offset, or -1.
    LONGLONG take(PVOID wanted = nullptr) {
        LONGLONG offset = -1;
        machine_call([&] {
            PIRP irp = IoCsqRemoveNextIrp(&queue->csq, wanted);
            if (irp == nullptr) return;
            offset = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.QuadPart;
            complete(irp, STATUS_SUCCESS, 1);
        });
        return offset;
    }
    // Driver code under test, called from an application's thread as a service of the test's own: a write.
    void machine_call(std::function<void()> body) {
        behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
            body();
            return complete(irp, STATUS_SUCCESS);
        };
        File file = process->open("\\Device\\Q").value();
        CHECK(file.write(bytes("x")).ok());
    }
    static inline CsqLab* instance;
    Behaviour behaviour;
    Process* process = nullptr;
    Queue* queue = nullptr;
    PIO_CSQ_IRP_CONTEXT context = nullptr;
    NTSTATUS insert_result = STATUS_SUCCESS;
    bool use_ex = false;
    bool cancel_first = false;
    bool cancel_while_inserting = false;
    bool link_left = false;
    int insert_cookie = 0;
    void* cookie_seen = nullptr;
    unsigned inserted = 0;
    unsigned removed = 0;
    unsigned cancelled = 0;
    KIRQL level = HIGH_LEVEL;
};

} // namespace

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

namespace {

// The same steps on a queue and on a deque of numbers.
struct Model {
    std::deque<LONGLONG> waiting;
    void erase(LONGLONG number) { std::erase(waiting, number); }
};

} // namespace

TEST_CASE("10,000 steps of insertion, removal and cancellation agree with a list") {
    CsqLab lab(true);
    unsigned steps = 0;
    unsigned removals = 0;
    unsigned cancels = 0;
    lab.machine.run_in_kernel([&] {
        std::mt19937 random(4711);
        Model model;
        struct Entry {
            PIRP irp;
            IO_CSQ_IRP_CONTEXT* context;
        };
        std::vector<Entry> out; // by number
        // IRPs of one's own: the queue's cancel routine completes them to here.
        static LONGLONG completed;
        const auto on_completion = [](PDEVICE_OBJECT, PIRP irp, PVOID number) -> NTSTATUS {
            completed = static_cast<LONGLONG>(reinterpret_cast<LONG_PTR>(number));
            IoFreeIrp(irp);
            return STATUS_MORE_PROCESSING_REQUIRED;
        };
        const auto pick = [&]() -> LONGLONG { return model.waiting[random() % model.waiting.size()]; };
        const auto number_of = [](PIRP irp) {
            return static_cast<LONGLONG>(reinterpret_cast<LONG_PTR>(IoGetCurrentIrpStackLocation(irp)->Context));
        };
        bool right = true;
        for (; steps < 10'000 && right; ++steps) {
            const unsigned kind = random() % 8;
            if (kind < 4 || model.waiting.empty()) {
                PIRP irp = IoAllocateIrp(1, FALSE);
                auto* context = kernel_object<IO_CSQ_IRP_CONTEXT>();
                const auto number = static_cast<LONGLONG>(out.size());
                IoSetCompletionRoutine(irp, on_completion, reinterpret_cast<PVOID>(static_cast<LONG_PTR>(number)), TRUE,
                                       TRUE, TRUE);
                IoSetNextIrpStackLocation(irp);
                out.push_back({irp, context});
                right &= IoCsqInsertIrpEx(&lab.queue->csq, irp, context, nullptr) == STATUS_SUCCESS;
                model.waiting.push_back(number);
            } else if (kind < 6) {
                PIRP irp = IoCsqRemoveNextIrp(&lab.queue->csq, nullptr);
                right &= irp != nullptr && number_of(irp) == model.waiting.front();
                model.waiting.pop_front();
                IoFreeIrp(irp);
                ++removals;
            } else if (kind == 6) {
                const LONGLONG number = pick();
                PIRP irp = IoCsqRemoveIrp(&lab.queue->csq, out[number].context);
                right &= irp == out[number].irp;
                right &= IoCsqRemoveIrp(&lab.queue->csq, out[number].context) == nullptr;
                model.erase(number);
                IoFreeIrp(irp);
                ++removals;
            } else {
                const LONGLONG number = pick();
                completed = -1;
                right &= IoCancelIrp(out[number].irp) == TRUE && completed == number;
                right &= IoCsqRemoveIrp(&lab.queue->csq, out[number].context) == nullptr;
                model.erase(number);
                ++cancels;
            }
        }
        CHECK(right);
        while (PIRP irp = IoCsqRemoveNextIrp(&lab.queue->csq, nullptr)) {
            right &= number_of(irp) == model.waiting.front();
            model.waiting.pop_front();
            IoFreeIrp(irp);
        }
        CHECK(right);
        CHECK(model.waiting.empty());
        for (const Entry& entry : out) ExFreePool(entry.context);
    });
    CHECK(lab.machine.outcome().finished());
    CHECK(steps == 10'000);
    CHECK(removals > 1000);
    CHECK(cancels > 500);
}
