// An application process from the host's side: its threads' bodies and what they throw.
#pragma once

#include "api/owner.hpp"
#include "ke/machine.hpp"

#include <dirql/process.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace dirql::api {

class ProcessImpl;

// Another thread of a process.
struct ThreadState {
    ProcessImpl* process;
    Owner belongs_to;
    std::function<void()> body;
    ke::Thread* thread; // null: joined

    [[nodiscard]] const Owner& owner() const noexcept { return belongs_to; }
};

class ProcessImpl {
public:
    // Makes the process and its first thread, ready to run, unless the machine stops meanwhile. Throws std::bad_alloc when
    // memory is exhausted.
    ProcessImpl(ke::Machine& machine, const std::function<void(Process&)>& body);
    ~ProcessImpl();
    ProcessImpl(const ProcessImpl&) = delete;
    ProcessImpl& operator=(const ProcessImpl&) = delete;

    // Its number among all runs of this program.
    [[nodiscard]] std::uint64_t run() const noexcept { return run_; }
    [[nodiscard]] ke::Process& process() const noexcept { return *process_; }
    [[nodiscard]] Owner owner() const noexcept { return {*process_, run_}; }
    // The process has ended, with the last of its threads.
    [[nodiscard]] bool ended() const noexcept;
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }
    // After the run: drops the references, unless the machine stopped and nothing of it is touched any more.
    void finish() noexcept;

    // Another thread of this process. Null when memory is exhausted.
    [[nodiscard]] std::shared_ptr<ThreadState> start_thread(std::function<void()> body);

    // The first exception that leaves a thread of the process is the run's. Stopped is no exception of the application.
    void run_body(const std::function<void()>& body) noexcept;

private:
    static void first_body(void* self);

    ke::Machine& machine_;
    const std::uint64_t run_ = unique_number();
    const std::function<void(Process&)>& body_;
    Process public_{*this}; // here, since other threads may use it when the body has returned
    ke::Process* process_ = nullptr;
    ke::Thread* first_ = nullptr;
    std::exception_ptr exception_;
    std::vector<std::shared_ptr<ThreadState>> threads_; // kept for the whole run: a stop may unwind them in any order
};

} // namespace dirql::api
