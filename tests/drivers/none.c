/* A driver without writable data: the ranges are there, and empty. */
#include "dialect.h"

int DriverEntry(void* driver, void* path) {
    (void)driver, (void)path;
    return 7;
}
