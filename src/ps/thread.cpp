// Making threads.
#include "ps/ps.hpp"

#include "ke/sanitizer.hpp"
#include "ke/scheduler.hpp"
#include "ke/system_service.hpp"
#include "ke/timer.hpp"
#include "mm/arena.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "ps/make_thread.hpp"
#include "ps/security.hpp"
#include "ps/state.hpp"

#include <utility>

namespace dirql::ps {
namespace {

constexpr ACCESS_MASK all_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF;
constexpr std::size_t default_user_stack = ke::sanitizer::slow_build ? 512 << 10 : 256 << 10; // 64 of them fit an arena

// The last reference of a thread may go at DISPATCH_LEVEL; nothing here waits.
void destroy_thread(void* body) noexcept {
    ke::Thread& thread = static_cast<ThreadObject*>(body)->thread;
    ke::Machine& machine = ke::current_machine();
    if (thread.kernel_stack_low != nullptr) ke::release_thread_stacks(machine, thread); // it never ran
    if (object_of(thread).own_process == nullptr) return;
    if (thread.process_entry.Flink != nullptr) RemoveEntryList(&thread.process_entry);
    if (thread.user_stack_low != nullptr) {
        ke::sanitizer::forget_stack(thread.user_stack_low, thread.user_stack_top);
        mm::free_user_stack(process_of(thread), thread.user_stack_low);
    }
    ob::dereference(&process_of(thread));
}

bool make_user_stack(const ke::Machine& machine, ke::Process& process, ke::Thread& thread) noexcept {
    const std::size_t asked = machine.options.user_stack_size;
    return mm::allocate_user_stack(process, asked == 0 ? default_user_stack : asked, thread.user_stack_low,
                                   thread.user_stack_top);
}

} // namespace

constinit const ob::ObjectType thread_type{
    .name = u"Thread",
    .index = ob::TypeIndex::thread,
    .tag = ob::pool_tag("Thre"),
    .mapping = ob::standard_mapping(0x0048, 0x0037, SYNCHRONIZE | 0x0900, all_access),
    .valid_access = all_access,
    .has_callbacks = true,
    .retained_access = SYNCHRONIZE | 0x1800, // THREAD_QUERY_LIMITED_INFORMATION, THREAD_RESUME
    .wait_offset = 0,
    .destroy = destroy_thread,
    .security_required = true,
    .label_policy = label_policy,
    .implied = implied_by_thread,
};

ke::Thread* make_thread(ke::Machine& machine, const OBJECT_ATTRIBUTES* attributes,
                        const ke::ThreadStart& start) noexcept {
    if (object_of(*start.process).exiting || object_of(*start.process).terminated) return nullptr;
    void* body = nullptr;
    if (!NT_SUCCESS(ob::create_object(thread_type, attributes, KernelMode, sizeof(ThreadObject), &body)))
        return nullptr;
    auto& object = *static_cast<ThreadObject*>(body);
    const bool made = (attributes != nullptr ||
                       secure_thread(body, *start.process, start.user_body == nullptr)) && // else with the handle
                      (start.user_body == nullptr || make_user_stack(machine, *start.process, object.thread)) &&
                      ke::initialize_thread(machine, object.thread, start);
    if (made || object.thread.user_stack_low != nullptr) {
        object.thread.process = object.own_process = start.process;
        ob::reference(start.process);
    }
    if (!made) {
        ob::dereference(body);
        return nullptr;
    }
    ++object_of(*start.process).live_threads; // drivers may end the process before the thread is launched
    object.create_time = ke::system_time(machine);
    object.thread.exit_status = STATUS_PENDING;
    // "Runs at PASSIVE_LEVEL inside a critical region" (PsCreateSystemThread function, wdm.h).
    if (start.user_body == nullptr) object.thread.kernel_apc_disable = system_thread_regions;
    return &object.thread;
}

void abandon_thread(ke::Thread& thread) noexcept {
    ProcessObject& process = object_of(process_of(thread));
    if (--process.live_threads != 0 || &process.process == ke::current_machine().system_process) return;
    if (process.begun || process.terminated) exit_process(process.process, STATUS_SUCCESS);
}

void launch_thread(ke::Thread& thread) noexcept {
    object_of(process_of(thread)).begun = true;
    ob::reference(&thread); // until it is reaped
    ke::start_thread(thread);
}

namespace {

// On the host's own flow there is no thread to call drivers in.
bool drivers_may_be_called(const ke::Machine& machine) noexcept {
    const ke::Processor& processor = *ke::current_processor();
    return !machine.host_stands_in && processor.current != processor.idle_thread;
}

// The body of a thread that drivers want to hear of in itself. A machine that stops meanwhile leaves nothing to do.
void announce_and_run(void* thread) noexcept {
    auto& object = *static_cast<ThreadObject*>(thread);
    const NTSTATUS status = ke::system_service<ke::OnStop::status>([&] {
        announce_thread_in_itself(object.thread);
        return STATUS_SUCCESS;
    });
    if (NT_SUCCESS(status)) object.body(object.body_context);
}

void end_at_once(void*) noexcept {}

void tell_of_thread(ke::Machine& machine, ThreadObject& object) noexcept {
    object.announced = true;
    if (!drivers_may_be_called(machine)) return;
    announce_thread(object.thread);
    if (!announces_threads_in_themselves(machine)) return;
    object.body = object.thread.user_body;
    object.body_context = object.thread.start_context;
    object.thread.user_body = announce_and_run;
    object.thread.start_context = &object;
}

// Drivers hear of a process with its first thread.
NTSTATUS tell_of_process(ke::Machine& machine, const ThreadObject& first) noexcept {
    ProcessObject& process = object_of(*first.own_process);
    if (process.announced) return STATUS_SUCCESS;
    process.announced = true;
    return drivers_may_be_called(machine) ? announce_process(process.process, first.thread) : STATUS_SUCCESS;
}

} // namespace

ke::Thread* create_application_thread(ke::Machine& machine, ke::Process& process, const char* name, void (*body)(void*),
                                      void* context, NTSTATUS* veto) noexcept {
    ke::Thread* thread = make_thread(machine, nullptr, {name, &process, normal_base_priority, nullptr, context, body});
    if (thread == nullptr) return nullptr;
    ThreadObject& object = object_of(*thread);
    const NTSTATUS status = tell_of_process(machine, object);
    if (NT_SUCCESS(status)) {
        tell_of_thread(machine, object);
    } else {
        thread->user_body = end_at_once;
        object.vetoed = true;
        object.asked_status = status;
    }
    if (veto != nullptr) *veto = status;
    launch_thread(*thread);
    return thread;
}

void tell_of_system_thread(ke::Thread& thread) noexcept {
    object_of(thread).announced = true;
    announce_thread(thread);
}

ke::Thread* create_system_thread(ke::Machine& machine, ke::Process& process, const char* name, PKSTART_ROUTINE routine,
                                 void* context, KPRIORITY priority) noexcept {
    ke::Thread* thread = make_thread(machine, nullptr, {name, &process, priority, routine, context, nullptr});
    if (thread != nullptr) launch_thread(*thread);
    return thread;
}

// ex starts it, in the system process.
ke::Thread* make_worker_thread(ke::Machine& machine, const ke::ThreadStart& start) noexcept {
    return make_thread(machine, nullptr, start); // the creator's reference is the one of the running thread
}

} // namespace dirql::ps

DIRQL_OBJECT_TYPE_EXPORT(PsThreadType, dirql::ps::thread_type)
