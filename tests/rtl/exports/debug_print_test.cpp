#include "catch.hpp"

#include <ntifs.h>

#include <cstdarg>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace {

// Outside of a machine debug output goes to standard error.
class CapturedOutput {
public:
    CapturedOutput() : file_(memfd_create("output", 0)), standard_error_(dup(2)) { dup2(file_, 2); }
    ~CapturedOutput() {
        dup2(standard_error_, 2);
        close(standard_error_);
        close(file_);
    }
    CapturedOutput(const CapturedOutput&) = delete;
    CapturedOutput& operator=(const CapturedOutput&) = delete;

    std::string text() const {
        std::string text(static_cast<std::size_t>(lseek(file_, 0, SEEK_END)), '\0');
        REQUIRE(pread(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
        return text;
    }

private:
    int file_;
    int standard_error_;
};

template <class Print> std::string printed(Print print) {
    const CapturedOutput output;
    print();
    return output.text();
}

void print_list(const char* prefix, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vDbgPrintExWithPrefix(prefix, DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, format, arguments);
    va_end(arguments);
}

} // namespace

TEST_CASE("DbgPrint formats as NT does", "[print]") {
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, u"\\Device\\Echo");
    CHECK(printed([&] { DbgPrint("%wZ: status %08lX, %I64d bytes\n", &name, 0xC0000001, 1LL << 40); }) ==
          "\\Device\\Echo: status C0000001, 1099511627776 bytes\n");
    CHECK(printed([] { DbgPrint("%f %d", 1.5, 3); }) == "f 3"); // no floating point
}

TEST_CASE("the host hears UTF-8, whichever the driver wrote", "[print]") {
    CHECK(printed([] { DbgPrint("caf\xE9 %ws", u"\x20AC"); }) == "café €");
    CHECK(printed([] { DbgPrint("café"); }) == "café");
}

TEST_CASE("one call transmits 512 bytes, the last a line feed when text was cut", "[print]") {
    const std::string exact(512, 'x'), longer(513, 'x');
    CHECK(printed([&] { DbgPrint("%s", exact.c_str()); }) == exact);
    CHECK(printed([&] { DbgPrint("%s", longer.c_str()); }) == std::string(511, 'x') + "\n");
    CHECK(printed([&] { DbgPrint("%2000000000d", 1); }).size() == 512);
    const std::string wide(512, '\xE9'); // two bytes each in UTF-8
    CHECK(printed([&] { DbgPrint("%s", wide.c_str()); }).size() == 1024);
}

TEST_CASE("components show errors, and DbgPrint everything", "[print]") {
    const auto shown = [](ULONG component, ULONG level) {
        const bool said = !printed([=] { DbgPrintEx(component, level, "x"); }).empty();
        CHECK(said == (DbgQueryDebugFilterState(component, level) == TRUE));
        return said;
    };
    CHECK(shown(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL));
    CHECK_FALSE(shown(DPFLTR_IHVDRIVER_ID, DPFLTR_INFO_LEVEL));
    CHECK(shown(DPFLTR_IHVDRIVER_ID, DPFLTR_MASK | 1)); // from 32 on a level is a mask
    CHECK_FALSE(shown(DPFLTR_IHVDRIVER_ID, DPFLTR_MASK | 2));
    CHECK(shown(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL));
    CHECK(shown(0xFFFFFFFF, DPFLTR_TRACE_LEVEL));
    CHECK(DbgQueryDebugFilterState(0x1000, 0) == STATUS_INVALID_PARAMETER_1);
    CHECK(printed([] { DbgPrintEx(0x1000, 0, "x"); }).empty());
}

TEST_CASE("a prefix stands in front", "[print]") {
    CHECK(printed([] { print_list("echo: ", "%d%s", 5, "!"); }) == "echo: 5!");
}
