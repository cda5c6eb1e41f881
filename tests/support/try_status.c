/* The status of the exception that a routine raises. Uses the keywords, so it is built without optimisation. */
#define DIRQL_ENABLE_SEH
#include <ntifs.h>

NTSTATUS dirql_test_try(void (*body)(void*), void* context);

NTSTATUS dirql_test_try(void (*body)(void*), void* context) {
    NTSTATUS status = STATUS_SUCCESS;
    __try {
        body(context);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    return status;
}
