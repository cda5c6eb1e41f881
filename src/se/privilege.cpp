// Privileges. There are no tokens yet: the kernel holds every privilege, and an application those that are enabled in the token of
// an administrator's program as it starts.
#include "ke/exports/se.hpp"

#include <ntifs.h>

namespace dirql::se {
namespace {

bool enabled_for_applications(const LUID& privilege) noexcept {
    if (privilege.HighPart != 0) return false;
    return privilege.LowPart == SE_CHANGE_NOTIFY_PRIVILEGE || privilege.LowPart == SE_IMPERSONATE_PRIVILEGE ||
           privilege.LowPart == SE_CREATE_GLOBAL_PRIVILEGE;
}

} // namespace
} // namespace dirql::se

using namespace dirql;

extern "C" {

BOOLEAN NTAPI SeSinglePrivilegeCheck(LUID PrivilegeValue, KPROCESSOR_MODE PreviousMode) {
    DIRQL_DOOR(SeSinglePrivilegeCheck);
    return PreviousMode == KernelMode || se::enabled_for_applications(PrivilegeValue);
}
}
