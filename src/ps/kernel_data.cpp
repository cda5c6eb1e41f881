// Variables of the kernel that drivers read, constant here, so that they can only read them.
#include "ke/exports/ps.hpp"
#include "ke/machine.hpp"

using namespace dirql;

namespace {

constexpr ULONG normal_boot = 0;
constexpr BOOLEAN no = FALSE;
constexpr BOOLEAN yes = TRUE;

PBOOLEAN readable(bool value) noexcept { return const_cast<PBOOLEAN>(value ? &yes : &no); }

} // namespace

extern "C" {

PULONG InitSafeBootMode = const_cast<PULONG>(&normal_boot);

// Behind the names KdDebuggerEnabled and KdDebuggerNotPresent: a variable cannot tell machines apart.
PBOOLEAN NTAPI dirql_debugger_enabled(VOID) {
    DIRQL_DOOR(dirql_debugger_enabled);
    return readable(ke::current_machine().options.kernel_debugger);
}

PBOOLEAN NTAPI dirql_debugger_not_present(VOID) {
    DIRQL_DOOR(dirql_debugger_not_present);
    return readable(!ke::current_machine().options.kernel_debugger);
}

BOOLEAN NTAPI KdRefreshDebuggerNotPresent(VOID) {
    DIRQL_DOOR(KdRefreshDebuggerNotPresent);
    return !ke::current_machine().options.kernel_debugger;
}
}
