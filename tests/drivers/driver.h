/* Both drivers: the same names in each, and an entry point that fills in a probe. */
#include "probe.h"

#include <stddef.h>

static const int* const Constant = &(const int){FIRST_COUNT};
int Count = FIRST_COUNT, *Relocated = &Count;
int Zero;
void* memcpy(void*, const void*, size_t);
int count_inline_calls(void);

int DriverEntry(void* driver, void* path) {
    struct probe* probe = path;

    (void)driver;
    probe->first = *Constant;
    probe->count = ++Count;
    probe->zero = ++Zero;
    probe->inline_calls = count_inline_calls();
    probe->wide_width = sizeof L""[0];
#ifdef __OPTIMIZE__
    probe->optimised = 1;
#else
    probe->optimised = 0;
#endif
    probe->memcpy_address = (void*)memcpy;
    probe->relocated = Relocated;
    return 0;
}
