/* Interrupt request levels. */
#pragma once

#include <ntdef.h>

#define PASSIVE_LEVEL 0 /* threads: may wait, may touch pageable memory */
#define LOW_LEVEL 0
#define APC_LEVEL 1      /* threads whose kernel APCs are held back */
#define DISPATCH_LEVEL 2 /* DPCs and holders of spin locks: no waits, no page faults */
#define CMCI_LEVEL 5     /* the lowest interrupt; devices' levels follow */
#define CLOCK_LEVEL 13
#define IPI_LEVEL 14
#define DRS_LEVEL 14
#define POWER_LEVEL 14
#define PROFILE_LEVEL 15
#define HIGH_LEVEL 15

#ifdef __cplusplus
extern "C" {
#endif

NTHALAPI KIRQL NTAPI KeGetCurrentIrql(VOID);
NTHALAPI KIRQL FASTCALL KfRaiseIrql(KIRQL NewIrql);
NTHALAPI VOID NTAPI KeLowerIrql(KIRQL NewIrql);
NTHALAPI KIRQL NTAPI KeRaiseIrqlToDpcLevel(VOID);
NTHALAPI KIRQL NTAPI KeRaiseIrqlToSynchLevel(VOID);

#ifdef __cplusplus
}
#endif

#define KeRaiseIrql(NewIrql, OldIrql) (*(OldIrql) = KfRaiseIrql(NewIrql))
