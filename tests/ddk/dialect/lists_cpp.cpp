#define CHECK_LISTS check_lists_cpp
#include "lists.c"
