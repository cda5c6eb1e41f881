// Slots: the address space of one machine after another.
#include "machines.hpp"

#include "ke/slot.hpp"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <sys/mman.h>

using namespace ke_test;

namespace {

constexpr unsigned test_slot = 60; // fixtures take the first ones, and the host may have taken the last
constexpr std::size_t memory = std::size_t{8} << 20;

bool all_zero(const std::byte* bytes, std::size_t count) {
    return std::all_of(bytes, bytes + count, [](std::byte b) { return b == std::byte{0}; });
}

sigjmp_buf after_fault;

bool faults(volatile std::byte* address) {
    struct sigaction action {
    }, before_segv{}, before_bus{};
    action.sa_handler = [](int) { siglongjmp(after_fault, 1); };
    sigaction(SIGSEGV, &action, &before_segv);
    sigaction(SIGBUS, &action, &before_bus);
    volatile bool faulted = true; // survives the jump
    if (sigsetjmp(after_fault, 1) == 0) {
        (void)*address;
        faulted = false;
    }
    sigaction(SIGSEGV, &before_segv, nullptr);
    sigaction(SIGBUS, &before_bus, nullptr);
    return faulted;
}

} // namespace

TEST_CASE("pages come from low addresses upwards, zeroed, and freed ones come again", "[ke][slot]") {
    ke::Slot slot(test_slot, memory);
    std::byte* first = slot.allocate_pages(3);
    std::byte* second = slot.allocate_pages(1);
    CHECK(first == slot.system_base());
    CHECK(second == first + 3 * ke::page_size);
    CHECK(all_zero(first, 4 * ke::page_size));
    slot.free_pages(first, 3);
    CHECK(slot.allocate_pages(4) == second + ke::page_size); // a run of four fits only behind
    CHECK(slot.allocate_pages(3) == first);
}

TEST_CASE("exhausted memory is null, and comes back", "[ke][slot]") {
    ke::Slot slot(test_slot, memory);
    const std::size_t all = slot.physical_pages();
    CHECK(slot.allocate_pages(0) == nullptr);
    CHECK(slot.allocate_pages(all + 1) == nullptr);
    std::byte* everything = slot.allocate_pages(all);
    REQUIRE(everything != nullptr);
    CHECK(slot.free_page_count() == 0);
    CHECK(slot.allocate_pages(1) == nullptr);
    slot.free_pages(everything, all);
    CHECK(slot.free_page_count() == all);
    CHECK(slot.allocate_pages(all) == everything);
}

TEST_CASE("after a reset the same addresses come again, with zeroes", "[ke][slot]") {
    ke::Slot slot(test_slot, memory);
    const std::size_t pages = GENERATE(std::size_t{5}, std::size_t{1500}); // both ways of clearing
    std::byte* before = slot.allocate_pages(pages);
    std::memset(before, 0xAB, pages * ke::page_size);
    slot.protect(before + ke::page_size, 1, PROT_NONE);
    slot.reset();
    CHECK(slot.free_page_count() == slot.physical_pages());
    std::byte* after = slot.allocate_pages(pages);
    CHECK(after == before);
    CHECK(all_zero(after, pages * ke::page_size)); // the guard page too, open again
}

TEST_CASE("a frame mapped twice shows the same data; a reset unmaps", "[ke][slot]") {
    ke::Slot slot(test_slot, memory);
    std::byte* direct = slot.allocate_pages(2);
    const ke::Pfn frame = slot.frame_of(direct + ke::page_size);
    std::byte* user = slot.user_base() + 0x10000;
    std::byte* view = slot.reserve_views(1);
    REQUIRE(view != nullptr);
    REQUIRE(slot.map_frames(user, frame, 1));
    REQUIRE(slot.map_frames(view, frame, 1, false));
    user[7] = std::byte{42};
    CHECK(direct[ke::page_size + 7] == std::byte{42});
    CHECK(view[7] == std::byte{42});
    CHECK(slot.frame_of(user + 7) == frame);
    CHECK(slot.frame_of(view + 7) == frame);
    CHECK(slot.frame_of(user + ke::page_size) == ke::no_frame);
    CHECK(slot.address_of_frame(frame) == direct + ke::page_size);
    slot.release_views(view, 1);
    CHECK(slot.frame_of(view) == ke::no_frame);
    CHECK(slot.reserve_views(1) == view);
    slot.reset();
    CHECK(slot.frame_of(user) == ke::no_frame);
    CHECK(faults(user));
}

TEST_CASE("guard pages, unmapped views and memory beyond the end fault", "[ke][slot]") {
    ke::Slot slot(test_slot, memory);
    std::byte* page = slot.allocate_pages(2);
    slot.protect(page, 1, PROT_NONE);
    CHECK(faults(page));
    CHECK_FALSE(faults(page + ke::page_size));
    CHECK(faults(slot.system_base() + memory));
    CHECK(faults(slot.user_base()));
    CHECK(faults(slot.reserve_views(1)));
}

TEST_CASE("two slots of one number cannot be; others can", "[ke][slot]") {
    const ke::Slot slot(test_slot, memory);
    CHECK_THROWS_AS(ke::Slot(test_slot, memory), std::system_error);
    const ke::Slot other(test_slot - 1, memory);
    CHECK_FALSE(slot.in_system_half(other.system_base()));
    CHECK(slot.in_user_half(slot.user_base() + 1));
}

TEST_CASE("the next machine in a slot is as the first was", "[ke][slot]") {
    ke::Slot slot(test_slot, std::size_t{64} << 20);
    std::vector<std::uint64_t> addresses;
    for (int i = 0; i < 3; ++i) {
        ke::Machine* machine = ke::create_machine(slot, shape(4, 1), nullptr);
        REQUIRE(machine != nullptr);
        CHECK(machine->now == 0);
        CHECK(machine->stop.kind == ke::StopKind::none);
        addresses.push_back(reinterpret_cast<std::uint64_t>(machine->allocate(100)));
        slot.reset();
    }
    CHECK(addresses[1] == addresses[0]);
    CHECK(addresses[2] == addresses[0]);
}

TEST_CASE("a machine that does not fit is refused", "[ke][slot]") {
    ke::Slot slot(test_slot, 64 << 10);
    CHECK(ke::create_machine(slot, shape(8), nullptr) == nullptr);
}
