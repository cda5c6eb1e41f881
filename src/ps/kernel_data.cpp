// Variables of the kernel that are the same in every machine: no debugger, no safe mode. Read-only, so drivers can only read them.
#include <ntifs.h>

namespace {

constexpr ULONG normal_boot = 0;
constexpr BOOLEAN no = FALSE;
constexpr BOOLEAN yes = TRUE;

} // namespace

extern "C" {

PULONG InitSafeBootMode = const_cast<PULONG>(&normal_boot);
PBOOLEAN KdDebuggerEnabled = const_cast<PBOOLEAN>(&no);
PBOOLEAN KdDebuggerNotPresent = const_cast<PBOOLEAN>(&yes);
}
