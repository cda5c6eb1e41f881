/* driverspecs.h: annotations of kernel routines. */
#pragma once

#include <sal.h>

#include <dirql_shared/sal_kernel.h>
