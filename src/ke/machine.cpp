#include "ke/machine.hpp"

#include "ke/clock.hpp"
#include "ke/sanitizer.hpp"
#include "ke/scheduler.hpp"
#include "ke/trap.hpp"

#include <algorithm>

namespace dirql::ke {
namespace {

constexpr std::size_t arena_chunk_pages = 8;

bool create_idle_thread(Machine& machine, Processor& processor) noexcept {
    Thread* thread = machine.allocate<Thread>();
    if (thread == nullptr) return false;
    const auto loop = reinterpret_cast<PKSTART_ROUTINE>(idle_loop);
    if (!initialize_thread(machine, *thread, {"Idle", machine.system_process, 0, loop, &processor, nullptr}))
        return false;
    thread->state = ThreadState::running;
    thread->processor = &processor;
    thread->affinity = std::uint64_t{1} << processor.number;
    thread->fiber.entry = [](void* self) { idle_loop(static_cast<Thread*>(self)->start_context); };
    processor.idle_thread = processor.current = thread;
    return true;
}

bool create_processor(Machine& machine, unsigned number) noexcept {
    Processor* processor = machine.allocate<Processor>();
    if (processor == nullptr) return false;
    processor->machine = &machine;
    processor->number = number;
    processor->irql = DISPATCH_LEVEL; // idle
    processor->horizon = never;
    processor->budget_check = machine.options.callout_budget;
    processor->trace_on = machine.recorder != nullptr;
    for (LIST_ENTRY& list : processor->ready) InitializeListHead(&list);
    machine.processors[number] = processor;
    return make_kernel_stack(machine, processor->dpc_stack_low, processor->dpc_stack_top) &&
           make_kernel_stack(machine, processor->trap_stack_low, processor->trap_stack_top) &&
           create_idle_thread(machine, *processor);
}

#ifdef DIRQL_TSAN
// ThreadSanitizer's fibers live outside of the slot, and there are not many.
void retire_fibers(void* data) noexcept {
    auto& machine = *static_cast<Machine*>(data);
    for (LIST_ENTRY* p = machine.processes.Flink; p != &machine.processes; p = p->Flink) {
        auto* process = CONTAINING_RECORD(p, Process, all_entry);
        for (LIST_ENTRY* t = process->threads.Flink; t != &process->threads; t = t->Flink) {
            CONTAINING_RECORD(t, Thread, process_entry)->fiber.retire();
        }
    }
}
#endif

} // namespace

// Alignment: 64, so that processors and threads do not share cache lines.
void* Machine::allocate(std::size_t bytes) noexcept {
    bytes = (bytes + 63) & ~std::size_t{63};
    if (bytes > arena_left) {
        const std::size_t pages = std::max(pages_for(bytes), arena_chunk_pages);
        std::byte* memory = slot->allocate_pages(pages);
        if (memory == nullptr) return nullptr;
        arena_next = memory;
        arena_left = pages * page_size;
    }
    void* result = arena_next;
    arena_next += bytes;
    arena_left -= bytes;
    return result;
}

Machine* create_machine(Slot& slot, const MachineOptions& options, HostInterface* host) noexcept {
    auto* machine = reinterpret_cast<Machine*>(slot.allocate_pages(pages_for(sizeof(Machine))));
    if (machine == nullptr) return nullptr;
    machine->options = options;
    machine->slot = &slot;
    machine->host = host;
    machine->choice.seed(options.seed);
    machine->next_timer = never;
    machine->processor_count = std::clamp(options.processors, 1u, max_processors);
    machine->number_processors = static_cast<CCHAR>(machine->processor_count);
    InitializeListHead(&machine->timers);
    InitializeListHead(&machine->processes);
    for (LIST_ENTRY& list : machine->bug_check_callbacks) InitializeListHead(&list);
    machine->clock_interval = clock_interval_ns / ns_per_tick;
#ifdef DIRQL_TSAN
    slot.before_power_off(retire_fibers, machine);
#endif
    machine->system_process = machine->allocate<Process>();
    if (machine->system_process == nullptr) return nullptr;
    InitializeListHead(&machine->system_process->threads);
    initialize_process(*machine, *machine->system_process, "System");
    for (unsigned i = 0; i < machine->processor_count; ++i) {
        if (!create_processor(*machine, i)) return nullptr;
    }
    return machine;
}

// Narrow ranges first: a driver's own code is found before the program that it is linked into.
bool add_code_range(Machine& machine, const CodeRange& range) noexcept {
    if (machine.image_count == Machine::max_images) return false;
    CodeRange* const end = machine.images + machine.image_count++;
    CodeRange* const wider = std::find_if(
        machine.images, end, [&](const CodeRange& other) { return other.end - other.begin > range.end - range.begin; });
    std::copy_backward(wider, end, end + 1);
    *wider = range;
    return true;
}

void remove_code_range(Machine& machine, const CodeRange& range) noexcept {
    CodeRange* const end = machine.images + machine.image_count;
    CodeRange* const found = std::find(machine.images, end, range);
    if (found == end) return;
    std::copy(found + 1, end, found);
    --machine.image_count;
}

const CodeRange* find_code_range(const Machine& machine, std::uintptr_t address) noexcept {
    for (unsigned i = 0; i < machine.image_count; ++i) {
        if (address - machine.images[i].begin < machine.images[i].end - machine.images[i].begin)
            return &machine.images[i];
    }
    return nullptr;
}

// Ranges may lie in one another: any that holds the routine may say so.
bool has_integrity(const Machine& machine, const void* routine) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(routine);
    for (unsigned i = 0; i < machine.image_count; ++i) {
        const CodeRange& image = machine.images[i];
        if (image.integrity && address - image.begin < image.end - image.begin) return true;
    }
    return false;
}

} // namespace dirql::ke
