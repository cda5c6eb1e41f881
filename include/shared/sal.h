/* sal.h: source annotations, accepted everywhere they may stand. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_shared/compiler.h>

#include <dirql_shared/sal_conditions.h>
#include <dirql_shared/sal_kernel.h>
#include <dirql_shared/sal_locks.h>
#include <dirql_shared/sal_parameters.h>
#if DIRQL_WDK_KEYWORDS
#include <dirql_shared/sal_old.h>
#endif
