/* What the misuse driver can be asked to do wrong: the function number of a control code says which. */
#pragma once

enum Misuse {
#define MISUSE_ENTRY(name) misuse_##name,
#include "misuses.def"
#undef MISUSE_ENTRY
    /* What a dispatch routine itself returns wrong. */
    misuse_pending_not_marked,
    misuse_marked_not_pending,
    misuse_suspicious_status,
    misuse_not_completed,
    misuse_count
};

/* FILE_DEVICE_UNKNOWN, METHOD_BUFFERED, any access */
#define MISUSE_CODE(misuse) (0x00222000u + ((unsigned)(misuse) << 2))
