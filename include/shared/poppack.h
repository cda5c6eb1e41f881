/* poppack.h: undoes the last <pshpack*.h>. */
#pragma pack(pop)
