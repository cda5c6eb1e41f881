// How a machine stops before its work is done: a bug check, a stall, a used-up budget.
//
// A stop is recorded as plain data in the machine's slot at the moment it happens, on whatever stack that is; text is made of
// it afterwards, on the host's stack.
#pragma once

#include <ntifs.h>

#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace dirql::ke {

struct Machine;
struct Processor;
struct Thread;

enum class StopKind : std::uint8_t {
    none,
    bug_check, // KeBugCheckEx, by a driver, a trap or a check
    stall,     // nothing can ever run again, or a budget is used up
};

inline constexpr unsigned max_stack_trace = 32;

struct Stop {
    StopKind kind;
    std::uint32_t code;          // bug check code
    std::uint64_t parameters[4]; // the library's own addresses as nt's: see nt_address.hpp
    const char* rule;            // the rule that was broken, in one sentence; null when the code says all
    const char* document;        // the title of the document that states it
    char text[160];              // names that the rule's sentence needs: an export, a tag, a lock
    KIRQL irql;
    std::uint32_t processor;
    Thread* thread;
    PIRP irp; // the IRP in question, when there is one
    PDEVICE_OBJECT device;
    bool faulted; // frames[0] is the instruction that trapped; all others are addresses that calls return to
    std::uint32_t frame_count;
    std::uint64_t frames[max_stack_trace]; // code addresses, innermost first
};

struct BugCheckDetails {
    const char* rule = nullptr;
    const char* document = nullptr;
    PIRP irp = nullptr;
    PDEVICE_OBJECT device = nullptr;
    const char* name = nullptr; // copied to Stop::text
};

// Records the bug check and leaves the machine for good. Any IRQL, any stack of a flow of this machine, or on_host_flow().
[[noreturn]] void bug_check(std::uint32_t code, std::uint64_t p1 = 0, std::uint64_t p2 = 0, std::uint64_t p3 = 0,
                            std::uint64_t p4 = 0, const BugCheckDetails& details = {}) noexcept;

// Kernel work on the host's own flow: at boot, between runs, in the executor. A bug check in it has no flow of the machine to
// leave, so it is recorded and comes back here, and this returns false. The body waits for nothing, calls no driver, and
// owns nothing whose destructor must run.
bool on_host_flow(Machine& machine, void (*body)(void* context), void* context) noexcept;

template <class Body> bool on_host_flow(Machine& machine, Body&& body) noexcept {
    return on_host_flow(
        machine, [](void* context) { (*static_cast<std::remove_reference_t<Body>*>(context))(); }, &body);
}

template <class T> [[nodiscard]] std::uint64_t parameter(T* pointer) noexcept {
    return reinterpret_cast<std::uint64_t>(pointer);
}

// Records a stall (a budget, a deadlock seen at once) and leaves the machine.
[[noreturn]] void stop_stalled(const char* why) noexcept;

// Walks the frame-pointer chain of the current flow into stop.frames, after the innermost ones (0: there is none).
void record_stack(Machine& machine, Stop& stop, std::initializer_list<std::uint64_t> innermost,
                  std::uint64_t rbp) noexcept;

} // namespace dirql::ke
