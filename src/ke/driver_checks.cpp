// Checks that the drivers' headers compile into driver code.
#include "ke/export_door.hpp"
#include "ke/stop.hpp"

using namespace dirql::ke;

extern "C" {

// PAGED_CODE: pageable code must not run at DISPATCH_LEVEL or above. It ends as the first instruction of a page that is out does
// there: a page fault by execution.
VOID NTAPI dirql_paged_code(PCSTR File, ULONG Line) {
    const Processor* processor = current_processor();
    if (processor == nullptr || processor->irql <= APC_LEVEL) return;
    static_cast<void>(Line); // the report finds it by the address
    const std::uint64_t code = parameter(__builtin_return_address(0));
    bug_check(DRIVER_IRQL_NOT_LESS_OR_EQUAL, code, processor->irql, 8, code,
              {.rule = "pageable code (PAGED_CODE) was entered above APC_LEVEL",
               .document = "PAGED_CODE macro (wdm.h)",
               .name = File});
}

// A list entry whose neighbours do not point back: __fastfail.
VOID NTAPI dirql_fast_fail(ULONG Code) {
    bug_check(KERNEL_SECURITY_CHECK_FAILURE, Code, 0, 0, 0,
              {.rule = "a data structure that guards itself was found corrupt (a LIST_ENTRY: code 3)",
               .document = "Bug Check 0x139: KERNEL_SECURITY_CHECK_FAILURE"});
}
}
