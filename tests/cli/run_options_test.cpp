// The command line of dirql run.
#include "catch.hpp"
#include "cli/run_options.hpp"
#include "cli/run_words.hpp"

#include <string>

using namespace dirql::cli;

namespace {

Outcome<RunOptions> parse(std::vector<std::string_view> words) { return parse_run_options(words); }

RunOptions options_of(std::vector<std::string_view> words) {
    auto parsed = parse(std::move(words));
    REQUIRE(parsed);
    return std::move(parsed).value();
}

std::string error_of(std::vector<std::string_view> words) {
    const auto parsed = parse(std::move(words));
    REQUIRE(!parsed);
    CHECK(parsed.error().status == exit_usage);
    CHECK(parsed.error().text.find('\n') == std::string::npos);
    return parsed.error().text;
}

std::string bytes_text(const RequestBuffer& buffer) { return hex_text(std::get<BufferContent>(buffer)); }

} // namespace

TEST_CASE("drivers and options come in any order") {
    const auto options = options_of(
        {"a.so", "--seed", "18446744073709551615", "b.so", "--processors=4", "--threads", "0x10", "--trace=-", "c"});
    CHECK(options.drivers == std::vector<std::string>{"a.so", "b.so", "c"});
    CHECK(options.seed == 18446744073709551615u);
    CHECK(options.processors == 4);
    CHECK(options.threads == 16);
    CHECK(options.trace == "-");
    const auto defaults = options_of({"a.so"});
    CHECK(defaults.seed == 0);
    CHECK(defaults.processors == 1);
    CHECK(defaults.threads == 1);
    CHECK(!defaults.trace);
    CHECK(options_of({"--help"}).help);
}

TEST_CASE("a device goes by the names that applications and the kernel use") {
    for (const auto* name : {"Echo", "\\\\.\\Echo"})
        CHECK(options_of({"a.so", "--ioctl", name, "0", ""}).requests[0].device == "\\\\.\\Echo");
    CHECK(options_of({"a.so", "--ioctl", "\\Device\\Echo", "0", ""}).requests[0].device == "\\Device\\Echo");
    CHECK(options_of({"a.so", "--ioctl", "\\\\?\\Echo", "0", ""}).requests[0].device == "\\\\?\\Echo");
}

TEST_CASE("a request's buffers are bytes, lengths or bare addresses") {
    const auto request = [](std::vector<std::string_view> rest) {
        std::vector<std::string_view> words{"a.so", "--ioctl", "Echo", "0x22200b"};
        words.insert(words.end(), rest.begin(), rest.end());
        return options_of(words).requests.at(0);
    };
    CHECK(request({"0102fF"}).code == 0x22200b);
    CHECK(bytes_text(request({"0102fF"}).in) == "01 02 ff");
    CHECK(bytes_text(request({" 01 02  0304 "}).in) == "01 02 03 04");
    CHECK(bytes_text(request({""}).in).empty());
    CHECK(bytes_text(request({"0102"}).out) == "00 00");
    CHECK(bytes_text(request({"0102", "0"}).out).empty());
    CHECK(bytes_text(request({"", "0x3"}).out) == "00 00 00");
    CHECK(bytes_text(request({"", "=0a0b"}).out) == "0a 0b");
    const auto raw = request({"@0x10+4", "@18446744073709551615+0xffffffff"});
    CHECK(std::get<RawBuffer>(raw.in).address == 0x10);
    CHECK(std::get<RawBuffer>(raw.in).length == 4);
    CHECK(std::get<RawBuffer>(raw.out).address == ~std::uint64_t{0});
    CHECK(std::get<RawBuffer>(raw.out).length == 0xffffffff);
    CHECK(bytes_text(request({"@0x10+4"}).out).empty());
}

TEST_CASE("what follows a request may be the output's length or something else") {
    const auto options = options_of({"--ioctl", "A", "1", "00", "3com.so", "--ioctl", "B", "2", "00", "8", "./9",
                                     "--ioctl", "C", "3", "00", "--seed", "1"});
    CHECK(options.drivers == std::vector<std::string>{"3com.so", "./9"});
    REQUIRE(options.requests.size() == 3);
    CHECK(std::get<BufferContent>(options.requests[0].out).size() == 1);
    CHECK(std::get<BufferContent>(options.requests[1].out).size() == 8);
    CHECK(options.requests[2].code == 3);
}

TEST_CASE("a bad command line says what is wrong and what would be right") {
    CHECK(error_of({}) == "no driver (dirql run --help shows how)");
    CHECK(error_of({"--seed", "1"}) == "no driver (dirql run --help shows how)");
    CHECK(error_of({""}) == "a driver's name is empty");
    CHECK(error_of({"a.so", "--sede", "1"}) == "unknown option '--sede' (dirql run --help lists them)");
    CHECK(error_of({"a.so", "-v"}) == "unknown option '-v' (dirql run --help lists them)");
    CHECK(error_of({"a.so", "--seed"}) == "--seed needs a number");
    CHECK(error_of({"a.so", "--seed", "-1"}) == "--seed -1: not a number from 0 to 18446744073709551615");
    CHECK(error_of({"a.so", "--seed", "18446744073709551616"}).find("not a number from") != std::string::npos);
    CHECK(error_of({"a.so", "--seed="}).find("--seed : not a number from") == 0);
    for (const auto* count : {"0", "65", "4x", "0x", " 4", "+4", ""})
        CHECK(error_of({"a.so", "--processors", count}).find("not a number from 1 to 64") != std::string::npos);
    CHECK(error_of({"a.so", "--threads", "65"}) == "--threads 65: not a number from 1 to 64");
    CHECK(error_of({"a.so", "--trace"}) == "--trace needs a file, or - for stdout");
    CHECK(error_of({"a.so", "--help=yes"}) == "--help takes nothing after '='");
}

TEST_CASE("a bad request is a usage error") {
    const auto error = [](std::vector<std::string_view> rest) {
        rest.insert(rest.begin(), {"a.so", "--ioctl"});
        return error_of(std::move(rest));
    };
    CHECK(error({"Echo", "0x222000"}) == "--ioctl needs DEVICE CODE IN, and may have OUT");
    CHECK(error({"\\.Echo", "0", ""}) ==
          "--ioctl DEVICE '\\.Echo': write Echo, or '\\\\.\\Echo' in quotes: a shell takes backslashes away");
    CHECK(error({"", "0", ""}).find("--ioctl DEVICE ''") == 0);
    for (const auto* code : {"x", "", "0x100000000", "222g", "-1"})
        CHECK(error({"Echo", code, ""}) ==
              "--ioctl CODE '" + std::string(code) + "': not a 32-bit number like 0x222000");
    for (const auto* in : {"1", "0g", "0x01", "01,02", "@", "@1", "@x+1", "@1+", "@1+0x100000000", "--seed"})
        CHECK(error({"Echo", "0", in}) ==
              "--ioctl IN '" + std::string(in) + "': neither pairs of hexadecimal digits nor @ADDRESS+LENGTH");
    for (const auto* out : {"12x", "16777217", "=1", "@1", "=@1+1"})
        CHECK(error({"Echo", "0", "", out}) ==
              "--ioctl OUT '" + std::string(out) +
                  "': neither a length up to 16777216, nor =BYTES, nor @ADDRESS+LENGTH");
}
