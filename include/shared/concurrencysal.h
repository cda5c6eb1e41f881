/* concurrencysal.h: annotations of locking. */
#pragma once

#include <sal.h>

#include <dirql_shared/sal_locks.h>
