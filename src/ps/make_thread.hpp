// The two steps to a thread: the object, then the running.
#pragma once

#include "ps/ps.hpp"

namespace dirql::ps {

// KernelApcDisable of a system thread in which no driver has entered or left a region.
inline constexpr std::int16_t system_thread_regions = -1;

// A thread object that is initialised and not started, with the creator's reference; launch_thread or abandon_thread follows. Null when memory is short, the attributes are
// bad, or the process has ended.
[[nodiscard]] ke::Thread* make_thread(ke::Machine& machine, const OBJECT_ATTRIBUTES* attributes,
                                      const ke::ThreadStart& start) noexcept;

// A driver's thread is about to be launched by the current one.
void tell_of_system_thread(ke::Thread& thread) noexcept;

// It will not be launched after all: its process ends if that waited for this thread only. PASSIVE_LEVEL.
void abandon_thread(ke::Thread& thread) noexcept;

// Makes it ready to run. It has a reference to itself until it has ended and is reaped.
void launch_thread(ke::Thread& thread) noexcept;

} // namespace dirql::ps
