/* guiddef.h: GUID, and DEFINE_GUID, which declares; after <initguid.h> it defines. */
#ifndef DIRQL_GUIDDEF_H
#define DIRQL_GUIDDEF_H

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_shared/types.h>

#ifndef GUID_DEFINED
#define GUID_DEFINED
typedef struct _GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID;
#endif
DIRQL_ASSERT_SIZE(GUID, 16);

typedef GUID *LPGUID, *PGUID, IID, *LPIID, CLSID, *LPCLSID, UUID;
typedef const GUID *LPCGUID;

#ifdef __cplusplus
#define REFGUID const GUID &
#define REFIID const IID &
#define REFCLSID const CLSID &
extern "C++" {
DIRQL_HEADER_INLINE int IsEqualGUID(REFGUID a, REFGUID b) { return __builtin_memcmp(&a, &b, sizeof(GUID)) == 0; }
DIRQL_HEADER_INLINE bool operator==(REFGUID a, REFGUID b) { return IsEqualGUID(a, b) != 0; }
DIRQL_HEADER_INLINE bool operator!=(REFGUID a, REFGUID b) { return IsEqualGUID(a, b) == 0; }
DIRQL_HEADER_INLINE int InlineIsEqualGUID(REFGUID a, REFGUID b) { return IsEqualGUID(a, b); }
}
#define DIRQL_GUID_EXTERN extern "C"
#else
#define REFGUID const GUID *
#define REFIID const IID *
#define REFCLSID const CLSID *
#define IsEqualGUID(a, b) (__builtin_memcmp(a, b, sizeof(GUID)) == 0)
#define InlineIsEqualGUID(a, b) IsEqualGUID(a, b)
#define DIRQL_GUID_EXTERN extern
#endif
#define IsEqualIID(a, b) IsEqualGUID(a, b)
#define IsEqualCLSID(a, b) IsEqualGUID(a, b)

#endif /* DIRQL_GUIDDEF_H */

/* Outside the guard: <initguid.h> includes this file again to change what DEFINE_GUID means from there on. A definition
 * is weak, so that several translation units of one driver may make it. */
#undef DEFINE_GUID
#ifdef INITGUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) \
    DIRQL_GUID_EXTERN const GUID name __attribute__((weak)); \
    const GUID name = {l, w1, w2, {b1, b2, b3, b4, b5, b6, b7, b8}}
#else
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) DIRQL_GUID_EXTERN const GUID name
#endif
#define DEFINE_OLEGUID(name, l, w1, w2) DEFINE_GUID(name, l, w1, w2, 0xC0, 0, 0, 0, 0, 0, 0, 0x46)
