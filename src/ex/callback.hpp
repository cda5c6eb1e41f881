// Callback objects: named lists of routines that somebody calls when something has happened.
#pragma once

#include "ke/machine.hpp"
#include "ob/object_type.hpp"

namespace dirql::ex {

using CallbackObject = _CALLBACK_OBJECT;
extern const ob::ObjectType callback_type;

// At boot, when there are objects: the type, and the objects that every machine has in \Callback.
[[nodiscard]] bool initialize_callbacks(ke::Machine& machine) noexcept;

// Calls what is registered with an object, in the order of registration, at the caller's IRQL. IRQL <= DISPATCH_LEVEL.
void notify_callback(CallbackObject& object, void* argument1, void* argument2) noexcept;

} // namespace dirql::ex
