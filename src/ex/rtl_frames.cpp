// Back traces for drivers. Driver code and the library keep frame pointers, so a trace is a walk along them; every word is
// read guardedly, for a driver may have written over its stack.
#include "ke/exports/rtl.hpp"
#include "ke/processor.hpp"
#include "ke/thread.hpp"
#include "ke/user_copy.hpp"

#include <ntifs.h>

using namespace dirql;

namespace {

// What `push rbp; mov rbp, rsp` leaves.
struct Frame {
    ULONG_PTR caller;
    ULONG_PTR return_address;
};

// The end of the stack that the address lies in. Outside of a machine it is the host's, of which none is known.
ULONG_PTR end_of_stack(ULONG_PTR address) {
    const ke::Processor* const processor = ke::current_processor();
    if (processor == nullptr) return address + 0x100000;
    const auto within = [address](const std::byte* low, const std::byte* top) {
        return address >= reinterpret_cast<ULONG_PTR>(low) && address < reinterpret_cast<ULONG_PTR>(top);
    };
    const ke::Thread& thread = *processor->current;
    if (within(thread.kernel_stack_low, thread.kernel_stack_top))
        return reinterpret_cast<ULONG_PTR>(thread.kernel_stack_top);
    if (within(processor->dpc_stack_low, processor->dpc_stack_top))
        return reinterpret_cast<ULONG_PTR>(processor->dpc_stack_top);
    return address;
}

// Return addresses from the frame at `rbp` outwards, behind the first `skip`.
ULONG walk(ULONG_PTR rbp, ULONG skip, ULONG count, PVOID* callers) {
    const ULONG_PTR end = end_of_stack(rbp);
    ULONG found = 0;
    Frame frame;
    while (found < count && rbp % sizeof(ULONG_PTR) == 0 && rbp + sizeof(Frame) <= end &&
           ke::copy_guarded(&frame, reinterpret_cast<const void*>(rbp), sizeof frame) && frame.return_address != 0) {
        if (skip != 0)
            --skip;
        else
            callers[found++] = reinterpret_cast<PVOID>(frame.return_address);
        if (frame.caller <= rbp) break; // callers' frames lie above
        rbp = frame.caller;
    }
    return found;
}

} // namespace

extern "C" {

// The first address is that behind the call of this function. Equal traces have equal hashes.
USHORT NTAPI RtlCaptureStackBackTrace(ULONG skip, ULONG count, PVOID* back_trace, PULONG hash) {
    DIRQL_DOOR(RtlCaptureStackBackTrace);
    constexpr ULONG most = MAXUSHORT;
    const ULONG found =
        walk(reinterpret_cast<ULONG_PTR>(__builtin_frame_address(0)), skip, count < most ? count : most, back_trace);
    if (hash != nullptr) {
        *hash = 0;
        for (ULONG i = 0; i < found; ++i) *hash += static_cast<ULONG>(reinterpret_cast<ULONG_PTR>(back_trace[i]));
    }
    return static_cast<USHORT>(found);
}

// The same, of the kernel's frames; a driver's flags ask for none else. 0 for those of user mode, which have no frames here.
ULONG NTAPI RtlWalkFrameChain(PVOID* callers, ULONG count, ULONG flags) {
    DIRQL_DOOR(RtlWalkFrameChain);
    constexpr ULONG user_frames = 1, skip_shift = 8;
    if ((flags & user_frames) != 0) return 0;
    return walk(reinterpret_cast<ULONG_PTR>(__builtin_frame_address(0)), flags >> skip_shift, count, callers);
}

} // extern "C"
