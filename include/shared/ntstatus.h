/* ntstatus.h: what NT functions return. Two bits of severity, one of customer, twelve of facility, sixteen of code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_shared/types.h>

#include <dirql_shared/status_debugger.h>
#include <dirql_shared/status_error_1.h>
#include <dirql_shared/status_error_2.h>
#include <dirql_shared/status_error_3.h>
#include <dirql_shared/status_error_4.h>
#include <dirql_shared/status_success.h>
#include <dirql_shared/status_transaction.h>
#include <dirql_shared/status_warning.h>

#define STATUS_SEVERITY_SUCCESS 0x0
#define STATUS_SEVERITY_INFORMATIONAL 0x1
#define STATUS_SEVERITY_WARNING 0x2
#define STATUS_SEVERITY_ERROR 0x3
