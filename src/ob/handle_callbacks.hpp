// ObRegisterCallbacks: drivers see each handle to a process, thread or desktop before and after it is made, and may make it grant less.
//
// For one operation the routines before it are called from the highest altitude down, those after it from the lowest up, at
// PASSIVE_LEVEL in a critical region. What one takes away the next one below does not see. A registration that goes meanwhile
// waits for the calls under way.
#pragma once

#include "ex/active_objects.hpp"
#include "ke/machine.hpp"
#include "ke/thread.hpp"
#include "ob/object_type.hpp"

#include <ntifs.h>

namespace dirql::ob {

struct HandleOperation {
    void* body;
    ke::Process* process; // which gets the handle
    ke::Process* source;  // of a duplicate: the process that has the other one
    ULONG attributes;
    OpenReason reason;
    ACCESS_MASK granted;
    HANDLE* handle;
    NTSTATUS(*make)
    (ke::Process& process, void* body, ACCESS_MASK granted, ULONG attributes, OpenReason reason,
     HANDLE* handle) noexcept;
};

extern const _OBJECT_TYPE desktop_type;

struct CallbackLists {
    LIST_ENTRY of_type[static_cast<unsigned>(TypeIndex::count)]; // by altitude, the highest first
    KEVENT idle;                                                 // a call of a registration that goes has ended
};

void initialize_callbacks(CallbackLists& lists) noexcept;
[[nodiscard]] bool has_handle_callbacks(const _OBJECT_TYPE& type) noexcept;
[[nodiscard]] NTSTATUS call_handle_callbacks(HandleOperation& operation) noexcept;

// A routine in this image that is still registered, for its unloading.
[[nodiscard]] ex::ActiveObject find_handle_callback(const ke::CodeRange& image) noexcept;

} // namespace dirql::ob
