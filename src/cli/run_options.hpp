// The command line of `dirql run`.
#pragma once

#include "cli/commands.hpp"
#include "cli/outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dirql::cli {

// A user address and a length, handed to the driver as they are: nothing need be there.
struct RawBuffer {
    std::uint64_t address;
    std::uint32_t length;
};

// What a buffer of the application holds when the request begins.
using BufferContent = std::vector<std::byte>;

// One of a request's two buffers: memory of the application, or an address that is only said to be.
using RequestBuffer = std::variant<BufferContent, RawBuffer>;

struct DeviceRequest {
    std::string device; // `\\.\Echo` or `\Device\Echo`: as it is opened and printed
    std::uint32_t code = 0;
    RequestBuffer in;
    RequestBuffer out;
};

struct RunOptions {
    std::vector<std::string> drivers;
    std::vector<DeviceRequest> requests;
    std::uint64_t seed = 0;
    unsigned processors = 1;
    unsigned threads = 1;
    std::optional<std::string> trace; // a file, or "-" for stdout
    bool help = false;
};

// Fails with exit_usage: an unknown option, a missing or malformed argument, no driver.
Outcome<RunOptions> parse_run_options(Arguments arguments);

// What `dirql run --help` prints.
extern const char* const run_help;

} // namespace dirql::cli
