// The choice door: the same numbers with every compiler, for ever.
#include "ke/choice.hpp"

#include <catch.hpp>

#include <array>

using namespace dirql::ke;

namespace {

Choice seeded(std::uint64_t seed) {
    Choice choice{};
    choice.seed(seed);
    return choice;
}

} // namespace

TEST_CASE("the numbers of seed 0 are SplitMix64's", "[ke][choice]") {
    // The published sequence of seed 0 begins 0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F; kind 0 leaves it as
    // it is, and a bound of 2^31 keeps the upper 31 bits.
    Choice choice = seeded(0);
    CHECK(choice.pick(ChoiceKind::turn_length, 0x8000'0000) == 0xE220A839u >> 1);
    CHECK(choice.pick(ChoiceKind::turn_length, 0x8000'0000) == 0x6E789E6Au >> 1);
    CHECK(choice.pick(ChoiceKind::turn_length, 0x8000'0000) == 0x06C45D18u >> 1);
    CHECK(choice.choices_made() == 3);
}

TEST_CASE("golden numbers of the other kinds", "[ke][choice]") {
    Choice choice = seeded(42);
    std::array<std::uint32_t, 6> numbers{};
    for (std::uint32_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = choice.pick(i % 2 == 0 ? ChoiceKind::thread : ChoiceKind::processor, 1000);
    }
    CHECK(numbers == std::array<std::uint32_t, 6>{968, 792, 928, 172, 8, 695});
}

TEST_CASE("every number lies below its bound, and each one comes", "[ke][choice]") {
    Choice choice = seeded(7);
    for (const std::uint32_t bound : {1u, 2u, 3u, 8u, 64u}) {
        std::uint64_t seen = 0;
        for (int i = 0; i < 2000; ++i) {
            const std::uint32_t number = choice.pick(ChoiceKind::thread, bound);
            REQUIRE(number < bound);
            seen |= std::uint64_t{1} << number;
        }
        CHECK(seen == (bound == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bound) - 1));
    }
}

TEST_CASE("seeds and kinds differ", "[ke][choice]") {
    CHECK(seeded(1).pick(ChoiceKind::thread, 1u << 31) != seeded(2).pick(ChoiceKind::thread, 1u << 31));
    CHECK(seeded(1).pick(ChoiceKind::thread, 1u << 31) != seeded(1).pick(ChoiceKind::processor, 1u << 31));
}

TEST_CASE("allocations fail when they are asked to, and then through the choice door", "[ke][choice]") {
    Choice choice{};
    choice.seed(1);
    for (int i = 0; i < 10; ++i) CHECK_FALSE(choice.allocation_fails());
    CHECK(choice.choices_made() == 0);
    choice.fail_allocation(3);
    for (int i = 1; i < 10; ++i) CHECK(choice.allocation_fails() == (i == 3));
    CHECK(choice.failed_allocations() == 1);
    CHECK(choice.choices_made() == 0);
    choice.fail_allocations(4);
    int failed = 0;
    for (int i = 0; i < 1000; ++i) failed += choice.allocation_fails();
    CHECK(failed > 200);
    CHECK(failed < 300);
    CHECK(choice.failed_allocations() == static_cast<std::uint64_t>(failed));
    CHECK(choice.choices_made() == 1000);
    {
        const Choice::NoFailures meanwhile(choice);
        for (int i = 0; i < 100; ++i) CHECK_FALSE(choice.allocation_fails());
    }
    choice.fail_allocations(1);
    CHECK(choice.allocation_fails());
    choice.fail_no_allocation();
    CHECK_FALSE(choice.allocation_fails());
}
