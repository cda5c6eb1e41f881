// Making threads.
#include "ps/ps.hpp"

#include "ke/sanitizer.hpp"
#include "ke/scheduler.hpp"
#include "mm/arena.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "ps/make_thread.hpp"
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
    if (thread.process == nullptr) return;
    if (thread.process_entry.Flink != nullptr) RemoveEntryList(&thread.process_entry);
    if (thread.user_stack_low != nullptr) {
        ke::sanitizer::forget_stack(thread.user_stack_low, thread.user_stack_top);
        mm::free_user_stack(*thread.process, thread.user_stack_low);
    }
    ob::dereference(thread.process);
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
    .wait_offset = 0,
    .destroy = destroy_thread,
};

ke::Thread* make_thread(ke::Machine& machine, const OBJECT_ATTRIBUTES* attributes,
                        const ke::ThreadStart& start) noexcept {
    if (object_of(*start.process).exiting) return nullptr;
    void* body = nullptr;
    if (!NT_SUCCESS(ob::create_object(thread_type, attributes, KernelMode, sizeof(ThreadObject), &body)))
        return nullptr;
    auto& object = *static_cast<ThreadObject*>(body);
    const bool made = (start.user_body == nullptr || make_user_stack(machine, *start.process, object.thread)) &&
                      ke::initialize_thread(machine, object.thread, start);
    if (made || object.thread.user_stack_low != nullptr) {
        object.thread.process = start.process;
        ob::reference(start.process);
    }
    if (!made) {
        ob::dereference(body);
        return nullptr;
    }
    object.create_time = system_time(machine);
    object.thread.exit_status = STATUS_PENDING;
    // "Runs at PASSIVE_LEVEL inside a critical region" (PsCreateSystemThread function, wdm.h).
    if (start.user_body == nullptr) object.thread.kernel_apc_disable = system_thread_regions;
    return &object.thread;
}

void launch_thread(ke::Thread& thread) noexcept {
    ++object_of(*thread.process).live_threads;
    ob::reference(&thread); // until it is reaped
    ke::start_thread(thread);
}

ke::Thread* create_application_thread(ke::Machine& machine, ke::Process& process, const char* name, void (*body)(void*),
                                      void* context) noexcept {
    ke::Thread* thread = make_thread(machine, nullptr, {name, &process, normal_base_priority, nullptr, context, body});
    if (thread != nullptr) launch_thread(*thread);
    return thread;
}

ke::Thread* create_system_thread(ke::Machine& machine, ke::Process& process, const char* name, PKSTART_ROUTINE routine,
                                 void* context, KPRIORITY priority) noexcept {
    ke::Thread* thread = make_thread(machine, nullptr, {name, &process, priority, routine, context, nullptr});
    if (thread != nullptr) launch_thread(*thread);
    return thread;
}

// ex starts it, so what launch_thread does is done here.
ke::Thread* make_worker_thread(ke::Machine& machine, const ke::ThreadStart& start) noexcept {
    ke::Thread* thread = make_thread(machine, nullptr, start);
    if (thread != nullptr)
        ++object_of(*thread->process).live_threads; // the creator's reference is the one of the running thread
    return thread;
}

} // namespace dirql::ps

DIRQL_OBJECT_TYPE_EXPORT(PsThreadType, dirql::ps::thread_type)
