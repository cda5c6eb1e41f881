// ProbeForRead and ProbeForWrite.
#include "ke/exports/mm.hpp"
#include "ke/seh.hpp"
#include "ke/user_memory.hpp"

using namespace dirql;

extern "C" {

// It looks at the address, and touches nothing.
VOID NTAPI ProbeForRead(const VOID* Address, SIZE_T Length, ULONG Alignment) {
    DIRQL_DOOR(ProbeForRead);
    const NTSTATUS status = ke::check_user_range(Address, Length, Alignment);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
}

VOID NTAPI ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment) {
    DIRQL_DOOR(ProbeForWrite);
    const NTSTATUS status = ke::probe_user(Address, Length, true, Alignment);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
}
}
