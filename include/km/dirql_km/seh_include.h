/* Structured exception handling: the records, and the keywords of seh.h. */
#pragma once

#include <dirql_km/exception.h>

#if __has_include(<dirql_km/seh.h>)
#include <dirql_km/seh.h>
#endif
