#include "mm/probe.hpp"

#include "ke/exports/mm.hpp"
#include "ke/seh.hpp"

namespace dirql::mm {
namespace {

// What both probes ask, in NT's order. True when there is nothing to look at.
bool check_range(const void* address, SIZE_T length, ULONG alignment) {
    if (length == 0) return true;
    if ((reinterpret_cast<std::uintptr_t>(address) & (alignment - 1)) != 0)
        ke::raise_status(STATUS_DATATYPE_MISALIGNMENT);
    if (!in_user_range(address, length)) ke::raise_status(STATUS_ACCESS_VIOLATION);
    return false;
}

} // namespace

bool touch_pages(void* address, std::size_t bytes, bool write) noexcept {
    auto at = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t last = at + bytes - 1;
    while (ke::touch_guarded(reinterpret_cast<void*>(at), write)) {
        at = (at | (ke::page_size - 1)) + 1;
        if (at > last || at == 0) return true;
    }
    return false;
}

} // namespace dirql::mm

using namespace dirql;

extern "C" {

VOID NTAPI ProbeForRead(const VOID* Address, SIZE_T Length, ULONG Alignment) {
    DIRQL_DOOR(ProbeForRead);
    mm::check_range(Address, Length, Alignment);
}

VOID NTAPI ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment) {
    DIRQL_DOOR(ProbeForWrite);
    if (mm::check_range(Address, Length, Alignment)) return;
    if (!mm::touch_pages(Address, Length, true)) ke::raise_status(STATUS_ACCESS_VIOLATION);
}
}
