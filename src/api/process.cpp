#include <dirql/process.hpp>

#include "api/file_impl.hpp"
#include "api/machine_impl.hpp"
#include "api/process_impl.hpp"
#include "ke/system_service.hpp"
#include "ke/wait.hpp"
#include "mm/arena.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

#include <new>

namespace dirql {
namespace api {

ProcessImpl::ProcessImpl(ke::Machine& machine, const std::function<void(Process&)>& body)
    : machine_(machine), body_(body) {
    const bool done = between_runs(machine, [this] {
        process_ = ps::create_process(machine_, "Application");
        if (process_ != nullptr) first_ = ps::create_application_thread(machine_, *process_, "Main", first_body, this);
    });
    if (done && first_ == nullptr) throw std::bad_alloc();
}

void ProcessImpl::first_body(void* self) {
    auto& impl = *static_cast<ProcessImpl*>(self);
    Process process(impl);
    impl.run_body([&] { impl.body_(process); });
}

void ProcessImpl::run_body(const std::function<void()>& body) noexcept {
    try {
        body();
    } catch (const ke::Stopped&) {
        // the run's outcome tells it
    } catch (...) {
        if (!exception_) exception_ = std::current_exception();
    }
}

void ProcessImpl::finish() noexcept {
    if (machine_.stopping) return;
    between_runs(machine_, [this] {
        ob::dereference(first_);
        ob::dereference(process_);
    });
}

namespace {

void thread_body(void* context) {
    auto& state = *static_cast<ThreadState*>(context);
    state.process->run_body(state.body);
}

} // namespace

ThreadState* ProcessImpl::start_thread(std::function<void()> body) {
    threads_.push_back(std::make_unique<ThreadState>(ThreadState{this, std::move(body), nullptr}));
    ThreadState& state = *threads_.back();
    (void)ke::system_service([&] {
        state.thread = ps::create_application_thread(machine_, *process_, "Thread", thread_body, &state);
        return STATUS_SUCCESS;
    });
    return state.thread == nullptr ? nullptr : &state;
}

} // namespace api

Thread Process::start_thread(std::function<void()> body) {
    api::ThreadState* state = impl_.start_thread(std::move(body));
    if (state == nullptr) throw std::bad_alloc();
    return Thread(*state);
}

Thread::Thread(Thread&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Thread& Thread::operator=(Thread&& other) noexcept {
    if (this != &other) {
        join();
        state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
}
Thread::~Thread() { join(); }

// In a stopped machine there is nothing to wait for: the thread has unwound, or will.
void Thread::join() {
    if (state_ == nullptr) return;
    ke::Thread* thread = std::exchange(state_->thread, nullptr);
    state_ = nullptr;
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
        LARGE_INTEGER interval;
        interval.QuadPart = -duration.count() / 100;
        return KeDelayExecutionThread(UserMode, FALSE, &interval);
    });
}

} // namespace dirql
