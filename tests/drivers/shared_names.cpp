// An inline function with state, in two drivers and in the host: three functions, three states.
#if __SIZEOF_WCHAR_T__ == 2 // a driver's
#include "dialect.h"
#endif

inline int count_calls() {
    static int calls = 100;
    return ++calls;
}

extern "C" int count_inline_calls() { return count_calls(); }
