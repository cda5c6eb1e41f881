// The same driver in C++.
#include "globals.c"
