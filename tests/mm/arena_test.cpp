#include "catch.hpp"
#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>
#include <map>

using namespace dirql;
using test::KernelFixture;

TEST_CASE("processes get stretches of the user half, one beside the other", "[arena]") {
    KernelFixture kernel;
    const ke::Process& first = kernel.create_process();
    const ke::Process& second = kernel.create_process();
    CHECK(first.arena == kernel.slot().user_base());
    CHECK(second.arena == first.arena + mm::arena_size);
    CHECK(second.arena_size == mm::arena_size);
}

TEST_CASE("a machine has room for a fixed number of processes, and for a new one when one has ended", "[arena]") {
    KernelFixture kernel;
    std::vector<ke::Process*> processes;
    for (unsigned i = 0; i < mm::max_arenas; ++i) processes.push_back(&kernel.create_process());
    CHECK_THROWS(kernel.create_process());
    (void)kernel.run([&] {
        void* used = mm::allocate_user(*processes[3], 100);
        CHECK(used != nullptr);
        mm::destroy_arena(kernel.machine(), *processes[3]);
        CHECK(kernel.slot().frame_of(used) == ke::no_frame);
    });
    CHECK(processes[3]->arena == nullptr);
    CHECK(kernel.create_process().arena == kernel.slot().user_base() + 3 * mm::arena_size);
}

TEST_CASE("user memory is aligned, mapped and apart", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        std::map<std::byte*, std::size_t> blocks;
        unsigned char fill = 0;
        for (const std::size_t align : {1u, 16u, 256u, 4096u}) {
            for (const std::size_t size : {0u, 1u, 64u, 65u, 500u, 2048u, 2049u, 4096u, 10000u, 300000u}) {
                auto* block = static_cast<std::byte*>(mm::allocate_user(process, size, align));
                REQUIRE(block != nullptr);
                CHECK(reinterpret_cast<std::uintptr_t>(block) % align == 0);
                CHECK(ke::probe_user(block, size, true) == STATUS_SUCCESS);
                std::memset(block, ++fill, size);
                blocks[block] = size;
            }
        }
        const std::byte* end = nullptr;
        for (const auto& [block, size] : blocks) {
            CHECK(block >= end);
            end = block + size;
            for (std::size_t i = 1; i < size; ++i) {
                if (block[i] != block[0]) FAIL("blocks overlap");
            }
        }
        for (const auto& [block, size] : blocks) CHECK(mm::free_user(process, block));
    });
}

TEST_CASE("freed user memory is used again", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        const std::size_t size = GENERATE(40u, 1000u, 20000u);
        void* warm_up = mm::allocate_user(process, size);
        mm::free_user(process, warm_up);
        const std::size_t pages = kernel.slot().free_page_count();
        for (int i = 0; i < 1000; ++i) {
            void* block = mm::allocate_user(process, size);
            CHECK(block == warm_up);
            mm::free_user(process, block);
        }
        CHECK(kernel.slot().free_page_count() == pages);
    });
}

TEST_CASE("what is no block of the arena is not freed", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::Process& other = kernel.create_process();
    (void)kernel.run([&] {
        auto* small = static_cast<std::byte*>(mm::allocate_user(process, 100));
        auto* big = static_cast<std::byte*>(mm::allocate_user(process, 9000));
        CHECK(!mm::free_user(process, small + 16));
        CHECK(!mm::free_user(process, small + 128));
        CHECK(!mm::free_user(process, big + 4096));
        CHECK(!mm::free_user(other, small));
        CHECK(!mm::free_user(process, &kernel));
        CHECK(!mm::free_user(*kernel.machine().system_process, small));
        CHECK(mm::free_user(process, small));
        CHECK(!mm::free_user(process, small));
        CHECK(mm::free_user(process, big));
        CHECK(!mm::free_user(process, big));
    });
}

TEST_CASE("an arena can be used up, and by its pages given back used again", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        CHECK(mm::allocate_user(process, mm::arena_size + 1) == nullptr);
        std::vector<void*> blocks;
        while (void* block = mm::allocate_user(process, std::size_t{4} << 20)) blocks.push_back(block);
        CHECK(blocks.size() == 15);
        while (mm::allocate_user(process, 4096) != nullptr) {
        }
        CHECK(mm::allocate_user(process, 1) == nullptr);
        mm::free_user(process, blocks[5]);
        CHECK(mm::allocate_user(process, std::size_t{4} << 20) == blocks[5]);
    });
}

TEST_CASE("the memory of an ended process goes back to the machine", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        const std::size_t before = kernel.slot().free_page_count();
        for (int i = 0; i < 10; ++i) (void)mm::allocate_user(process, 50000);
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        CHECK(mm::allocate_user_stack(process, 30000, low, top));
        CHECK(kernel.slot().free_page_count() < before);
        mm::destroy_arena(kernel.machine(), process);
        CHECK(kernel.slot().free_page_count() + 2 >= before); // pool pages may have been made for the arena's own table
    });
}

TEST_CASE("a user stack has a guard page below it", "[arena]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    (void)kernel.run([&] {
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        REQUIRE(mm::allocate_user_stack(process, 20000, low, top));
        CHECK(top - low == 20480);
        CHECK(ke::probe_user(low, 20480, true) == STATUS_SUCCESS);
        CHECK(ke::probe_user(low - 1, 1, false) == STATUS_ACCESS_VIOLATION);
        // The guard stays one while other memory is taken.
        for (int i = 0; i < 100; ++i) (void)mm::allocate_user(process, 4096);
        CHECK(ke::probe_user(low - 1, 1, false) == STATUS_ACCESS_VIOLATION);
        mm::free_user_stack(process, low);
        CHECK(ke::probe_user(low, 1, false) == STATUS_ACCESS_VIOLATION);
        std::byte* again = nullptr;
        REQUIRE(mm::allocate_user_stack(process, 20000, again, top));
        CHECK(again == low);
    });
}

TEST_CASE("a process that ends with locked pages", "[arena][bugcheck]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        PMDL mdl = mm::allocate_mdl(mm::allocate_user(process, 9000), 9000);
        (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
        mm::destroy_arena(kernel.machine(), process);
    });
    CHECK(stop.code == PROCESS_HAS_LOCKED_PAGES);
    CHECK(stop.parameters[0] == 0);
    CHECK(stop.parameters[1] == ke::parameter(&process));
    CHECK(stop.parameters[2] == 3);
}
