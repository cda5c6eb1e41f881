// A machine with objects, processes and threads: bodies run on threads that ps made.
#pragma once

#include "ke/clock.hpp"
#include "ke/executor.hpp"
#include "ke/system_service.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "support/boot_processor.hpp"
#include "support/kernel_fixture.hpp"

#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dirql::test {

class ProcessFixture : public KernelFixture {
public:
    explicit ProcessFixture(const ke::MachineOptions& options = {})
        : KernelFixture({ob::initialize, ps::initialize}, options) {}

    // On a system thread at PASSIVE_LEVEL.
    ke::Stop run(std::function<void()> body) {
        return on_threads({std::move(body)}, [this](Task& task) {
            return ps::create_system_thread(machine(), *machine().system_process, "Test", execute, &task, 8);
        });
    }
    ke::Stop run(std::vector<std::function<void()>> bodies) {
        return on_threads(std::move(bodies), [this](Task& task) {
            return ps::create_system_thread(machine(), *machine().system_process, "Test", execute, &task, 8);
        });
    }
    // Each on a thread of this process.
    ke::Stop run_as_application(ke::Process& process, std::vector<std::function<void()>> bodies) {
        return on_threads(std::move(bodies), [&](Task& task) {
            return ps::create_application_thread(machine(), process, "Application", execute, &task);
        });
    }
    ke::Process* create_process(const char* name = "Application") {
        const OnBootProcessor on_processor(machine());
        return ps::create_process(machine(), name);
    }
    void dereference(void* body) {
        const OnBootProcessor on_processor(machine());
        ob::dereference(body);
    }

private:
    struct Task {
        std::function<void()> body;
        std::exception_ptr failure;
        ke::Thread* thread;
    };

    static void execute(void* data) {
        auto& task = *static_cast<Task*>(data);
        try {
            task.body();
        } catch (const ke::Stopped&) {
        } catch (...) {
            task.failure = std::current_exception();
        }
    }

    template <class Create> ke::Stop on_threads(std::vector<std::function<void()>> bodies, Create create) {
        std::vector<Task> tasks;
        for (auto& body : bodies) tasks.push_back({std::move(body), nullptr, nullptr});
        {
            const OnBootProcessor on_processor(machine());
            for (Task& task : tasks) {
                task.thread = create(task);
                if (task.thread == nullptr) throw std::runtime_error("no thread");
            }
        }
        const auto all_ended = [](void* data) {
            for (const Task& task : *static_cast<std::vector<Task>*>(data)) {
                if (task.thread->state != ke::ThreadState::terminated) return false;
            }
            return true;
        };
        ke::run(machine(), all_ended, &tasks);
        if (machine().stopping) {
            ke::unwind_application_threads(machine());
        } else {
            const OnBootProcessor on_processor(machine());
            for (Task& task : tasks) ob::dereference(task.thread);
        }
        for (const Task& task : tasks) {
            if (task.failure) std::rethrow_exception(task.failure);
        }
        return machine().stop;
    }
};

} // namespace dirql::test
