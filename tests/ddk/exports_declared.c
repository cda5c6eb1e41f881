/* Every function and variable that dirql exports to drivers is declared in the drivers' headers, as more than an int. */
#include <ntifs.h>
#include <ntstrsafe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <wchar.h>
#include <wctype.h>
#include <wdmsec.h>

#define DIRQL_EXPORT(Name, ...) (const void*)&Name,
#define DIRQL_CRT(Name) (const void*)&Name,
#define DIRQL_DATA(Name, ...) (const void*)&Name,
#define DIRQL_INLINE(...)
const void* const dirql_exports[] = {
#include "ke/exports/all.def"
    0,
};
