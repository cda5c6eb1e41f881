// Dispatcher objects that have handles.
#pragma once

#include "ob/object.hpp"

namespace dirql::ob {

extern const ObjectType event_type;     // the body is a KEVENT
extern const ObjectType semaphore_type; // a KSEMAPHORE
extern const ObjectType mutant_type;    // a KMUTANT
extern const ObjectType timer_type;     // a TimerObject, see timer.hpp

} // namespace dirql::ob
