// dirql run as a user meets it: what is printed, and the exit status.
#include "catch.hpp"
#include "tool.hpp"

using cli_test::compilers;
using cli_test::dirql;
using cli_test::dirql_redirected;
using cli_test::ToolResult;
using cli_test::Workplace;

namespace {

// SUBJECT of tests/cli/drivers, built with these options, in the workplace.
std::string build(const Workplace& place, const std::string& output, std::vector<std::string> options) {
    options.insert(options.begin(), {"cc", "-o", output});
    options.push_back(SOURCE_subject);
    const auto built = dirql(place, options);
    REQUIRE(built.err == "");
    REQUIRE(built.status == 0);
    return output;
}

// The same driver from CMake, and from dirql cc with each compiler.
std::vector<std::string> subjects(const Workplace& place) {
    std::vector<std::string> plug_ins{PLUG_IN_subject};
    for (const auto& compiler : compilers())
        plug_ins.push_back(build(place, compiler + ".so", {"--compiler", compiler}));
    return plug_ins;
}

ToolResult run(const Workplace& place, const std::string& plug_in, std::vector<std::string> rest) {
    rest.insert(rest.begin(), {"run", plug_in});
    return dirql(place, std::move(rest));
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("requests are answered in order, each on a line") {
    const Workplace place;
    for (const auto& plug_in : subjects(place)) {
        const auto result =
            run(place, plug_in, {"--ioctl",        "Subject", "0x222000", "0102030405", "--ioctl",
                                 "\\\\.\\Subject", "2236416", "09",       "--ioctl",    "\\Device\\Subject",
                                 "0x222000",       "",        "4",        "--ioctl",    "Subject",
                                 "0x222000",       "0102",    "1",        "--ioctl",    "Subject",
                                 "0x222014",       "",        "3",        "--ioctl",    "Subject",
                                 "0x222ffc",       ""});
        CHECK(result.err == "");
        CHECK(result.status == 0);
        CHECK(result.out == "subject: loaded \\Device\\Subject\n"
                            "\\\\.\\Subject 0x222000: STATUS_SUCCESS, 5 bytes: 05 04 03 02 01\n"
                            "\\\\.\\Subject 0x222000: STATUS_SUCCESS, 1 byte: 09\n"
                            "\\Device\\Subject 0x222000: STATUS_SUCCESS, 0 bytes\n"
                            "\\\\.\\Subject 0x222000: STATUS_BUFFER_TOO_SMALL, 0 bytes\n"
                            "\\\\.\\Subject 0x222014: STATUS_BUFFER_OVERFLOW, 3 bytes: 00 00 00\n"
                            "\\\\.\\Subject 0x222ffc: STATUS_INVALID_DEVICE_REQUEST, 0 bytes\n"
                            "subject: unloading \\Device\\Subject\n");
    }
}

TEST_CASE("bad user pointers reach the driver's handler, or the I/O manager's") {
    const Workplace place;
    for (const auto& plug_in : subjects(place)) {
        const auto result = run(place, plug_in,
                                {"--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "010203", // all is well
                                 "--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "@0x10000+3",
                                 "3", // nothing there to read
                                 "--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "010203",
                                 "@0x10000+3", // nor to write
                                 "--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "@0x7EC000000000+3",
                                 "3", // the kernel's own
                                 "--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "010203",
                                 "@0xFFFFFFFFFFFFFFFF+0x7fffffff", // beyond the end
                                 "--ioctl",
                                 "Subject",
                                 "0x222007",
                                 "@0+0",
                                 "3", // no bytes, no access
                                 "--ioctl",
                                 "Subject",
                                 "0x222000",
                                 "@0x10000+3",
                                 "3"}); // METHOD_BUFFERED
        CHECK(result.err == "");
        CHECK(result.status == 0);
        const std::string caught =
            "subject: caught 0xC0000005\n\\\\.\\Subject 0x222007: STATUS_ACCESS_VIOLATION, 0 bytes\n";
        CHECK(result.out == "subject: loaded \\Device\\Subject\n"
                            "\\\\.\\Subject 0x222007: STATUS_SUCCESS, 3 bytes: 01 02 03\n" +
                                caught + caught + caught + caught +
                                "\\\\.\\Subject 0x222007: STATUS_SUCCESS, 0 bytes\n"
                                "\\\\.\\Subject 0x222000: STATUS_ACCESS_VIOLATION, 0 bytes\n"
                                "subject: unloading \\Device\\Subject\n");
    }
}

TEST_CASE("the second buffer can bring data, and lines begin on a line of their own") {
    const Workplace place;
    const auto result = run(place, PLUG_IN_subject, {"--ioctl", "Subject", "0x222019", "", "=0102ff"});
    CHECK(has(result.out, "\nsubject: the sum is 258\n\\\\.\\Subject 0x222019: STATUS_SUCCESS, 0 bytes\n"));
}

TEST_CASE("a device that cannot be opened is an answer") {
    const Workplace place;
    const auto result =
        run(place, PLUG_IN_subject, {"--ioctl", "Objekt", "0x222000", "01", "--ioctl", "Subject", "0x222000", "01"});
    CHECK(result.status == 0);
    CHECK(has(result.out, "\n\\\\.\\Objekt 0x222000: cannot open: STATUS_OBJECT_NAME_NOT_FOUND\n"
                          "\\\\.\\Subject 0x222000: STATUS_SUCCESS, 1 byte: 01\n"));
}

TEST_CASE("several threads perform all requests each, and are told of in order") {
    const Workplace place;
    const auto result = run(place, PLUG_IN_subject,
                            {"--threads", "3", "--processors", "2", "--ioctl", "Subject", "0x222000", "0102", "--ioctl",
                             "Subject", "0x222ffc", ""});
    const std::string lines = ":\n\\\\.\\Subject 0x222000: STATUS_SUCCESS, 2 bytes: 02 01\n"
                              "\\\\.\\Subject 0x222ffc: STATUS_INVALID_DEVICE_REQUEST, 0 bytes\n";
    CHECK(result.status == 0);
    CHECK(result.out == "subject: loaded \\Device\\Subject\nthread 1" + lines + "thread 2" + lines + "thread 3" +
                            lines + "subject: unloading \\Device\\Subject\n");
}

TEST_CASE("as many threads as are allowed") {
    const Workplace place;
    const auto result = run(place, PLUG_IN_subject, {"--threads", "64", "--ioctl", "Subject", "0x222000", "0102"});
    CHECK(result.err == "");
    CHECK(result.status == 0);
    CHECK(has(result.out, "thread 64:\n\\\\.\\Subject 0x222000: STATUS_SUCCESS, 2 bytes: 02 01\n"));
}

TEST_CASE("drivers are loaded in order and unloaded in reverse") {
    const Workplace place;
    const auto one = build(place, "one.so", {"-DDEVICE_NAME=\"One\""});
    const auto two = build(place, "two.so", {"-DDEVICE_NAME=\"Two\""});
    const auto result =
        run(place, one, {two, "--ioctl", "Two", "0x222000", "0102", "--ioctl", "One", "0x222000", "03"});
    CHECK(result.status == 0);
    CHECK(result.out ==
          "subject: loaded \\Device\\One\nsubject: loaded \\Device\\Two\n"
          "\\\\.\\Two 0x222000: STATUS_SUCCESS, 2 bytes: 02 01\n\\\\.\\One 0x222000: STATUS_SUCCESS, 1 byte: 03\n"
          "subject: unloading \\Device\\Two\nsubject: unloading \\Device\\One\n");
}

TEST_CASE("a bug check is told on stderr, with exit status 3") {
    const Workplace place;
    for (const auto& plug_in : subjects(place)) {
        const auto asked =
            run(place, plug_in, {"--ioctl", "Subject", "0x222000", "0102", "--ioctl", "Subject", "0x22201c", ""});
        CHECK(asked.status == 3);
        CHECK(first_line(asked.err) == "*** STOP: 0x000000E2 MANUALLY_INITIATED_CRASH (0x1, 0x2, 0x3, 0x4)");
        CHECK(asked.out ==
              "subject: loaded \\Device\\Subject\n\\\\.\\Subject 0x222000: STATUS_SUCCESS, 2 bytes: 02 01\n");

        const auto twice = run(place, plug_in, {"--ioctl", "Subject", "0x222008", ""});
        CHECK(twice.status == 3);
        CHECK(first_line(twice.err).find("*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS (0x") == 0);

        const auto reckless = run(place, plug_in, {"--ioctl", "Subject", "0x222023", "@0x10000+8", "8"});
        CHECK(reckless.status == 3);
        CHECK(first_line(reckless.err).find("*** STOP: 0x0000003B SYSTEM_SERVICE_EXCEPTION (0xC0000005, 0x") == 0);
    }
}

TEST_CASE("a stall is told on stderr, with exit status 4") {
    const Workplace place;
    for (const auto& plug_in : subjects(place)) {
        for (const auto* code : {"0x22200c", "0x222010"}) { // waits for ever, loops for ever
            const auto result = run(place, plug_in, {"--ioctl", "Subject", code, ""});
            CHECK(result.status == 4);
            CHECK(first_line(result.err).find("*** STALL: ") == 0);
            CHECK(result.out == "subject: loaded \\Device\\Subject\n");
        }
    }
}

TEST_CASE("a driver that cannot be loaded is named in one line, with exit status 5") {
    const Workplace place;
    place.write("text.so", "not a driver\n");
    place.write("no_entry.c", "int x;\n");
    REQUIRE(cli_test::run(place, {"gcc", "-shared", "-nostdlib", "-o", "no_entry.so", "no_entry.c"}).status == 0);
    place.write("libc.c", "int printf(const char*, ...); void IoNoSuch(void); int DriverEntry(void) { IoNoSuch(); "
                          "return printf(\"\"); }\n");
    REQUIRE(cli_test::run(place, {"gcc", "-shared", "-fPIC", "-nostdlib", "-o", "libc.so", "libc.c"}).status == 0);
    const auto fails = build(place, "fails.so", {"-DENTRY_FAILS"});
    for (const auto& [plug_in, word] : std::vector<std::pair<std::string, std::string>>{
             {"missing.so", "missing.so: No such file or directory"},
             {"text.so", "ELF"},
             {"no_entry.so", "DriverEntry"},
             {"libc.so", "IoNoSuch, printf"},
             {fails, "fails: DriverEntry returned STATUS_DEVICE_CONFIGURATION_ERROR"},
             {".", "dirql run: "}}) {
        CAPTURE(plug_in);
        const auto result = run(place, plug_in, {"--ioctl", "Subject", "0x222000", ""});
        CHECK(result.status == 5);
        CHECK(result.out == "");
        CHECK(result.err.find("dirql run: ") == 0);
        CHECK(has(result.err, word));
        CHECK(result.err.find('\n') == result.err.size() - 1);
    }
    SECTION("those before it are unloaded") {
        const auto result = run(place, PLUG_IN_subject, {fails, "--ioctl", "Subject", "0x222000", ""});
        CHECK(result.status == 5);
        CHECK(result.out == "subject: loaded \\Device\\Subject\nsubject: unloading \\Device\\Subject\n");
    }
    SECTION("a bug check while it is loaded is a bug check") {
        const auto result = run(place, build(place, "crashes.so", {"-DENTRY_CRASHES"}), {});
        CHECK(result.status == 3);
        CHECK(first_line(result.err) == "*** STOP: 0x000000E2 MANUALLY_INITIATED_CRASH (0x1, 0x2, 0x3, 0x4)");
    }
}

TEST_CASE("what stays loaded is said") {
    const Workplace place;
    const auto stays = run(place, build(place, "stays.so", {"-DNO_UNLOAD"}), {});
    CHECK(stays.status == 0);
    CHECK(stays.err == "dirql run: stays: has no Unload routine and stays loaded\n");
    const auto leaves = run(place, build(place, "leaves.so", {"-DLEAVE_DEVICE"}), {});
    CHECK(leaves.status == 0);
    CHECK(leaves.err == "dirql run: leaves: its Unload routine left devices behind, so its image stays\n");
}

TEST_CASE("the trace is written however the run ends") {
    const Workplace place;
    const auto fails = build(place, "fails.so", {"-DENTRY_FAILS"});
    const std::vector<std::pair<std::string, int>> ends{{"0x222000", 0}, {"0x222008", 3}, {"0x22200c", 4}};
    for (const auto& [code, status] : ends) {
        const auto result = run(place, PLUG_IN_subject, {"--trace", "trace", "--ioctl", "Subject", code, "01"});
        CHECK(result.status == status);
        CHECK(has(place.read("trace"), "IRP_MJ_DEVICE_CONTROL"));
    }
    place.write("trace", "older\n");
    CHECK(run(place, PLUG_IN_subject, {fails, "--trace", "trace"}).status == 5);
    CHECK(has(place.read("trace"), "subject"));
    CHECK(!has(place.read("trace"), "older"));
    const auto to_stdout = run(place, PLUG_IN_subject, {"--trace=-", "--ioctl", "Subject", "0x222000", "01"});
    CHECK(has(to_stdout.out, "\nsubject: unloading \\Device\\Subject\n")); // the trace follows what the run printed
    CHECK(has(to_stdout.out, "IRP_MJ_DEVICE_CONTROL"));
}

TEST_CASE("output that cannot be written hides nothing that is worse") {
    const Workplace place;
    const std::vector<std::string> fine{"run", PLUG_IN_subject, "--ioctl", "Subject", "0x222000", "01"};
    const std::vector<std::string> crash{"run", PLUG_IN_subject, "--ioctl", "Subject", "0x222008", "01"};
    const auto traced = [](std::vector<std::string> words) {
        words.insert(words.end(), {"--trace", "/dev/full"});
        return words;
    };
    const std::string no_trace = "dirql run: --trace /dev/full: cannot be written: No space left on device\n";
    const auto lost_trace = dirql(place, traced(fine));
    CHECK(lost_trace.status == 2);
    CHECK(lost_trace.err == no_trace);
    const auto crashed = dirql(place, traced(crash));
    CHECK(crashed.status == 3);
    CHECK(crashed.err.find("*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS (0x") == 0);
    CHECK(crashed.err.ends_with(no_trace));

    CHECK(dirql_redirected(place, fine, ">/dev/full").status == 2);
    CHECK(dirql_redirected(place, crash, ">/dev/full").status == 3);
    CHECK(dirql_redirected(place, crash, "2>/dev/full").status == 3);
}

TEST_CASE("a command line that cannot be is one line, with exit status 2, before anything runs") {
    const Workplace place;
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"run"},
                                               {"run", PLUG_IN_subject, "--sead", "1"},
                                               {"run", PLUG_IN_subject, "--ioctl", "Subject"},
                                               {"run", PLUG_IN_subject, "--trace", "no/such/directory"},
                                               {"run", PLUG_IN_subject, "--trace", "."}}) {
        const auto result = dirql(place, words);
        CHECK(result.status == 2);
        CHECK(result.out == "");
        CHECK(result.err.find("dirql run: ") == 0);
        CHECK(result.err.find('\n') == result.err.size() - 1);
    }
    const auto help = dirql(place, {"run", "--help"});
    CHECK(help.status == 0);
    CHECK(help.out.find("usage: dirql run DRIVER...") == 0);
}
