#define NTSTRSAFE_LIB
#include "check.h"

#include <ntstrsafe.h>

#define CHAR_OF CHAR
#define SS(name) name##A
#define T(literal) literal
#define check_strings_A check_strings_a
#include "strings.inc"
