#include "catch.hpp"

#include "ldr/linked_image.hpp"

#include <array>

using namespace dirql::ldr;

namespace {

struct {
    int count = 3;
    std::array<int, 10> history{};
} state;
int separate = 9;

int driver_entry(void*, void*) {
    state.history[static_cast<std::size_t>(state.count % 10)] = state.count;
    ++state.count;
    ++separate;
    return 0;
}

void* entry() { return reinterpret_cast<void*>(&driver_entry); }

LinkedImage linked() {
    return LinkedImage(
        "counter", entry(),
        {std::as_writable_bytes(std::span(&state, 1)), {}, std::as_writable_bytes(std::span(&separate, 1))});
}

} // namespace

TEST_CASE("a linked driver's data returns to its first contents") {
    auto image = linked();
    REQUIRE(image.try_claim());
    driver_entry(nullptr, nullptr);
    driver_entry(nullptr, nullptr);
    CHECK(state.count == 5);
    CHECK(separate == 11);
    image.release();
    CHECK(state.count == 3);
    CHECK(state.history == std::array<int, 10>{});
    CHECK(separate == 9);
}

TEST_CASE("a linked driver serves one machine at a time") {
    auto image = linked();
    CHECK(image.try_claim());
    CHECK_FALSE(image.try_claim());
    image.release();
    CHECK(image.try_claim());
    image.release();
}

TEST_CASE("a linked driver's text is what it is told") {
    const auto begin = reinterpret_cast<std::uintptr_t>(entry());
    const LinkedImage image("counter", entry(), {}, {begin, begin + 1});
    CHECK(image.text() == AddressRange{begin, begin + 1});
}

TEST_CASE("a linked driver's text is that of the program, when it is not told") {
    const LinkedImage image("counter", entry());
    CHECK(image.name() == "counter");
    CHECK(image.entry() == entry());
    CHECK(image.text().contains(entry()));
    CHECK_FALSE(image.text().contains(&state));
    CHECK(image.data().empty());
}
