// An application process from the host's side: its threads' bodies and what they throw.
#pragma once

#include "api/owner.hpp"
#include "ke/machine.hpp"
#include "ps/ps.hpp"

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

[[nodiscard]] se::Account account_of(Account account) noexcept;

class ProcessImpl {
public:
    // Makes the process and its first thread, ready to run, unless the machine stops meanwhile. Throws std::bad_alloc when
    // memory is exhausted.
    ProcessImpl(ke::Machine& machine, const std::function<void(Process&)>& body);
    // The same for a process of `parent`, in one of its threads; created() says what came of it.
    ProcessImpl(ProcessImpl& parent, std::function<void(Process&)> body, const ProcessOptions& options);
    ~ProcessImpl();
    ProcessImpl(const ProcessImpl&) = delete;
    ProcessImpl& operator=(const ProcessImpl&) = delete;

    [[nodiscard]] bool exists() const noexcept { return process_ != nullptr; }
    // Is the code that asks a thread of its run? Not after the run, which has waited for it.
    [[nodiscard]] bool in_run() const noexcept;
    // Its number among all runs of this program.
    [[nodiscard]] std::uint64_t run() const noexcept { return run_; }
    // Why there is no process or why it ends without having begun: no memory, or a driver's veto.
    [[nodiscard]] NTSTATUS created() const noexcept { return created_; }
    // Makes the process and its first thread, in a thread of the machine or, where nobody listens, on the host's flow.
    void create(const ps::ProcessStart& start) noexcept;
    [[nodiscard]] ke::Process& process() const noexcept { return *process_; }
    [[nodiscard]] Owner owner() const noexcept { return {*process_, run_}; }
    // The process has ended, with the last of its threads.
    [[nodiscard]] bool ended() const noexcept;
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }
    // After the run: drops the references, unless the machine stopped and nothing of it is touched any more.
    void finish() noexcept;

    // Another process of the run, which this one keeps until its end.
    void adopt(std::shared_ptr<ProcessImpl> child) { children_.push_back(std::move(child)); }
    // Waits for its end, in another process's thread. Its exit status.
    [[nodiscard]] NTSTATUS wait() noexcept;

    // Another thread of this process. Null when memory is exhausted.
    [[nodiscard]] std::shared_ptr<ThreadState> start_thread(std::function<void()> body);

    // The first exception that leaves a thread of the process is the run's. Stopped is no exception of the application.
    void run_body(const std::function<void()>& body) noexcept;

private:
    static void first_body(void* self);

    ke::Machine& machine_;
    ProcessImpl* const parent_ = nullptr;
    const std::uint64_t run_;
    const std::function<void(Process&)> own_body_; // a child's
    const std::function<void(Process&)>& body_;
    NTSTATUS created_ = STATUS_INSUFFICIENT_RESOURCES;
    Process public_{*this}; // here, since other threads may use it when the body has returned
    ke::Process* process_ = nullptr;
    ke::Thread* first_ = nullptr;
    std::exception_ptr exception_;
    std::vector<std::shared_ptr<ProcessImpl>> children_;
    std::vector<std::shared_ptr<ThreadState>> threads_; // kept for the whole run: a stop may unwind them in any order
};

} // namespace dirql::api
