// All of the C++ API.
#pragma once

#include <dirql/driver.hpp>
#include <dirql/error_log.hpp>
#include <dirql/explore.hpp>
#include <dirql/file.hpp>
#include <dirql/host.hpp>
#include <dirql/machine.hpp>
#include <dirql/outcome.hpp>
#include <dirql/process.hpp>
#include <dirql/result.hpp>
#include <dirql/trace.hpp>
