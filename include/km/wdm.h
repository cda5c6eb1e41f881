/* wdm.h: what every driver may use. <ntddk.h> adds to it, <ntifs.h> to that. */
#pragma once
#define _WDMDDK_
#define _NTDDK_WDM_

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <driverspecs.h>
#include <ntdef.h>
#include <ntstatus.h>
#include <specstrings.h>

#include <bugcodes.h>
#include <ntiologc.h>

#include <dirql_km/debug.h>
#include <dirql_km/interlocked.h>
#include <dirql_km/intrinsics.h>
#include <dirql_km/irql.h>
#include <dirql_km/seh_include.h>

#include <dirql_km/dispatcher.h>
#include <dirql_km/dpc.h>
#include <dirql_km/interrupt.h>
#include <dirql_km/ke_dpc.h>
#include <dirql_km/ke_system.h>
#include <dirql_km/ke_wait.h>
#include <dirql_km/spinlock.h>

#include <dirql_km/rtl_list.h>
#include <dirql_km/rtl_memory.h>
#include <dirql_km/rtl_misc.h>
#include <dirql_km/rtl_string.h>

#include <dirql_km/ex_lookaside.h>
#include <dirql_km/ex_misc.h>
#include <dirql_km/ex_pool.h>
#include <dirql_km/ex_sync.h>
#include <dirql_km/mm.h>
#include <dirql_km/ob_ps.h>
#include <dirql_km/se.h>

#include <dirql_km/create_options.h>
#include <dirql_km/dma.h>
#include <dirql_km/fast_io.h>
#include <dirql_km/file_object.h>
#include <dirql_km/io_csq.h>
#include <dirql_km/io_device.h>
#include <dirql_km/io_error_log.h>
#include <dirql_km/io_irp.h>
#include <dirql_km/irp.h>
#include <dirql_km/irp_minor.h>
#include <dirql_km/pnp.h>
#include <dirql_km/port_access.h>
#include <dirql_km/cm_callback.h>
#include <dirql_km/registry.h>
#include <dirql_km/zw.h>
