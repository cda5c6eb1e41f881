/* Where mingw-w64's DDK headers and ours disagree, and why. Compiled with both: each line holds its own number, so a
 * difference that goes away, on either side, is noticed. */
#include <ntifs.h>

#ifdef DIRQL_MINGW
#define DIFFERS(value, ours, theirs, reason) _Static_assert((value) == (theirs), "mingw-w64's: " reason);
#else
#define DIFFERS(value, ours, theirs, reason) _Static_assert((value) == (ours), "ours: " reason);
#endif
#define OFFSET(type, field) __builtin_offsetof(type, field)

/* They describe Windows 7 and earlier; ours is Windows 10. */
DIFFERS(OFFSET(KMUTANT, ApcDisable), 0x32, 0x31, "a second byte of flags came before it")
DIFFERS(OFFSET(KWAIT_BLOCK, WaitType), 0x10, 0x2a, "Windows 8 moved what a wait is before its thread")
DIFFERS(OFFSET(KWAIT_BLOCK, BlockState), 0x11, 0x2b, "moved with WaitType")
DIFFERS(OFFSET(KWAIT_BLOCK, WaitKey), 0x12, 0x28, "moved with WaitType")
DIFFERS(OFFSET(KWAIT_BLOCK, SpareLong), 0x14, 0x2c, "moved with WaitType")
DIFFERS(OFFSET(KWAIT_BLOCK, Thread), 0x18, 0x10, "moved with WaitType")
DIFFERS(OFFSET(KWAIT_BLOCK, Object), 0x20, 0x18, "moved with WaitType")
DIFFERS(OFFSET(DISPATCHER_HEADER, DpcActive), 2, 3, "the mutant's view of the header was ordered anew")
DIFFERS(sizeof(DEVICE_DESCRIPTION), 0x40, 0x28, "version 3 added the DMA controller's fields")
DIFFERS(sizeof(IO_COMPLETION_CONTEXT), 0x18, 0x10, "UsageCount was added")
DIFFERS(sizeof(IO_DRIVER_CREATE_CONTEXT), 0x28, 0x20, "SiloContext was added")

/* They leave something out. */
DIFFERS(sizeof(DEVICE_OBJECT), 0x150, 0x148, "aligned to MEMORY_ALLOCATION_ALIGNMENT on x64")
DIFFERS(sizeof(SCATTER_GATHER_LIST), 0x10, 0x28, "its array has no element of its own")
