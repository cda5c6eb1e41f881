// The requests of `dirql run`, as a thread of the user-mode process performs them.
#pragma once

#include "cli/run_options.hpp"

#include <dirql/process.hpp>

#include <functional>
#include <span>
#include <string>

namespace dirql::cli {

// Told of each request's line (without its newline) when the request has ended.
using LineSink = std::function<void(std::string line)>;

// In order, on the calling thread. Each device is opened at its first request, and all are closed at the end, last first.
void perform_requests(Process& process, std::span<const DeviceRequest> requests, const LineSink& tell);

} // namespace dirql::cli
