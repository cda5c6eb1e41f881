// A cancel-safe queue held against a list.
#include "csq_lab.hpp"

#include <deque>
#include <random>

using namespace dirql;
using namespace dirql::test;

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
