// An application process of a machine, as the code that runs in it sees it.
#pragma once

#include <dirql/file.hpp>
#include <dirql/result.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class ProcessImpl;
struct ThreadState;
} // namespace api

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

/// Handed to the body of Machine::run, which runs as a thread of this process: in the machine's time, on a stack in its user
/// range, calling its system services. Local variables of the body are user memory to a driver; memory of the host's heap is not.
class Process {
public:
    /// Opens a device or file. Names as applications write them (`\\.\Echo`) or as the kernel does (`\Device\Echo`); UTF-8.
    Result<File> open(std::string_view name, const OpenOptions& options = {});

    /// Starts another thread of this process. The process ends with the last of its threads, and the run waits for that.
    /// Throws std::bad_alloc when memory is exhausted.
    Thread start_thread(std::function<void()> body);

    /// Memory of the process's arena: user addresses with real frames behind them. Null when it is exhausted.
    [[nodiscard]] void* allocate(std::size_t bytes);
    void free(void* memory) noexcept;

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
