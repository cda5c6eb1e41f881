/* intrin.h of driver code: the compiler intrinsics that mean something here. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <ntdef.h>

#include <dirql_km/interlocked.h>
#include <dirql_km/intrinsics.h>
