// The same lists as C++ sees them.
#include "layouts.c"

#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
static_assert(sizeof(L"a") == sizeof(WCHAR[2]), "L\"\" is a string of WCHAR in driver code");
#else
static_assert(sizeof(u"a") == sizeof(WCHAR[2]), "u\"\" is a string of WCHAR in host code");
#endif
