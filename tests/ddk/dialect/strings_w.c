#include "check.h"

#include <ntstrsafe.h>

#define CHAR_OF WCHAR
#define SS(name) name##W
#define T(literal) L##literal
#define check_strings_W check_strings_w
#include "strings.inc"
