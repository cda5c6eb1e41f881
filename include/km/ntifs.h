/* ntifs.h: ntddk.h and what file systems and their filters add. */
#pragma once
#define _NTIFS_
#define _NTIFS_INCLUDED_

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <ntddk.h>

#include <dirql_km/file_information_dir.h>
#include <dirql_km/rtl_oem.h>
#include <dirql_km/se_ifs.h>
