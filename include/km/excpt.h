/*
 * excpt.h - structured exception handling by its public name: records, filter values, keywords.
 * The keywords' rules are in <dirql_km/seh.h>.
 */
#pragma once

#include <dirql_km/exception.h>
#include <dirql_km/seh.h>
