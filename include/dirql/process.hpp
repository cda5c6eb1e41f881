// An application process of a machine, as the code that runs in it sees it.
#pragma once

#include <dirql/file.hpp>
#include <dirql/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class ProcessImpl;
struct ThreadState;
struct HandleState;
} // namespace api

/// Whose program an application is: what its access token says, and with that which devices it may open.
enum class Account {
    administrator, ///< a member of Administrators, elevated: what tools that use drivers mostly are
    user,          ///< a member of Users, at medium integrity
    system,        ///< LocalSystem, as services are
};

/// A thread of an application. Joined when destroyed. After the run, which has waited for it, there is nothing to wait for, and
/// a Thread may be kept or dropped; so may one that was joined or moved from.
class Thread {
public:
    Thread(Thread&&) noexcept;
    Thread& operator=(Thread&&) noexcept;
    ~Thread();
    /// Waits for its end, in the calling application thread.
    void join();

private:
    friend class Process;
    explicit Thread(std::shared_ptr<api::ThreadState> state);
    std::shared_ptr<api::ThreadState> state_; // null once joined
};

class Process;

/// How a process is started. Texts are UTF-8.
struct ProcessOptions {
    std::string image = R"(\??\C:\Application.exe)"; ///< the image's name as drivers' notify routines are told it
    std::string command_line;                        ///< empty: the image's name
    bool inherit_handles = false;                    ///< the new process has the handles that may be inherited
    std::optional<Account> account{}; ///< none: that of the process that starts it, of Machine::run's an administrator
};

/// Another process of the run, started by Process::start_process. Waited for when destroyed, as a Thread.
class ChildProcess {
public:
    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) noexcept;
    ~ChildProcess();
    /// The process's identifier, as drivers know it (PsGetProcessId).
    [[nodiscard]] std::uint64_t id() const;
    /// Waits for its end, in the calling application thread, and says with which status it ended: STATUS_SUCCESS when its body
    /// returned, else that of its termination. Once; afterwards, and when moved from, std::logic_error is thrown.
    Status wait();

private:
    friend class Process;
    explicit ChildProcess(std::shared_ptr<api::ProcessImpl> impl);
    std::shared_ptr<api::ProcessImpl> impl_; // null: waited for
};

/// A handle to a process, of the process that opened it. Closed when destroyed.
class ProcessHandle {
public:
    ProcessHandle(ProcessHandle&&) noexcept;
    ProcessHandle& operator=(ProcessHandle&&) noexcept;
    ~ProcessHandle();
    /// The rights that it grants, PROCESS_* of the WDK: what was asked for, less what drivers took away (ObRegisterCallbacks), and
    /// what comes with these: who may query or set information may do so in the limited way.
    [[nodiscard]] std::uint32_t granted_access() const;
    /// NtTerminateProcess. The threads of the process unwind on their way out of the services that they are in, as at the
    /// machine's stop. STATUS_ACCESS_DENIED without PROCESS_TERMINATE (1).
    Status terminate(Status exit_status);
    /// STATUS_INVALID_HANDLE when it is closed, or of another run.
    Status close();

private:
    friend class Process;
    explicit ProcessHandle(std::unique_ptr<api::HandleState> state);
    std::unique_ptr<api::HandleState> state_;
};

/// Handed to the body of Machine::run, which runs as a thread of this process: in the machine's time, on a stack in its user
/// range, calling its system services. Local variables of the body are user memory to a driver; memory of the host's heap is not.
class Process {
public:
    /// Opens a device or file. Names as applications write them (`\\.\Echo`) or as the kernel does (`\Device\Echo`); UTF-8.
    Result<File> open(std::string_view name, const OpenOptions& options = {});

    /// Starts another thread of this process. The process ends with the last of its threads, and the run waits for that.
    /// Throws std::bad_alloc when memory is exhausted.
    Thread start_thread(std::function<void()> body);

    /// Starts another process, whose first thread runs `body`; the run waits for its end. In it, `body`'s Process is the new one, and
    /// what belongs to this one (a File) is not of use. An exception that leaves it is the run's. ErrorCode::request_failed
    /// when a driver's notify routine forbids it, with the status that the routine gives.
    Result<ChildProcess> start_process(std::function<void(Process&)> body, const ProcessOptions& options = {});

    /// The process's identifier, as drivers know it (PsGetProcessId).
    [[nodiscard]] std::uint64_t id() const noexcept;

    /// NtOpenProcess by identifier. STATUS_INVALID_CID; STATUS_ACCESS_DENIED by the other's security descriptor and integrity label:
    /// all rights to another process are for those of the same account, for the system, and who has enabled SeDebugPrivilege.
    Result<ProcessHandle> open_process(std::uint64_t id, std::uint32_t access);

    /// Memory of the process's arena: user addresses with real frames behind them. Null when it is exhausted.
    [[nodiscard]] void* allocate(std::size_t bytes);
    void free(void* memory) noexcept;

    /// A completion port. At most so many threads work on its packets at a time; 0: as many as there are processors.
    /// Throws std::bad_alloc when memory is exhausted.
    CompletionPort create_port(unsigned threads = 0);

    /// As sleep, but as an alertable wait: it ends early when an APC was delivered, and says so.
    bool sleep_alertably(std::chrono::nanoseconds duration);

    /// Lets virtual time pass, as Sleep. Rounded up to 100 ns; a negative duration is none.
    void sleep(std::chrono::nanoseconds duration);

    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

private:
    friend class Machine;
    friend class api::ProcessImpl;
    explicit Process(api::ProcessImpl& impl) : impl_(impl) {}
    api::ProcessImpl& impl_;
};

} // namespace dirql

#pragma GCC visibility pop
