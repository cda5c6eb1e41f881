#include "support/kernel_fixture.hpp"

#include "ex/state.hpp"
#include "ke/clock.hpp"
#include "ke/executor.hpp"
#include "ke/scheduler.hpp"
#include "mm/state.hpp"
#include "support/boot_processor.hpp"

#include <atomic>
#include <stdexcept>
#include <utility>

extern "C" NTSTATUS dirql_test_try(void (*body)(void*), void* context);

namespace dirql::test {
namespace {

// Slot numbers that are in use by fixtures; several may live at once, also on several host threads.
std::atomic<std::uint64_t> slots_taken;

unsigned take_slot() {
    for (unsigned index = 0; index < 64; ++index) {
        const std::uint64_t bit = std::uint64_t{1} << index;
        if ((slots_taken.fetch_or(bit) & bit) == 0) return index;
    }
    throw std::runtime_error("all slots are in use");
}

constexpr std::size_t stack_for_assertions = std::size_t{256} << 10;

ke::MachineOptions with_room(ke::MachineOptions options) noexcept {
    if (options.kernel_stack_size == 0) options.kernel_stack_size = stack_for_assertions;
    if (options.user_stack_size == 0) options.user_stack_size = stack_for_assertions;
    return options;
}

} // namespace

KernelFixture::KernelFixture(std::initializer_list<Initializer> layers, const ke::MachineOptions& options)
    : slot_(std::make_unique<ke::Slot>(take_slot(), options.physical_memory)),
      machine_(ke::create_machine(*slot_, with_room(options), this)) {
    if (machine_ == nullptr) throw std::runtime_error("no memory for a machine");
    const OnBootProcessor on_processor(*machine_);
    bool up = ex::initialize(*machine_) && mm::initialize(*machine_);
    for (Initializer layer : layers) up = up && layer(*machine_);
    if (!up) throw std::runtime_error("a layer did not start");
}

KernelFixture::~KernelFixture() {
    const unsigned index = slot_->index();
    slot_.reset();
    slots_taken.fetch_and(~(std::uint64_t{1} << index));
}

void KernelFixture::execute(void* data) noexcept {
    auto& task = *static_cast<Task*>(data);
    try {
        task.body();
    } catch (...) {
        task.failure = std::current_exception();
    }
}

ke::Thread& KernelFixture::make_thread(const ke::ThreadStart& start) {
    auto* thread = machine_->allocate<ke::Thread>();
    if (thread == nullptr) throw std::runtime_error("no memory for a thread");
    if (start.user_body != nullptr) {
        const OnBootProcessor on_processor(*machine_);
        if (!mm::allocate_user_stack(*start.process, machine_->options.user_stack_size, thread->user_stack_low,
                                     thread->user_stack_top)) {
            throw std::runtime_error("no memory for a user stack");
        }
    }
    if (!ke::initialize_thread(*machine_, *thread, start)) throw std::runtime_error("no memory for a thread's stack");
    return *thread;
}

ke::Stop KernelFixture::run(std::function<void()> body) {
    std::vector<std::function<void()>> bodies;
    bodies.push_back(std::move(body));
    return run(std::move(bodies));
}

ke::Stop KernelFixture::run(std::vector<std::function<void()>> bodies) {
    for (std::function<void()>& body : bodies) {
        Task& task = *tasks_.emplace_back(std::make_unique<Task>());
        task.body = std::move(body);
        task.thread = &make_thread({"Test", machine_->system_process, 8, execute, &task, nullptr});
    }
    return run_tasks();
}

ke::Stop KernelFixture::run_as_application(ke::Process& process, std::function<void()> body) {
    Task& task = *tasks_.emplace_back(std::make_unique<Task>());
    task.body = std::move(body);
    task.thread = &make_thread({"Application", &process, 8, nullptr, &task, execute});
    return run_tasks();
}

ke::Stop KernelFixture::run_tasks() {
    {
        const OnBootProcessor on_processor(*machine_);
        for (const auto& task : tasks_) ke::start_thread(*task->thread);
    }
    const auto all_ended = [](void* self) {
        for (const auto& task : static_cast<KernelFixture*>(self)->tasks_) {
            if (task->thread->state != ke::ThreadState::terminated) return false;
        }
        return true;
    };
    ke::run(*machine_, all_ended, this);
    if (machine_->stopping) ke::unwind_application_threads(*machine_);
    for (const auto& task : std::exchange(tasks_, {})) {
        if (task->failure) std::rethrow_exception(task->failure);
    }
    return machine_->stop;
}

ke::Process& KernelFixture::create_process(const char* name) {
    const OnBootProcessor on_processor(*machine_);
    auto* process = machine_->allocate<ke::Process>();
    if (process == nullptr) throw std::runtime_error("no memory for a process");
    ke::initialize_process(*machine_, *process, name);
    if (!mm::create_arena(*machine_, *process)) throw std::runtime_error("no memory for an arena");
    return *process;
}

NTSTATUS status_raised_by(const std::function<void()>& body) {
    return dirql_test_try([](void* context) { (*static_cast<const std::function<void()>*>(context))(); },
                          const_cast<std::function<void()>*>(&body));
}

} // namespace dirql::test
