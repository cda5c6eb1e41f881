#include <dirql/process.hpp>

#include "api/file_impl.hpp"
#include "api/machine_impl.hpp"
#include "api/process_impl.hpp"
#include "api/text.hpp"
#include "ke/system_service.hpp"
#include "ke/wait.hpp"
#include "mm/arena.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "se/token.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace dirql {
namespace api {

se::Account account_of(Account account) noexcept {
    switch (account) {
    case Account::user: return se::Account::user;
    case Account::system: return se::Account::system;
    default: return se::Account::administrator;
    }
}

ProcessImpl::ProcessImpl(ke::Machine& machine, const std::function<void(Process&)>& body)
    : machine_(machine), run_(unique_number()), body_(body) {}

ProcessImpl::ProcessImpl(ProcessImpl& parent, std::function<void(Process&)> body, const ProcessOptions& options)
    : machine_(parent.machine_), parent_(&parent), run_(parent.run_), own_body_(std::move(body)), body_(own_body_) {
    const std::u16string image = to_utf16(options.image);
    const std::u16string command_line = options.command_line.empty() ? image : to_utf16(options.command_line);
    (void)ke::system_service([&] {
        const se::Account account = account_of(options.account.value_or(Account::administrator));
        create({"Application", image, command_line, parent.process_, options.inherit_handles,
                options.account ? &account : nullptr});
        return STATUS_SUCCESS;
    });
}

void ProcessImpl::create(const ps::ProcessStart& start) noexcept {
    created_ = ps::create_process(machine_, start, process_);
    if (!NT_SUCCESS(created_)) return;
    first_ = ps::create_application_thread(machine_, *process_, "Main", first_body, this, &created_);
    if (first_ != nullptr) return;
    created_ = STATUS_INSUFFICIENT_RESOURCES;
    ob::close_all_handles(*process_); // those that it inherited
    ob::dereference(std::exchange(process_, nullptr));
}

void ProcessImpl::first_body(void* self) {
    auto& impl = *static_cast<ProcessImpl*>(self);
    impl.run_body([&] { impl.body_(impl.public_); });
}

void ProcessImpl::run_body(const std::function<void()>& body) noexcept {
    try {
        body();
    } catch (const ke::Stopped&) {
        // the run's outcome tells it
    } catch (...) {
        ProcessImpl* root = this;
        while (root->parent_ != nullptr) root = root->parent_;
        if (!root->exception_) root->exception_ = std::current_exception();
    }
}

// What the bodies have captured goes with the run, whoever still holds a Thread.
ProcessImpl::~ProcessImpl() {
    for (const auto& thread : threads_) thread->body = nullptr;
}

bool ProcessImpl::ended() const noexcept {
    const auto over = [](const ke::Thread* thread) { return thread->state == ke::ThreadState::terminated; };
    return (first_ == nullptr || over(first_)) &&
           std::ranges::all_of(children_, [](const auto& child) { return child->ended(); }) &&
           std::ranges::all_of(threads_,
                               [&](const auto& state) { return state->thread == nullptr || over(state->thread); });
}

void ProcessImpl::finish() noexcept {
    if (machine_.stopping) return;
    for (const auto& child : children_) child->finish();
    if (first_ == nullptr) return;
    between_runs(machine_, [this] {
        for (const auto& state : threads_) {
            if (state->thread != nullptr) ob::dereference(std::exchange(state->thread, nullptr));
        }
        ob::dereference(first_);
        ob::dereference(process_);
    });
}

bool ProcessImpl::in_run() const noexcept {
    const ke::Processor* processor = ke::current_processor();
    return processor != nullptr && processor->current != processor->idle_thread &&
           static_cast<const MachineImpl*>(processor->machine->host)->current_run() == run_;
}

NTSTATUS ProcessImpl::wait() noexcept {
    NTSTATUS ended = STATUS_SYSTEM_SHUTDOWN;
    (void)ke::system_service<ke::OnStop::status>([&] {
        ke::wait_for(&process_->header);
        ended = ps::object_of(*process_).exit_status;
        return STATUS_SUCCESS;
    });
    return ended;
}

namespace {

void thread_body(void* context) {
    auto& state = *static_cast<ThreadState*>(context);
    state.process->run_body(state.body);
}

} // namespace

std::shared_ptr<ThreadState> ProcessImpl::start_thread(std::function<void()> body) {
    threads_.push_back(std::make_shared<ThreadState>(ThreadState{this, owner(), std::move(body), nullptr}));
    const std::shared_ptr<ThreadState> state = threads_.back();
    (void)ke::system_service([&] {
        state->thread = ps::create_application_thread(machine_, *process_, "Thread", thread_body, state.get());
        return STATUS_SUCCESS;
    });
    return state->thread == nullptr ? nullptr : state;
}

} // namespace api

Thread Process::start_thread(std::function<void()> body) {
    std::shared_ptr<api::ThreadState> state = impl_.start_thread(std::move(body));
    if (state == nullptr) throw std::bad_alloc();
    return Thread(std::move(state));
}

Thread::Thread(std::shared_ptr<api::ThreadState> state) : state_(std::move(state)) {}
Thread::Thread(Thread&&) noexcept = default;
Thread& Thread::operator=(Thread&& other) noexcept {
    if (this != &other) {
        join();
        state_ = std::move(other.state_);
    }
    return *this;
}
Thread::~Thread() { join(); }

// In a stopped machine there is nothing to wait for: the thread has unwound, or will. Nor after the run, which has waited.
void Thread::join() {
    const std::shared_ptr<api::ThreadState> state = std::move(state_);
    if (state == nullptr || !state->owner().runs_now()) return;
    ke::Thread* thread = std::exchange(state->thread, nullptr);
    (void)ke::system_service<ke::OnStop::status>([&] {
        ke::wait_for(&thread->header);
        ob::dereference(thread);
        return STATUS_SUCCESS;
    });
}

void* Process::allocate(std::size_t bytes) {
    void* memory = nullptr;
    (void)ke::system_service([&] {
        memory = mm::allocate_user(impl_.process(), bytes);
        return STATUS_SUCCESS;
    });
    return memory;
}

void Process::free(void* memory) noexcept {
    (void)ke::system_service<ke::OnStop::status>(
        [&] { return mm::free_user(impl_.process(), memory) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER; });
}

void Process::sleep(std::chrono::nanoseconds duration) {
    (void)ke::system_service([&] {
        LARGE_INTEGER interval = api::relative_interval(duration);
        return KeDelayExecutionThread(UserMode, FALSE, &interval);
    });
}

} // namespace dirql
