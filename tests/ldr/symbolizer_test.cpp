// Addresses to functions and lines.
#include "catch.hpp"
#include "plugin_files.hpp"

#include "ldr/stack_walk.hpp"
#include "ldr/symbolizer.hpp"

#include <fmt/format.h>

#include <errno.h>
#include <pthread.h>

using namespace ldr_test;
using namespace dirql::ldr;

namespace {

StackTrace captured;

AddressRange this_stack() {
    pthread_attr_t attributes;
    void* low = nullptr;
    std::size_t size = 0;
    REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    const auto begin = reinterpret_cast<std::uintptr_t>(low);
    return {begin, begin + size};
}

// What the plug-in calls. The first frame is this one's: its return address is the plug-in's.
void capture_stack() {
    const auto stack = this_stack();
    captured = walk_stack(0, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)), stack.begin, stack.end);
}

const Names kernel({{"KeCaptureStack", reinterpret_cast<void*>(&capture_stack)}});

// The line of lines.c that carries a marker.
int line_of(const std::string& marker) {
    std::ifstream source(LDR_SOURCE_DIR "/lines.c");
    int number = 1;
    for (std::string line; std::getline(source, line); ++number)
        if (line.find("LINE: " + marker) != std::string::npos) return number;
    return -1;
}

struct Placed {
    explicit Placed(const std::string& name)
        : source(ImageTemplate::load(plugin_path(name), kernel).value()), memory(*source),
          image(source->instantiate(memory.pages())) {
        memory.protect(*source);
    }
    std::shared_ptr<const ImageTemplate> source;
    Memory memory;
    LoadedImage image;
};

[[gnu::noinline]] int host_function_for_the_symbolizer(int x) {
    asm volatile("");
    return x + 1;
}

} // namespace

TEST_CASE("a stack in a plug-in is walked and named") {
    for (const auto& compiler : compilers()) {
        CAPTURE(compiler);
        const Placed placed("lines_" + compiler);
        CHECK(placed.image.entry_as<int()>()() == 7);
        Symbolizer symbolizer;
        symbolizer.add(placed.image);

        REQUIRE(captured.size() > 4);
        std::size_t frame = 1;
        for (const auto* function : {"read_device", "dispatch", "DriverEntry"}) {
            const auto address = captured[frame++];
            const auto location = symbolizer.locate_caller(address);
            CHECK(location.function == function);
            CHECK(location.line == line_of(function));
            CHECK_THAT(location.file, Catch::Matchers::EndsWith("plugins/lines.c"));
            const auto offset = address - reinterpret_cast<std::uintptr_t>(placed.image.base);
            CHECK(location.describe() ==
                  fmt::format("{} (lines.c:{}, lines_{}.so+{:#x})", function, line_of(function), compiler, offset));
        }
        CHECK(symbolizer.locate_caller(captured[frame]).image == program_invocation_short_name);
    }
}

TEST_CASE("a plug-in without debug information is named by offset") {
    const Placed placed("no_lines_gcc");
    placed.image.entry_as<int()>()();
    Symbolizer symbolizer;
    symbolizer.add(placed.image);
    REQUIRE(captured.size() > 1);
    const auto location = symbolizer.locate_caller(captured[1]);
    CHECK(location.function.empty());
    CHECK(location.line == 0);
    const auto offset = captured[1] - reinterpret_cast<std::uintptr_t>(placed.image.base);
    CHECK(location.describe() == fmt::format("no_lines_gcc.so+{:#x}", offset));
}

TEST_CASE("two instances of one plug-in are told apart by address") {
    const Placed first("lines_gcc"), second("lines_gcc");
    Symbolizer symbolizer;
    symbolizer.add(first.image);
    symbolizer.add(second.image);
    const auto one = symbolizer.locate(reinterpret_cast<std::uintptr_t>(first.image.entry));
    const auto other = symbolizer.locate(reinterpret_cast<std::uintptr_t>(second.image.entry));
    CHECK(one.function == "DriverEntry");
    CHECK(one.describe() == other.describe());
}

TEST_CASE("host code is named too") {
    REQUIRE(host_function_for_the_symbolizer(1) == 2);
    const auto address = reinterpret_cast<std::uintptr_t>(&host_function_for_the_symbolizer);
    const auto location = Symbolizer().locate(address);
    CHECK_THAT(location.function, Catch::Matchers::Contains("host_function_for_the_symbolizer(int)"));
    CHECK(location.image == program_invocation_short_name);
    const auto in_library = Symbolizer().locate(reinterpret_cast<std::uintptr_t>(&mprotect));
    CHECK_FALSE(in_library.image.empty());
}

TEST_CASE("an address of nobody is just that") {
    const auto location = Symbolizer().locate(0x1234);
    CHECK(location.describe() == "0x1234");
    CHECK(location.function.empty());
}
