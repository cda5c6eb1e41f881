#include "catch.hpp"
#include "support/random.hpp"
#include "rtl/bitmap.hpp"

#include <vector>

using namespace dirql;

namespace {

// The obvious bitmap, bit by bit.
struct Model {
    std::vector<bool> bits;

    std::uint32_t size() const { return static_cast<std::uint32_t>(bits.size()); }

    std::uint32_t find(bool value, std::uint32_t from) const {
        while (from < size() && bits[from] != value) ++from;
        return std::min(from, size());
    }

    bool all_are(rtl::BitRun run, bool value) const {
        if (run.length == 0 || std::uint64_t{run.start} + run.length > size()) return false;
        return find(!value, run.start) >= run.start + run.length;
    }

    bool has_run(bool value, std::uint32_t length) const {
        for (std::uint32_t start = 0; start + length <= size(); ++start)
            if (all_are({start, length}, value)) return true;
        return false;
    }
};

} // namespace

TEST_CASE("bitmaps agree with a bit-by-bit model", "[bitmap]") {
    test::Random random(30);
    for (int step = 0; step < test::property_steps / 10; ++step) {
        const auto size = static_cast<std::uint32_t>(1 + random.below(140));
        std::vector<std::uint32_t> words((size + 31) / 32);
        rtl::Bitmap map(words.data(), size);
        Model model{std::vector<bool>(size)};
        const bool start = random.chance(2);
        map.assign_all(start);
        model.bits.assign(size, start);
        for (int change = 0; change < 12; ++change) {
            const auto at = static_cast<std::uint32_t>(random.below(size));
            const auto length = static_cast<std::uint32_t>(random.below(size - at + 1));
            const bool value = random.chance(2);
            map.assign({at, length}, value);
            for (std::uint32_t i = at; i < at + length; ++i) model.bits[i] = value;
        }
        for (const bool value : {false, true}) {
            REQUIRE(map.count(value) ==
                    static_cast<std::uint32_t>(std::count(model.bits.begin(), model.bits.end(), value)));
            for (std::uint32_t from = 0; from <= size; ++from) {
                REQUIRE(map.find(value, from) == model.find(value, from));
                const rtl::BitRun run = map.next_run(value, from);
                REQUIRE(run.start == model.find(value, from));
                REQUIRE(run.start + run.length == model.find(!value, run.start));
            }
            const auto length = static_cast<std::uint32_t>(1 + random.below(20));
            const auto hint = static_cast<std::uint32_t>(random.below(size + 10));
            const std::uint32_t found = map.find_run(value, length, hint);
            INFO("length " << length << " hint " << hint << " found " << found);
            REQUIRE((found != rtl::no_bit) == model.has_run(value, length));
            if (found != rtl::no_bit) REQUIRE(model.all_are({found, length}, value));
        }
    }
}

TEST_CASE("searching backwards", "[bitmap]") {
    std::uint32_t words[3] = {0x80000001, 0, 0x10};
    const rtl::Bitmap map(words, 70);
    CHECK(map.find_back(true, 69) == 68);
    CHECK(map.find_back(true, 67) == 31);
    CHECK(map.find_back(true, 30) == 0);
    CHECK(map.find_back(false, 68) == 67);
    CHECK(map.find_back(true, 1000) == 68);
    words[0] = 0;
    CHECK(map.find_back(true, 67) == rtl::no_bit);
}

TEST_CASE("a search begins at its hint and goes round once", "[bitmap]") {
    std::uint32_t words[2] = {0x0000FFF0, 0xFFFFFFFF};
    const rtl::Bitmap map(words, 64);
    CHECK(map.find_run(false, 4, 8) == 16);
    CHECK(map.find_run(false, 4, 40) == 0);
    CHECK(map.find_run(false, 16, 0) == 16);
    CHECK(map.find_run(false, 17, 0) == rtl::no_bit);
    CHECK(map.find_run(false, 1, 18) == 18);
    CHECK(map.find_run(true, 65, 0) == rtl::no_bit);
}

TEST_CASE("a run that leaves the bitmap is never all anything", "[bitmap]") {
    std::uint32_t words[1] = {0xFFFFFFFF};
    const rtl::Bitmap map(words, 20);
    CHECK(map.all_are({0, 20}, true));
    CHECK_FALSE(map.all_are({1, 20}, true));
    CHECK_FALSE(map.all_are({20, 1}, true));
    CHECK_FALSE(map.all_are({5, 0}, true));
    CHECK_FALSE(map.all_are({2, 0xFFFFFFFF}, true));
    CHECK(map.count(true) == 20);
}
