// Memory that runs short at every place where it can: each allocation that a body makes fails once.
//
//     for_each_failing_allocation([](const LowMemory& memory) {
//         PIRP irp = IoAllocateIrp(1, FALSE);
//         if (!memory.got(irp)) return;
//         IoFreeIrp(irp);
//     });
//
// The body runs on a fresh machine with its first allocation failing, on another with its second, and so on until it makes none
// that is due to fail. It frees what it got. Then it runs again with memory in plenty, so that what the kernel keeps for the
// next time is kept; afterwards as much memory is in use as after two undisturbed runs. Fails the test when it is not, or when
// the machine stops.
#pragma once

#include "ke/machine.hpp"

#include <functional>
#include <initializer_list>

namespace dirql::test {

class LowMemory {
public:
    explicit LowMemory(bool failing) noexcept : failing_(failing) {}

    // The result of a call that takes memory: a null pointer is for when memory is short.
    [[nodiscard]] bool got(const void* pointer, int line = __builtin_LINE()) const;
    // Likewise a status: success, or when memory is short the documented failure.
    [[nodiscard]] bool ok(NTSTATUS status, NTSTATUS documented = STATUS_INSUFFICIENT_RESOURCES,
                          int line = __builtin_LINE()) const;
    [[nodiscard]] bool ok(NTSTATUS status, std::initializer_list<NTSTATUS> documented,
                          int line = __builtin_LINE()) const;

private:
    bool failing_;
};

using LowMemoryBody = std::function<void(const LowMemory&)>;
// Runs its argument once on a thread of a fresh machine with ex up; false when the machine has stopped.
using FreshMachine = std::function<bool(const std::function<void()>&)>;

// Returns how many allocations the body made, each of which has failed once.
unsigned for_each_failing_allocation(const FreshMachine& fresh_machine, const LowMemoryBody& body);

} // namespace dirql::test
