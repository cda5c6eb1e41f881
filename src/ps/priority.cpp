// Priorities and affinity of threads.
#include "ke/exports/ke_system.hpp"
#include "ke/exports/ps.hpp"
#include "ke/irql.hpp"
#include "ke/processor_group.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ps/ps.hpp"
#include "ps/state.hpp"

#include <algorithm>
#include <utility>

namespace dirql::ps {
namespace {

constexpr int saturation = (HIGH_PRIORITY + 1) / 2; // an increment this large means: as far as the class goes

// Base priorities stay in their class: 1 to 15, or 16 to 31.
int new_base(int increment) noexcept {
    constexpr int lowest = 1;
    constexpr int highest = LOW_REALTIME_PRIORITY - 1;
    if (increment >= saturation) return highest;
    if (increment <= -saturation) return lowest;
    return std::clamp(normal_base_priority + increment, lowest, highest);
}

// The ready lists are found by priority: what is none must not get there.
void refuse_wrong_priority(const ke::Thread& thread, KPRIORITY priority) noexcept {
    if (priority >= LOW_PRIORITY && priority <= HIGH_PRIORITY) return;
    ke::bug_check(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_ARG, 0, 0, ke::parameter(&thread),
                  {.rule = "a thread was given a priority outside the range from LOW_PRIORITY to HIGH_PRIORITY",
                   .document = "KeSetPriorityThread routine (wdm.h)"});
}

// It must stay for now: it is asked to leave when the IRQL falls, where a misplaced thread always does.
void leave_later(ke::Processor* processor) noexcept {
    if (processor->reschedule == ke::Reschedule::none) processor->reschedule = ke::Reschedule::better;
    ke::request_interrupt(processor, DISPATCH_LEVEL);
}

// Where it runs now is not allowed any more: it becomes ready, which places it anew.
void leave_processor(ke::Thread& self) noexcept {
    ke::Processor* processor = ke::current_processor();
    if ((self.affinity >> processor->number & 1) != 0) return;
    if (processor->irql >= DISPATCH_LEVEL) return leave_later(processor);
    const KIRQL level = ke::raise_irql(processor, DISPATCH_LEVEL);
    ke::ready_thread(self, 0);
    ke::swap_context();
    ke::lower_irql(ke::current_processor(), level);
}

bool valid_affinity(KAFFINITY affinity) noexcept { return affinity != 0 && (affinity & ~ke::all_processors()) == 0; }

// The thread's system affinity before, 0 when it ran under its own.
KAFFINITY set_system_affinity(KAFFINITY affinity) noexcept {
    ke::Thread& self = *ke::current_thread();
    ThreadObject& object = object_of(self);
    const KAFFINITY before = object.has_system_affinity ? self.affinity : 0;
    if (!valid_affinity(affinity)) return before;
    if (!std::exchange(object.has_system_affinity, true)) object.user_affinity = self.affinity;
    self.affinity = affinity;
    leave_processor(self);
    return before;
}

void revert_affinity(KAFFINITY affinity) noexcept {
    ke::Thread& self = *ke::current_thread();
    ThreadObject& object = object_of(self);
    if (!object.has_system_affinity) return;
    object.has_system_affinity = affinity != 0;
    self.affinity = affinity != 0 ? affinity : object.user_affinity;
    leave_processor(self);
}

} // namespace
} // namespace dirql::ps

using namespace dirql;

extern "C" {

KPRIORITY NTAPI KeQueryPriorityThread(PRKTHREAD Thread) {
    DIRQL_DOOR(KeQueryPriorityThread);
    return ke::thread_of(Thread)->priority;
}

KPRIORITY NTAPI KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority) {
    DIRQL_DOOR(KeSetPriorityThread);
    ke::Thread& thread = *ke::thread_of(Thread);
    ps::refuse_wrong_priority(thread, Priority);
    const KPRIORITY old = thread.priority;
    ke::set_priority(thread, std::max<KPRIORITY>(Priority, LOW_PRIORITY + 1)); // the lowest is the system's own
    ke::reschedule_if_asked();
    return old;
}

LONG NTAPI KeSetBasePriorityThread(PRKTHREAD Thread, LONG Increment) {
    DIRQL_DOOR(KeSetBasePriorityThread);
    ke::Thread& thread = *ke::thread_of(Thread);
    const LONG old = thread.base_priority - ps::normal_base_priority;
    thread.base_priority = static_cast<std::int8_t>(ps::new_base(Increment));
    ke::set_priority(thread, thread.base_priority);
    ke::reschedule_if_asked();
    return old;
}

VOID NTAPI KeSetSystemAffinityThread(KAFFINITY Affinity) {
    DIRQL_DOOR(KeSetSystemAffinityThread);
    ps::set_system_affinity(Affinity);
}

KAFFINITY NTAPI KeSetSystemAffinityThreadEx(KAFFINITY Affinity) {
    DIRQL_DOOR(KeSetSystemAffinityThreadEx);
    return ps::set_system_affinity(Affinity);
}

// There is one group. What is not in it changes nothing.
VOID NTAPI KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity) {
    DIRQL_DOOR(KeSetSystemGroupAffinityThread);
    const bool valid = Affinity->Group == 0 && ps::valid_affinity(Affinity->Mask);
    const KAFFINITY before = valid ? ps::set_system_affinity(Affinity->Mask) : 0;
    if (PreviousAffinity != nullptr) *PreviousAffinity = {before, 0, {}};
}

// No mask: the thread's own affinity again. Else a system affinity that was in force before.
VOID NTAPI KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity) {
    DIRQL_DOOR(KeRevertToUserGroupAffinityThread);
    const bool valid =
        PreviousAffinity->Group == 0 && (PreviousAffinity->Mask == 0 || ps::valid_affinity(PreviousAffinity->Mask));
    if (valid) ps::revert_affinity(PreviousAffinity->Mask);
}

VOID NTAPI KeRevertToUserAffinityThread(VOID) {
    DIRQL_DOOR(KeRevertToUserAffinityThread);
    ps::revert_affinity(0);
}

VOID NTAPI KeRevertToUserAffinityThreadEx(KAFFINITY Affinity) {
    DIRQL_DOOR(KeRevertToUserAffinityThreadEx);
    ps::revert_affinity(Affinity);
}
}
