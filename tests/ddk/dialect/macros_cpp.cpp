#define CHECK_MACROS check_macros_cpp
#include "macros.c"
