/* Sizes and offsets of public structures on x64 NT. Nothing runs: it compiles, or a line of the lists is untrue.
 *
 * Compiled as C and as C++ by gcc and clang with our headers, and by mingw-w64's compiler with the DDK headers that
 * it brings (DIRQL_MINGW), an independent statement of the same facts. The _HERE lines are not in those headers,
 * or differ there: the differences, with their reasons, are in mingw_differences.c. */
#include <ntifs.h>

#ifdef __cplusplus
#define STATE(truth, text) static_assert(truth, text)
#else
#define STATE(truth, text) _Static_assert(truth, text)
#endif

#define DIRQL_SIZE(type, bytes) STATE(sizeof(type) == (bytes), "the size of " #type);
#define DIRQL_FIELD(type, field, offset) \
    STATE(__builtin_offsetof(type, field) == (offset), "the offset of " #type "." #field);

#ifdef DIRQL_MINGW
#define DIRQL_SIZE_HERE(type, bytes)
#define DIRQL_FIELD_HERE(type, field, offset)
#else
#define DIRQL_SIZE_HERE DIRQL_SIZE
#define DIRQL_FIELD_HERE DIRQL_FIELD
#endif

#include "layouts_ex_rtl.def"
#include "layouts_file.def"
#include "layouts_io.def"
#include "layouts_io_stack.def"
#include "layouts_ke.def"
#include "layouts_mm_ob_se.def"
#include "layouts_pnp.def"
#include "layouts_registry.def"

/* The widths that everything above stands on, and the identities that drivers rely on. */
STATE(sizeof(LONG) == 4 && sizeof(ULONG) == 4 && sizeof(LONGLONG) == 8, "LLP64");
STATE(sizeof(PVOID) == 8 && sizeof(ULONG_PTR) == 8 && sizeof(SIZE_T) == 8, "LLP64");
STATE(sizeof(WCHAR) == 2 && sizeof(BOOLEAN) == 1 && sizeof(KIRQL) == 1, "characters and bytes");
STATE(sizeof(KSPIN_LOCK) == sizeof(ULONG_PTR), "a spin lock is a pointer wide");
STATE((WCHAR)-1 > 0, "WCHAR is unsigned");
STATE((LONG)-1 < 0 && (ULONG)-1 > 0, "signs");
