// The trap door: a host signal becomes an NT trap, or a host fault.
//
//   page fault at DISPATCH_LEVEL or above      bug check 0xD1 (in a driver) or 0xA (in the kernel), whatever handlers stand
//   page fault, system-range address           bug check 0x50, not catchable
//   page fault, other address; other faults    an exception: STATUS_ACCESS_VIOLATION and so on; unhandled, bug check
//                                              0x3B in a system service, 0x7E in a system thread, 0x1E in an ISR or DPC
//   stack overflow                             bug check 0x7F, first parameter 8
//   a fault of host code                       report on standard error, then the handler that stood before
//
// Driver code is code of an image. The kernel's code counts as NT's own, unless it is inside a HostSection. A leaf function of
// the C library that either calls counts as its caller's.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

// Signal handlers, the alternate stack and the CPU-time watch are armed while one of these lives on the host thread.
class ArmedTraps {
public:
    explicit ArmedTraps(Machine& machine) noexcept;
    ~ArmedTraps();
    ArmedTraps(const ArmedTraps&) = delete;
    ArmedTraps& operator=(const ArmedTraps&) = delete;
};

// SehState::unhandled of every thread: the bug check for an exception that nobody took. `user`: not null where code ran that must
// handle all its exceptions, whatever the thread.
[[noreturn]] void unhandled_exception(EXCEPTION_RECORD* record, CONTEXT* context, void* user);

} // namespace dirql::ke
