/* ntddk.h: wdm.h and what drivers of the older model and of system software add. */
#pragma once
#define _NTDDK_

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <wdm.h>

#include <dirql_km/rtl_table.h>
