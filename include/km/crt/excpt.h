/* excpt.h of driver code: structured exception handling. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <ntdef.h>

#include <dirql_km/seh_include.h>
