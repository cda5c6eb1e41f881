/* What the test learns of a driver through its entry point. */
#pragma once

struct probe {
    int first;            /* what `count` started from, out of constant data that needs relocation */
    int count;            /* a global, counted up at each call */
    int zero;             /* one that starts at 0, likewise */
    int inline_calls;     /* a static within an inline function that the other driver and the host have too */
    int wide_width;       /* bytes of an element of L"" */
    int optimised;        /* whether the source with the entry point is */
    void* memcpy_address; /* the C run-time's function, as the driver sees it */
    int* relocated;       /* an initialised pointer to the global behind `count` */
};
