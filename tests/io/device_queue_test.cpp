// Device queues against a model.
#include "closure_driver.hpp"

#include <algorithm>
#include <deque>
#include <random>

using namespace dirql;
using namespace dirql::test;

namespace {

// A device queue as the documents tell of it: busy or not, and the waiting sorted.
struct QueueModel {
    struct Waiting {
        unsigned entry;
        ULONG key;
    };
    bool busy = false;
    std::deque<Waiting> waiting;

    bool insert(unsigned entry) {
        if (!busy) return !(busy = true);
        waiting.push_back({entry, 0});
        return true;
    }
    bool insert_by_key(unsigned entry, ULONG key) {
        if (!busy) return !(busy = true);
        const auto behind = std::ranges::find_if(waiting, [&](const Waiting& other) { return other.key > key; });
        waiting.insert(behind, {entry, key});
        return true;
    }
    int take(std::deque<Waiting>::iterator at) {
        const int entry = static_cast<int>(at->entry);
        waiting.erase(at);
        return entry;
    }
    int remove() {
        if (waiting.empty()) return busy = false, -1;
        return take(waiting.begin());
    }
    int remove_by_key(ULONG key) {
        if (waiting.empty()) return busy = false, -1;
        const auto found = std::ranges::find_if(waiting, [&](const Waiting& other) { return other.key >= key; });
        return take(found == waiting.end() ? waiting.begin() : found);
    }
    bool remove_entry(unsigned entry) {
        const auto found = std::ranges::find_if(waiting, [&](const Waiting& other) { return other.entry == entry; });
        if (found == waiting.end()) return false;
        waiting.erase(found);
        return true;
    }
};

} // namespace

TEST_CASE("20,000 steps on a device queue agree with a sorted list") {
    for (const bool by_key : {false, true}) {
        Lab lab;
        unsigned agreed = 0;
        lab.machine.run_in_kernel([&] {
            constexpr unsigned count = 24;
            struct Memory {
                KDEVICE_QUEUE queue;
                KDEVICE_QUEUE_ENTRY entries[count];
            };
            auto* memory = kernel_object<Memory>();
            KeInitializeDeviceQueue(&memory->queue);
            QueueModel model;
            std::mt19937 random(by_key ? 7 : 11);
            const auto index = [&](PKDEVICE_QUEUE_ENTRY entry) {
                return entry == nullptr ? -1 : static_cast<int>(entry - memory->entries);
            };
            KIRQL irql;
            KeRaiseIrql(DISPATCH_LEVEL, &irql);
            for (unsigned step = 0; step < 20'000; ++step) {
                const unsigned which = random() % count;
                PKDEVICE_QUEUE_ENTRY entry = &memory->entries[which];
                const ULONG key = random() % 10;
                bool right = true;
                switch (random() % 5) {
                case 0:
                case 1:
                    if (entry->Inserted) break;
                    right =
                        by_key ? KeInsertByKeyDeviceQueue(&memory->queue, entry, key) == model.insert_by_key(which, key)
                               : KeInsertDeviceQueue(&memory->queue, entry) == model.insert(which);
                    break;
                case 2:
                    right = (KeRemoveEntryDeviceQueue(&memory->queue, entry) != FALSE) == model.remove_entry(which);
                    break;
                default:
                    right = by_key ? index(KeRemoveByKeyDeviceQueue(&memory->queue, key)) == model.remove_by_key(key)
                                   : index(KeRemoveDeviceQueue(&memory->queue)) == model.remove();
                }
                right &= (memory->queue.Busy != FALSE) == model.busy;
                if (!right) break;
                ++agreed;
            }
            KeLowerIrql(irql);
            ExFreePool(memory);
        });
        CHECK(lab.machine.outcome().finished());
        CHECK(agreed == 20'000);
    }
}
