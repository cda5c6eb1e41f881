// C++ drivers of the older kind include the headers within extern "C".
extern "C" {
#include <ntifs.h>
#include <ntintsafe.h>
#include <ntstrsafe.h>
#include <wdmsec.h>
}
#include <initguid.h>

DEFINE_GUID(GUID_DIRQL_TEST, 0x12345678, 0x9abc, 0xdef0, 1, 2, 3, 4, 5, 6, 7, 8);

bool dirql_same(const GUID& guid) { return guid == GUID_DIRQL_TEST; }
