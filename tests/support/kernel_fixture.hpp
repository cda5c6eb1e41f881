// A machine for tests of the kernel's layers: code under test runs on a system thread of it, as a driver's would.
//
//     KernelFixture kernel;
//     const ke::Stop stop = kernel.run([&] { ... });
//     CHECK(stop.kind == ke::StopKind::none);
//
// Exceptions of the body (a failed REQUIRE) come out of run(). A body that is to end in a bug check is abandoned there:
// it owns nothing, and does not call what bug checks inside a CHECK.
#pragma once

#include "ke/machine.hpp"

#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace dirql::test {

class KernelFixture : private ke::HostInterface {
public:
    using Initializer = bool (*)(ke::Machine&);

    // Boots ex and mm, then the layers given. Throws std::runtime_error when that fails.
    explicit KernelFixture(std::initializer_list<Initializer> layers = {}, const ke::MachineOptions& options = {});
    ~KernelFixture() override;
    KernelFixture(const KernelFixture&) = delete;
    KernelFixture& operator=(const KernelFixture&) = delete;

    // Runs the body on a new system thread at PASSIVE_LEVEL until it has ended, or until the machine stops.
    ke::Stop run(std::function<void()> body);
    // Several threads at once, until all have ended.
    ke::Stop run(std::vector<std::function<void()>> bodies);
    // The body on the user side of a new thread of this process (with arena and stack), previous mode UserMode.
    ke::Stop run_as_application(ke::Process& process, std::function<void()> body);
    // A process with an arena.
    ke::Process& create_process(const char* name = "Application");

    [[nodiscard]] ke::Machine& machine() noexcept { return *machine_; }
    [[nodiscard]] ke::Slot& slot() noexcept { return *slot_; }
    [[nodiscard]] const std::string& output() const noexcept { return output_; }

private:
    struct Task {
        std::function<void()> body;
        std::exception_ptr failure;
        ke::Thread* thread = nullptr;
    };
    void debug_output(std::string_view text) override { output_ += text; }
    static void execute(void* task) noexcept;
    ke::Thread& make_thread(const ke::ThreadStart& start);
    ke::Stop run_tasks();

    std::unique_ptr<ke::Slot> slot_;
    ke::Machine* machine_ = nullptr;
    std::string output_;
    std::vector<std::unique_ptr<Task>> tasks_;
};

// Runs the body and returns the status of the exception it raises, STATUS_SUCCESS for none. On a thread of a machine.
[[nodiscard]] NTSTATUS status_raised_by(const std::function<void()>& body);

} // namespace dirql::test
