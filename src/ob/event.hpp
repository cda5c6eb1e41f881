// Events that have handles.
#pragma once

#include "ob/object.hpp"

namespace dirql::ob {

extern const ObjectType event_type;     // the body is a KEVENT
extern const ObjectType semaphore_type; // the body is a KSEMAPHORE

} // namespace dirql::ob
