// The frame-pointer walk, on good chains and on rubbish.
#include "catch.hpp"

#include "ldr/stack_walk.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <random>

using namespace dirql::ldr;

namespace {

using Words = std::array<std::uintptr_t, 32>;

std::uintptr_t address(const Words& words, std::size_t index) {
    return reinterpret_cast<std::uintptr_t>(&words[0] + index);
}

StackTrace walk(const Words& words, std::uintptr_t rbp) {
    return walk_stack(0x111, rbp, address(words, 0), address(words, words.size()));
}

} // namespace

TEST_CASE("a chain of frames is followed to its end") {
    Words stack{};
    stack[2] = address(stack, 8);
    stack[3] = 0x222;
    stack[8] = address(stack, 20);
    stack[9] = 0x333;
    stack[20] = 0;
    stack[21] = 0x444;
    CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222, 0x333, 0x444});
}

TEST_CASE("a broken chain ends the trace") {
    Words stack{};
    stack[2] = address(stack, 8);
    stack[3] = 0x222;

    SECTION("null return address") { CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222}); }
    SECTION("a loop") {
        stack[8] = address(stack, 2);
        stack[9] = 0x333;
        CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222, 0x333});
    }
    SECTION("a frame that is its own caller") {
        stack[2] = address(stack, 2);
        CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222});
    }
    SECTION("misaligned") {
        stack[2] = address(stack, 8) + 4;
        CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222});
    }
    SECTION("the last word of the stack holds no whole frame") {
        stack[2] = address(stack, 31);
        CHECK(walk(stack, address(stack, 2)) == StackTrace{0x111, 0x222});
    }
}

TEST_CASE("a frame pointer outside the stack gives the instruction alone") {
    const Words stack{};
    for (const std::uintptr_t rbp : {std::uintptr_t{0}, std::uintptr_t{8}, ~std::uintptr_t{0}, ~std::uintptr_t{7},
                                     address(stack, 0) - 8, address(stack, 32)})
        CHECK(walk(stack, rbp) == StackTrace{0x111});
}

TEST_CASE("a deep chain is cut at the trace's capacity") {
    std::array<std::uintptr_t, 400> stack{};
    const auto at = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(&stack[i]); };
    for (std::size_t i = 0; i + 3 < stack.size(); i += 2) {
        stack[i] = at(i + 2);
        stack[i + 1] = 0x1000 + i;
    }
    const auto trace = walk_stack(1, at(0), at(0), at(0) + sizeof(stack));
    CHECK(trace.size() == max_stack_frames);
    CHECK(trace.back() == 0x1000 + 2 * (max_stack_frames - 2));
}

TEST_CASE("rubbish between guard pages never faults") {
    constexpr std::size_t page = 4096;
    auto* memory = static_cast<std::byte*>(mmap(nullptr, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(mprotect(memory + page, page, PROT_READ | PROT_WRITE) == 0);
    const auto low = reinterpret_cast<std::uintptr_t>(memory + page), high = low + page;
    std::mt19937_64 random(7);
    std::size_t frames = 0;
    for (int round = 0; round < 2000; ++round) {
        for (std::size_t i = 0; i < page; i += 8) {
            const auto value = random() % 4 == 0 ? random() : low - 64 + random() % (page + 128);
            std::memcpy(memory + page + i, &value, sizeof(value));
        }
        frames += walk_stack(1, low - 16 + random() % (page + 32), low, high).size();
    }
    CHECK(frames > 2000); // some chains were followed
    munmap(memory, 3 * page);
}

namespace {

StackTrace here;

[[gnu::noinline]] int capture() {
    pthread_attr_t attributes;
    void* low = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return -1;
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    const auto begin = reinterpret_cast<std::uintptr_t>(low);
    here = walk_stack(1, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)), begin, begin + size);
    return 0;
}

int descend(int depth);
int (*volatile descend_call)(int) = descend; // a call that no compiler unrolls

int descend(int depth) { return 1 + (depth > 0 ? descend_call(depth - 1) : capture()); }

} // namespace

TEST_CASE("a real stack is walked") {
    REQUIRE(descend_call(4) == 5);
    REQUIRE(here.size() >= 7);
    CHECK(here[1] != here[2]);                                                      // the call of capture
    for (std::size_t depth = 2; depth <= 5; ++depth) CHECK(here[depth] == here[2]); // the recursion's call
    CHECK(here[6] != here[2]);                                                      // the test's
}
