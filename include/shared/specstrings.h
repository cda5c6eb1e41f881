/* specstrings.h: the annotations under their older header name. */
#pragma once

#include <sal.h>

#include <dirql_shared/sal_kernel.h>
#include <dirql_shared/sal_locks.h>
