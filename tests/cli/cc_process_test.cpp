// Programs run side by side.
#include "catch.hpp"
#include "cli/cc_process.hpp"
#include "cli/cc_scratch.hpp"
#include "tool.hpp"

#include <cstdlib>
#include <fstream>

#include <unistd.h>

using namespace dirql::cli;

namespace {

std::string output_of(const Words& command) {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    return run_program(command, place.path().string()).value().output;
}

// What a script has written its number to, in its workplace. One that has ended may still await its parent's notice.
bool runs(const cli_test::Workplace& place, const std::string& file) {
    const std::string number = place.read(file).substr(0, place.read(file).find('\n'));
    REQUIRE(!number.empty());
    std::ifstream status("/proc/" + number + "/stat");
    std::string word;
    for (int i = 0; i < 3; ++i) status >> word; // number, (name), state
    return status && word != "Z" && word != "X";
}

// Signals take a moment to arrive.
bool ends_soon(const cli_test::Workplace& place, const std::string& file) {
    for (int i = 0; i < 500 && runs(place, file); ++i) ::usleep(10'000);
    return !runs(place, file);
}

Words shell(std::string script) { return {"sh", "-c", std::move(script)}; }

} // namespace

TEST_CASE("words reach a program as they are") {
    CHECK(output_of({"printf", "%s|", "a b", "$HOME", "'*'", ""}) == "a b|$HOME|'*'||");
}

TEST_CASE("both streams are gathered, the status is a shell's") {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    const auto result = run_program(shell("echo one; echo two >&2; echo three; exit 3"), place.path().string()).value();
    CHECK(result.output == "one\ntwo\nthree\n");
    CHECK(result.status == 3);
    CHECK(run_program(shell("kill -9 $$"), place.path().string()).value().status == 128 + 9);
}

TEST_CASE("results are told in order, whichever ends first") {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    std::vector<Words> commands;
    for (int i = 0; i < 20; ++i)
        commands.push_back(shell("sleep 0.0" + std::to_string((7 * i) % 9) + "; echo " + std::to_string(i)));
    std::string told;
    REQUIRE(run_programs(commands, 8, place.path().string(), [&](std::size_t index, const Finished& finished) {
        CHECK(finished.output == std::to_string(index) + "\n");
        told += finished.output;
    }));
    std::string expected;
    for (int i = 0; i < 20; ++i) expected += std::to_string(i) + "\n";
    CHECK(told == expected);
}

TEST_CASE("no more than the given number run at once") {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    const std::string count = "mkdir " + place.path().string() + "/r.$$; ls -d " + place.path().string() +
                              "/r.* | wc -l; sleep 0.05; rmdir " + place.path().string() + "/r.$$";
    const std::vector<Words> commands(9, shell(count));
    int most = 0;
    REQUIRE(run_programs(commands, 3, place.path().string(), [&](std::size_t, const Finished& finished) {
        most = std::max(most, std::atoi(finished.output.c_str()));
    }));
    CHECK(most == 3);
}

TEST_CASE("a program that is not there is named, and nothing is left running") {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    const std::string child = place.path().string() + "/child";
    const std::vector<Words> commands{shell("echo $$ >" + child + "; sleep 60"),
                                      shell("until [ -s " + child + " ]; do sleep 0.01; done"), // the next waits for it
                                      {"no-such-compiler", "-v"}};
    const auto result = run_programs(commands, 2, place.path().string(), [](std::size_t, const Finished&) {});
    REQUIRE_FALSE(result);
    CHECK(result.error().status == exit_usage);
    CHECK(result.error().text == "no-such-compiler cannot be run: No such file or directory");
    CHECK(ends_soon(place, "child"));
}

TEST_CASE("an interrupt stops children with all they have started") {
    const cli_test::Workplace place;
    const InterruptGuard guard;
    const auto script = "cd " + place.path().string() +
                        "; echo $$ >child; sleep 60 & echo $! >grandchild; kill -TERM " + std::to_string(::getpid()) +
                        "; wait";
    const std::vector<Words> commands{shell(script)};
    const auto result = run_programs(commands, 1, place.path().string(), [](std::size_t, const Finished&) {});
    CHECK_FALSE(result);
    CHECK(ends_soon(place, "child"));
    CHECK(ends_soon(place, "grandchild"));
    CHECK(interrupted());
    const sigset_t signals = [] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        return set;
    }();
    int taken = 0;
    ::sigwait(&signals, &taken); // before the guard lets it end this test
    CHECK_FALSE(interrupted());
}

TEST_CASE("host include paths do not reach a compiler through the environment") {
    ::setenv("CPATH", "/usr/include", 1);
    ::setenv("C_INCLUDE_PATH", "/usr/include", 1);
    const std::string environment = output_of({"env"});
    ::unsetenv("CPATH");
    ::unsetenv("C_INCLUDE_PATH");
    CHECK(environment.find("/usr/include") == std::string::npos);
    CHECK(environment.find("PATH=") != std::string::npos);
}

TEST_CASE("a scratch directory goes with what is in it") {
    std::string path;
    {
        auto scratch = ScratchDirectory::make().value();
        path = scratch.path();
        const ScratchDirectory moved = std::move(scratch);
        std::filesystem::create_directories(path + "/a/b");
        CHECK(std::filesystem::is_directory(path));
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an output appears whole or not at all") {
    const cli_test::Workplace place;
    const std::string path = (place.path() / "out.so").string();
    place.write("out.so", "old");
    {
        const PendingOutput output(path);
        CHECK_FALSE(place.has("out.so"));
        std::filesystem::copy_file("/proc/self/exe", output.path());
    }
    CHECK(std::filesystem::is_empty(place.path()));
    {
        PendingOutput output(path);
        std::filesystem::copy_file("/proc/self/exe", output.path());
        REQUIRE(output.keep());
    }
    CHECK(place.has("out.so"));
    CHECK(std::distance(std::filesystem::directory_iterator(place.path()), {}) == 1);
}
