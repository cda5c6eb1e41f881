#include "ke/thread.hpp"

#include "diag/trace.hpp"
#include "ke/apc.hpp"
#include "ke/callout.hpp"
#include "ke/clock.hpp"
#include "ke/floating_point.hpp"
#include "ke/irql.hpp"
#include "ke/mutant.hpp"
#include "ke/queue.hpp"
#include "ke/sanitizer.hpp"
#include "ke/scheduler.hpp"
#include "ke/stack_expansion.hpp"
#include "ke/system_service.hpp"
#include "ke/trap.hpp"
#include "ke/wait.hpp"

#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace dirql::ke {
namespace {

// Room for host code that runs on kernel stacks (formatting, sanitizers), beyond NT's 24 KiB.
constexpr std::size_t default_kernel_stack = sanitizer::slow_build ? 256 << 10 : 64 << 10;

std::size_t kernel_stack_pages(const Machine& machine) noexcept {
    const std::size_t asked = machine.options.kernel_stack_size;
    return pages_for(asked == 0 ? default_kernel_stack : asked) + 1;
}

// A system thread's routine is driver code; an ended one leaves through PsTerminateSystemThread or by returning.
[[noreturn]] void run_system_thread(Thread& self) noexcept {
    lower_irql(current_processor(), PASSIVE_LEVEL);
    const CalloutSite site{CalloutKind::system_thread, reinterpret_cast<const void*>(self.start_routine)};
    const auto routine = [](PKSTART_ROUTINE start, void* context) {
        start(context);
        refuse_held_mutexes(*current_thread()); // before the callout finds the region that such a mutex opened
    };
    callout(site, routine, self.start_routine, self.start_context);
    exit_current_thread(STATUS_SUCCESS);
}

[[noreturn]] void run_application_thread(Thread& self) noexcept {
    lower_irql(current_processor(), PASSIVE_LEVEL);
    self.side = Side::user;
    if (self.terminating == 0) self.user_body(self.start_context); // else its process ended before it began
    // The rundown is kernel work: on the kernel stack, where waits and stops find the thread in a system service.
    (void)system_service<OnStop::status>([] {
        exit_current_thread(STATUS_SUCCESS);
        return STATUS_SUCCESS;
    });
    leave_for_good(); // the machine stopped meanwhile
}

void first_steps(void* argument) {
    auto& self = *static_cast<Thread*>(argument);
    self.started = 1;
    begin_work(current_processor());
    DIRQL_TRACE(thread_start, .text = self.name);
    if (self.is_system != 0) run_system_thread(self);
    run_application_thread(self);
}

void copy_name(char (&to)[32], const char* from) noexcept {
    std::strncpy(to, from, sizeof to - 1);
    to[sizeof to - 1] = 0;
}

} // namespace

bool make_kernel_stack(Machine& machine, std::byte*& low, std::byte*& top) noexcept {
    if (machine.choice.allocation_fails()) return false;
    const std::size_t pages = kernel_stack_pages(machine);
    std::byte* memory = machine.slot->allocate_pages(pages);
    if (memory == nullptr && machine.hooks.give_back_pages != nullptr && machine.hooks.give_back_pages(machine))
        memory = machine.slot->allocate_pages(pages);
    if (memory == nullptr) return false;
    machine.slot->protect(memory, 1, PROT_NONE); // the guard page
    low = memory + page_size;
    top = memory + pages * page_size;
    return true;
}

void free_kernel_stack(Machine& machine, std::byte* low, std::byte* top) noexcept {
    sanitizer::forget_stack(low, top);
    machine.slot->protect(low - page_size, 1, PROT_READ | PROT_WRITE);
    machine.slot->free_pages(low - page_size, pages_for(static_cast<std::size_t>(top - low)) + 1);
}

namespace {

void calls_unwound(std::uint64_t from, std::uint64_t to) noexcept {
    if (auto hook = current_machine().hooks.calls_unwound) hook(from, to);
}

} // namespace

bool initialize_thread(Machine& machine, Thread& thread, const ThreadStart& start) noexcept {
    if (!make_kernel_stack(machine, thread.kernel_stack_low, thread.kernel_stack_top)) return false;
    initialize_header(thread.header, object_type::thread, 0, sizeof(DISPATCHER_HEADER));
    InitializeListHead(&thread.irp_list);
    for (LIST_ENTRY& list : thread.apcs) InitializeListHead(&list);
    InitializeListHead(&thread.mutants);
    InitializeListHead(&thread.apc_timers);
    thread.seh = SehState{};
    thread.seh.unhandled = unhandled_exception;
    thread.seh.door_unwound = calls_unwound;
    thread.is_system = start.user_body == nullptr;
    thread.side = Side::kernel;
    thread.previous_mode = start.user_body == nullptr ? KernelMode : UserMode;
    thread.priority = thread.base_priority = static_cast<std::int8_t>(start.priority);
    thread.affinity = ~std::uint64_t{0};
    thread.start_routine = start.routine;
    thread.start_context = start.context;
    thread.user_body = start.user_body;
    thread.process = start.process;
    thread.id = machine.next_id += 4;
    copy_name(thread.name, start.name);
    InsertTailList(&start.process->threads, &thread.process_entry);
    std::byte* low = start.user_body == nullptr ? thread.kernel_stack_low : thread.user_stack_low;
    std::byte* top = start.user_body == nullptr ? thread.kernel_stack_top : thread.user_stack_top;
    thread.fiber.prepare(low, top, first_steps, &thread);
    thread.user_seh = SehState{};
    thread.fiber.seh = start.user_body == nullptr ? &thread.seh : &thread.user_seh;
    return true;
}

void start_thread(Thread& thread) noexcept { ready_thread(thread, 0); }

void exit_current_thread(NTSTATUS status) noexcept {
    Thread& self = *current_thread();
    self.exit_status = status;
    refuse_held_mutexes(self);
    refuse_open_saves(self);
    refuse_expanded_stack(self);
    calls_unwound(std::exchange(self.seh.door_state, 0), 0);
    if (auto rundown = current_machine().hooks.thread_rundown) rundown(self);
    leave_queue(self);
    abandon_mutants(self);
    DIRQL_TRACE(thread_end, .status = status);
    Processor* processor = current_processor();
    (void)raise_irql(processor, DISPATCH_LEVEL);
    self.state = ThreadState::terminated;
    self.header.SignalState = 1;
    wake_waiters(self.header, 0);
    leave_for_good();
}

void release_thread_stacks(Machine& machine, Thread& thread) noexcept {
    thread.fiber.retire();
    if (thread.kernel_stack_low != nullptr)
        free_kernel_stack(machine, thread.kernel_stack_low, thread.kernel_stack_top);
    thread.kernel_stack_low = thread.kernel_stack_top = nullptr;
}

void initialize_process(Machine& machine, Process& process, const char* name) noexcept {
    initialize_header(process.header, object_type::process, 0, sizeof(DISPATCHER_HEADER));
    InitializeListHead(&process.threads);
    InitializeListHead(&process.ended_threads);
    InsertTailList(&machine.processes, &process.all_entry);
    process.id = machine.next_id += 4;
    copy_name(process.name, name);
}

} // namespace dirql::ke
