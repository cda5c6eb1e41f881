#include "catch.hpp"
#include "crt_prototypes.hpp"
#include "support/random.hpp"
#include "rtl/memory.hpp"

#include <cstring>
#include <vector>

using namespace dirql;

namespace {

std::vector<unsigned char> pattern(std::size_t size, test::Random& random) {
    std::vector<unsigned char> bytes(size);
    for (auto& byte : bytes) byte = static_cast<unsigned char>(random.next());
    return bytes;
}

} // namespace

TEST_CASE("move_memory agrees with memmove for any overlap", "[memory]") {
    test::Random random(1);
    for (int step = 0; step < test::property_steps; ++step) {
        auto ours = pattern(step % 10 == 0 ? 8192 : 300, random);
        auto theirs = ours;
        const std::size_t size = random.below(ours.size() / 2);
        const std::size_t from = random.below(ours.size() - size), to = random.below(ours.size() - size);
        rtl::move_memory(ours.data() + to, ours.data() + from, size);
        std::memmove(theirs.data() + to, theirs.data() + from, size);
        INFO("size " << size << " from " << from << " to " << to);
        REQUIRE(ours == theirs);
    }
}

TEST_CASE("move_memory moves every size up to the string instruction's, either way", "[memory]") {
    test::Random random(2);
    for (std::size_t size = 0; size < 2100; ++size)
        for (const std::size_t shift : {1, 7, 15, 16, 17, 40}) {
            auto up = pattern(size + shift, random), up_wanted = up, down = up, down_wanted = up;
            rtl::move_memory(up.data() + shift, up.data(), size);
            std::memmove(up_wanted.data() + shift, up_wanted.data(), size);
            rtl::move_memory(down.data(), down.data() + shift, size);
            std::memmove(down_wanted.data(), down_wanted.data() + shift, size);
            REQUIRE(up == up_wanted);
            REQUIRE(down == down_wanted);
        }
}

TEST_CASE("fill_memory writes its range and nothing else", "[memory]") {
    for (std::size_t size = 0; size < 2200; ++size) {
        std::vector<unsigned char> bytes(size + 2, 0xEE), wanted(size + 2, 0xEE);
        rtl::fill_memory(bytes.data() + 1, 0x5A, size);
        std::fill(wanted.begin() + 1, wanted.end() - 1, 0x5A);
        REQUIRE(bytes == wanted);
    }
}

TEST_CASE("equal_bytes counts up to the first difference", "[memory]") {
    test::Random random(3);
    for (std::size_t size = 0; size < 80; ++size)
        for (std::size_t difference = 0; difference <= size; ++difference) {
            const auto left = pattern(size, random);
            auto right = left;
            if (difference < size) right[difference] ^= 0x80;
            REQUIRE(rtl::equal_bytes(left.data(), right.data(), size) == difference);
        }
}

TEST_CASE("memcmp orders bytes as unsigned", "[memory][crt]") {
    CHECK(dirql_crt_memcmp("a\x7F", "a\x80", 2) < 0);
    CHECK(dirql_crt_memcmp("a\x80", "a\x7F", 2) > 0);
    CHECK(dirql_crt_memcmp("abcdefgh1", "abcdefgh1", 9) == 0);
    CHECK(dirql_crt_memcmp("x", "y", 0) == 0);
}

TEST_CASE("_memicmp ignores the case of letters only", "[memory][crt]") {
    CHECK(dirql_crt__memicmp("aBc", "AbC", 3) == 0);
    CHECK(dirql_crt__memicmp("[", "{", 1) < 0);
    CHECK(dirql_crt__memicmp("a", "_", 1) > 0); // compared as lower case
    CHECK(dirql_crt__memicmp("ab", "aC", 1) == 0);
}

TEST_CASE("memchr stops at its bound", "[memory][crt]") {
    const char text[] = "abcabc";
    CHECK(dirql_crt_memchr(text, 'c', 6) == text + 2);
    CHECK(dirql_crt_memchr(text, 'c', 2) == nullptr);
    CHECK(dirql_crt_memchr(text, 0x100 | 'b', 6) == text + 1);
}

TEST_CASE("memcpy_s refuses what does not fit and leaves no half copy", "[memory][crt]") {
    char to[4] = {'w', 'x', 'y', 'z'};
    CHECK(dirql_crt_memcpy_s(to, 4, "12345", 5) == 34);
    CHECK(std::memcmp(to, "\0\0\0\0", 4) == 0);
    CHECK(dirql_crt_memcpy_s(to, 4, "1234", 4) == 0);
    CHECK(std::memcmp(to, "1234", 4) == 0);
    CHECK(dirql_crt_memcpy_s(nullptr, 4, "1", 1) == 22);
    CHECK(dirql_crt_memcpy_s(nullptr, 0, nullptr, 0) == 0);
    CHECK(dirql_crt_memcpy_s(to, 4, nullptr, 1) == 22);
    CHECK(to[0] == 0);
}

TEST_CASE("memmove_s refuses and leaves the target alone", "[memory][crt]") {
    char to[4] = {'w', 'x', 'y', 'z'};
    CHECK(dirql_crt_memmove_s(to, 4, "12345", 5) == 34);
    CHECK(std::memcmp(to, "wxyz", 4) == 0);
    CHECK(dirql_crt_memmove_s(to, 4, to + 1, 3) == 0);
    CHECK(std::memcmp(to, "xyzz", 4) == 0);
}
