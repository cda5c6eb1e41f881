#include "cli/run_options.hpp"

#include "cli/run_words.hpp"
#include "ke/machine.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace dirql::cli {

const char* const run_help =
    R"(usage: dirql run DRIVER... [options] [--ioctl DEVICE CODE IN [OUT]]...

Boots a machine, loads the drivers in order, performs the requests in order from a user-mode process, unloads the drivers
in reverse order. Prints what drivers print, and one line a request: its status, Information, and the data it brought:

  \\.\Echo 0x222000: STATUS_SUCCESS, 5 bytes: 05 04 03 02 01

  DRIVER          a plug-in that dirql cc has built
  --ioctl DEVICE CODE IN [OUT]
                  NtDeviceIoControlFile. A thread opens a device at its first request and closes it at its end.
    DEVICE        Echo or '\\.\Echo', as applications write it, or '\Device\Echo', as the kernel does
    CODE          the control code: 0x222000, or decimal
    IN            the input buffer's bytes in hexadecimal ("" for none), or @ADDRESS+LENGTH
    OUT           the output buffer's length (default: that of IN's bytes), =BYTES for a buffer that holds these bytes
                  (which drivers read with METHOD_IN_DIRECT), or @ADDRESS+LENGTH
    @ADDRESS+LENGTH  is handed to the driver as it is, for how it bears bad pointers: @0x10000+8 is no memory of the
                  process, @0x7EC000000000+8 is the kernel's
  --threads N     1 to 64 threads of the process perform all requests each, at once; their lines come thread by thread
  --processors N  1 to 64 (default 1)
  --seed N        decides every choice of the machine (default 0); the same seed gives the same run
  --trace FILE    write the event stream as text, however the run ends; - is stdout. The last million events are kept, and
                  how many were dropped is the first line
  --help          this text

A request that fails, or a device that cannot be opened, is an answer like any other: its line tells the status, and the
run goes on.

exit status: 0 every request was answered, 2 usage or output that cannot be written, 3 bug check (report on stderr), 4 stall (report on stderr),
             5 a driver cannot be loaded
)";

namespace {

constexpr std::uint32_t largest_buffer = std::uint32_t{16} << 20;
constexpr unsigned most_processors = ke::max_processors;
constexpr unsigned most_threads = 64;

// As it is opened. Nothing for what a shell has left of an unquoted `\\.\Echo`.
std::optional<std::string> device_name(std::string_view word) {
    if (word.empty() || word.starts_with("\\.")) return std::nullopt;
    if (word.starts_with('\\')) return std::string(word);
    return "\\\\.\\" + std::string(word);
}

std::optional<RawBuffer> raw_buffer(std::string_view word) {
    const std::size_t plus = word.find('+');
    if (plus == std::string_view::npos) return std::nullopt;
    const auto address = parse_number(word.substr(1, plus - 1), std::numeric_limits<std::uint64_t>::max());
    const auto length = parse_number(word.substr(plus + 1), std::numeric_limits<std::uint32_t>::max());
    if (!address || !length) return std::nullopt;
    return RawBuffer{*address, static_cast<std::uint32_t>(*length)};
}

std::optional<RequestBuffer> in_buffer(std::string_view word) {
    if (word.starts_with('@')) return raw_buffer(word);
    return parse_hex_bytes(word);
}

std::optional<RequestBuffer> out_buffer(std::string_view word) {
    if (word.starts_with('@')) return raw_buffer(word);
    if (word.starts_with('=')) return parse_hex_bytes(word.substr(1));
    const auto length = parse_number(word, largest_buffer);
    if (!length) return std::nullopt;
    return BufferContent(*length);
}

// OUT is optional, and what follows may be a driver's file name, even one that begins with a digit.
bool looks_like_out(std::string_view word) {
    if (word.starts_with('@') || word.starts_with('=')) return true;
    return !word.empty() && word[0] >= '0' && word[0] <= '9' && word.find_first_of("./") == std::string_view::npos;
}

BufferContent default_out(const RequestBuffer& in) {
    const auto* content = std::get_if<BufferContent>(&in);
    return BufferContent(content != nullptr ? content->size() : 0);
}

class Parser {
public:
    explicit Parser(Arguments words) : words_(words) {}

    Outcome<RunOptions> parse() {
        while (at_ < words_.size()) {
            BOOST_OUTCOME_TRYV(option_or_driver(words_[at_++]));
        }
        if (options_.drivers.empty() && !options_.help) return usage_error("no driver (dirql run --help shows how)");
        return std::move(options_);
    }

private:
    using Done = Outcome<void>;
    static Done done() { return BOOST_OUTCOME_V2_NAMESPACE::success(); }

    Done option_or_driver(std::string_view word) {
        if (word.empty()) return usage_error("a driver's name is empty");
        if (word[0] != '-') {
            options_.drivers.emplace_back(word);
            return done();
        }
        const std::size_t equals = word.find('='); // --seed=7
        if (word.starts_with("--") && equals != std::string_view::npos) attached_ = word.substr(equals + 1);
        BOOST_OUTCOME_TRYV(option(word.substr(0, equals)));
        if (attached_) return usage_error(fmt::format("{} takes nothing after '='", word.substr(0, equals)));
        return done();
    }

    Done option(std::string_view name) {
        if (name == "--ioctl" && !attached_) return ioctl();
        if (name == "--trace") return trace();
        if (name == "--seed") return number(name, 0, std::numeric_limits<std::uint64_t>::max(), options_.seed);
        if (name == "--processors") return number(name, 1, most_processors, options_.processors);
        if (name == "--threads") return number(name, 1, most_threads, options_.threads);
        if (name != "--help" && name != "--ioctl")
            return usage_error(fmt::format("unknown option '{}' (dirql run --help lists them)", name));
        options_.help |= name == "--help";
        return done();
    }

    // The option's argument: behind its '=', or the next word.
    std::optional<std::string_view> argument() {
        if (attached_) return std::exchange(attached_, std::nullopt);
        if (at_ == words_.size()) return std::nullopt;
        return words_[at_++];
    }

    template <class Number>
    Done number(std::string_view name, std::uint64_t least, std::uint64_t most, Number& result) {
        const auto word = argument();
        if (!word) return usage_error(fmt::format("{} needs a number", name));
        const auto value = parse_number(*word, most);
        if (!value || *value < least)
            return usage_error(fmt::format("{} {}: not a number from {} to {}", name, *word, least, most));
        result = static_cast<Number>(*value);
        return done();
    }

    Done trace() {
        const auto word = argument();
        if (!word || word->empty()) return usage_error("--trace needs a file, or - for stdout");
        options_.trace = std::string(*word);
        return done();
    }

    Done ioctl() {
        if (words_.size() - at_ < 3) return usage_error("--ioctl needs DEVICE CODE IN, and may have OUT");
        const std::string_view device = words_[at_++], code = words_[at_++], in = words_[at_++];
        DeviceRequest& request = options_.requests.emplace_back();
        BOOST_OUTCOME_TRYV(target(device, code, request));
        auto buffer = in_buffer(in);
        if (!buffer)
            return usage_error(
                fmt::format("--ioctl IN '{}': neither pairs of hexadecimal digits nor @ADDRESS+LENGTH", in));
        request.in = std::move(*buffer);
        request.out = default_out(request.in);
        if (at_ < words_.size() && looks_like_out(words_[at_])) return out(words_[at_++], request);
        return done();
    }

    static Done target(std::string_view device, std::string_view code, DeviceRequest& request) {
        auto name = device_name(device);
        if (!name)
            return usage_error(fmt::format("--ioctl DEVICE '{}': write Echo, or '\\\\.\\Echo' in quotes: a shell takes "
                                           "backslashes away",
                                           device));
        const auto number = parse_number(code, std::numeric_limits<std::uint32_t>::max());
        if (!number) return usage_error(fmt::format("--ioctl CODE '{}': not a 32-bit number like 0x222000", code));
        request.device = std::move(*name);
        request.code = static_cast<std::uint32_t>(*number);
        return done();
    }

    static Done out(std::string_view word, DeviceRequest& request) {
        auto buffer = out_buffer(word);
        if (!buffer)
            return usage_error(fmt::format(
                "--ioctl OUT '{}': neither a length up to {}, nor =BYTES, nor @ADDRESS+LENGTH", word, largest_buffer));
        request.out = std::move(*buffer);
        return done();
    }

    Arguments words_;
    std::size_t at_ = 0;
    std::optional<std::string_view> attached_; // what follows the current option's '='
    RunOptions options_;
};

} // namespace

Outcome<RunOptions> parse_run_options(Arguments arguments) { return Parser(arguments).parse(); }

} // namespace dirql::cli
