// A run is a pure function of the plug-in, the options and the seed: its output and its trace are the same bytes every time.
#include "catch.hpp"
#include "tool.hpp"

#include <set>

using cli_test::compilers;
using cli_test::dirql;
using cli_test::Workplace;

namespace {

struct Ending {
    int status;
    std::string out;
    std::string err;
    std::string trace;
};

Ending perform(const Workplace& place, std::vector<std::string> words,
               const std::vector<std::string>& environment = {}) {
    words.insert(words.begin(), {"run", "--trace", "trace"});
    const auto result = dirql(place, std::move(words), environment);
    return {result.status, result.out, result.err, place.read("trace")};
}

// Each time with an environment of another size, which moves the host's stack.
void repeats(const Workplace& place, const std::vector<std::string>& words, int times) {
    const Ending first = perform(place, words);
    CHECK(!first.trace.empty());
    for (int i = 1; i < times; ++i) {
        const Ending again = perform(place, words, {"PADDING=" + std::string(static_cast<std::size_t>(i) * 37, 'x')});
        REQUIRE(again.status == first.status);
        REQUIRE(again.out == first.out);
        REQUIRE(again.err == first.err);
        REQUIRE(again.trace == first.trace);
    }
}

std::vector<std::string> plug_ins(const Workplace& place, const std::string& source, const std::string& from_cmake) {
    std::vector<std::string> found{from_cmake};
    for (const auto& compiler : compilers()) {
        found.push_back(compiler + ".so");
        REQUIRE(dirql(place, {"cc", "--compiler", compiler, "-o", found.back(), source}).status == 0);
    }
    return found;
}

constexpr int many = 100;
constexpr int some = 10;

} // namespace

TEST_CASE("the same seed gives the same run, a hundred times") {
    const Workplace place;
    for (const auto* processors : {"1", "4"}) {
        CAPTURE(processors);
        repeats(place, {PLUG_IN_racers, "--processors", processors, "--seed", "7", "--ioctl", "Race", "0x222000", ""},
                many);
    }
}

TEST_CASE("the same with every way of building the plug-in, with threads, and when it ends in a bug check or a stall") {
    const Workplace place;
    for (const auto* processors : {"1", "4"}) {
        for (const auto& plug_in : plug_ins(place, SOURCE_racers, PLUG_IN_racers)) {
            CAPTURE(processors, plug_in);
            repeats(place, {plug_in, "--processors", processors, "--seed", "3", "--ioctl", "Race", "0x222000", ""},
                    some);
            repeats(place, {plug_in, "--processors", processors, "--seed", "3", "--ioctl", "Race", "0x222004", ""},
                    some);
        }
        for (const auto& plug_in : plug_ins(place, SOURCE_subject, PLUG_IN_subject)) {
            CAPTURE(processors, plug_in);
            repeats(place, {plug_in, "--ioctl", "Subject", "0x222023", "@0x10000+4", "4"}, some); // a fault
            const std::vector<std::string> machine{plug_in, "--processors", processors, "--threads", "4"};
            for (const auto* code : {"0x222000", "0x222007", "0x222008", "0x22200c"}) {
                CAPTURE(code);
                auto words = machine;
                words.insert(words.end(), {"--ioctl", "Subject", code, "0102"});
                repeats(place, words, some);
            }
        }
    }
}

TEST_CASE("the same when the kernel faults for a driver: no address of the host's is told") {
    const Workplace place;
    struct {
        const char* code;
        const char* entered;
    } const faults[] = {
        {"0x222024", "nt!IofCompleteRequest"}, {"0x222028", "nt!memcpy"}, {"0x22202c", "nt!KeSetEvent"}};
    for (const auto& plug_in : plug_ins(place, SOURCE_subject, PLUG_IN_subject)) {
        for (const auto& [code, entered] : faults) {
            CAPTURE(plug_in, code);
            const std::vector<std::string> words{plug_in, "--ioctl", "Subject", code, ""};
            repeats(place, words, some);
            const Ending ending = perform(place, words);
            INFO(ending.err);
            CHECK(ending.status == 3);
            CHECK(ending.err.find(std::string("the instruction: ") + entered + "\n") != std::string::npos);
        }
    }
}

TEST_CASE("an endless loop is stopped at the same place every time") {
    const Workplace place;
    repeats(place, {PLUG_IN_subject, "--ioctl", "Subject", "0x222010", ""}, 3);
}

TEST_CASE("two racing threads run otherwise with another seed") {
    const Workplace place;
    for (const auto* processors : {"1", "4"}) {
        for (const auto* code : {"0x222000", "0x222004"}) {
            CAPTURE(processors, code);
            std::set<std::string> traces, outputs;
            for (int seed = 0; seed < some; ++seed) {
                const auto result = perform(place, {PLUG_IN_racers, "--processors", processors, "--seed",
                                                    std::to_string(seed), "--ioctl", "Race", code, ""});
                traces.insert(result.trace);
                outputs.insert(result.out + result.err);
            }
            CHECK(traces.size() == some);
            CHECK(outputs.size() > some / 2);
        }
    }
}
