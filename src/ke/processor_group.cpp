// Processor groups and nodes: one of each, which all processors are in.
#include "ke/processor_group.hpp"

#include "ke/exports/ke_system.hpp"

namespace dirql::ke {
namespace {

ULONG count_in(USHORT group) noexcept {
    return group == 0 || group == ALL_PROCESSOR_GROUPS ? current_machine().processor_count : 0;
}

} // namespace
} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

ULONG NTAPI KeQueryActiveProcessorCountEx(USHORT GroupNumber) {
    DIRQL_DOOR(KeQueryActiveProcessorCountEx);
    return count_in(GroupNumber);
}

ULONG NTAPI KeQueryMaximumProcessorCountEx(USHORT GroupNumber) {
    DIRQL_DOOR(KeQueryMaximumProcessorCountEx);
    return count_in(GroupNumber); // none is added while the machine runs
}

USHORT NTAPI KeQueryActiveGroupCount(VOID) {
    DIRQL_DOOR(KeQueryActiveGroupCount);
    return 1;
}

USHORT NTAPI KeQueryMaximumGroupCount(VOID) {
    DIRQL_DOOR(KeQueryMaximumGroupCount);
    return 1;
}

KAFFINITY NTAPI KeQueryGroupAffinity(USHORT GroupNumber) {
    DIRQL_DOOR(KeQueryGroupAffinity);
    return GroupNumber == 0 ? all_processors() : 0;
}

NTSTATUS NTAPI KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber) {
    DIRQL_DOOR(KeGetProcessorNumberFromIndex);
    if (ProcIndex >= current_machine().processor_count) return STATUS_INVALID_PARAMETER;
    *ProcNumber = {0, static_cast<UCHAR>(ProcIndex), 0};
    return STATUS_SUCCESS;
}

ULONG NTAPI KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber) {
    DIRQL_DOOR(KeGetProcessorIndexFromNumber);
    const bool known =
        ProcNumber->Group == 0 && ProcNumber->Reserved == 0 && ProcNumber->Number < current_machine().processor_count;
    return known ? ProcNumber->Number : INVALID_PROCESSOR_INDEX;
}

USHORT NTAPI KeQueryHighestNodeNumber(VOID) {
    DIRQL_DOOR(KeQueryHighestNodeNumber);
    return 0;
}

USHORT NTAPI KeGetCurrentNodeNumber(VOID) {
    DIRQL_DOOR(KeGetCurrentNodeNumber);
    return 0;
}

VOID NTAPI KeQueryNodeActiveAffinity(USHORT NodeNumber, PGROUP_AFFINITY Affinity, PUSHORT Count) {
    DIRQL_DOOR(KeQueryNodeActiveAffinity);
    const bool known = NodeNumber == 0;
    if (Affinity != nullptr) *Affinity = {known ? all_processors() : 0, 0, {}};
    if (Count != nullptr) *Count = static_cast<USHORT>(known ? current_machine().processor_count : 0);
}

USHORT NTAPI KeQueryNodeMaximumProcessorCount(USHORT NodeNumber) {
    DIRQL_DOOR(KeQueryNodeMaximumProcessorCount);
    return static_cast<USHORT>(NodeNumber == 0 ? current_machine().processor_count : 0);
}
}
