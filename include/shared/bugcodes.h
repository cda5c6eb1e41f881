/* bugcodes.h: why the system stopped.
 *
 * Bug checks 0xC0000218 and 0xC0000221 bear the names of their status codes and stand in <ntstatus.h>. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_shared/bugcodes_classic.h>
#include <dirql_shared/bugcodes_later.h>
