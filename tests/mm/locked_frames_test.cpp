// Frames that MDLs have locked: whoever gives one back, it stays what it is until its last lock has gone.
#include "catch.hpp"
#include "ke/system_service.hpp"
#include "mm/mdl.hpp"
#include "mm/section.hpp"
#include "mm/virtual_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/state.hpp"
#include "support/kernel_fixture.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

using namespace dirql;
using test::KernelFixture;
using test::status_raised_by;

namespace {

std::byte* allocate(mm::Arena& arena, std::size_t bytes, ULONG type = MEM_RESERVE | MEM_COMMIT) {
    mm::VirtualRange range{nullptr, bytes};
    REQUIRE(mm::allocate_virtual(arena, range, 0, type, PAGE_READWRITE) == STATUS_SUCCESS);
    return static_cast<std::byte*>(range.base);
}

NTSTATUS release(mm::Arena& arena, void* base, std::size_t bytes = 0, ULONG type = MEM_RELEASE) {
    mm::VirtualRange range{base, bytes};
    return mm::free_virtual(arena, range, type, KernelMode);
}

PMDL mdl_of(void* address, std::size_t bytes) {
    return IoAllocateMdl(address, static_cast<ULONG>(bytes), FALSE, FALSE, nullptr);
}

NTSTATUS lock(PMDL mdl, KPROCESSOR_MODE mode = UserMode) {
    return status_raised_by([=] { MmProbeAndLockPages(mdl, mode, IoModifyAccess); });
}

std::byte* system_address(PMDL mdl) {
    return static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
}

mm::Section* make_section(LONGLONG bytes) {
    void* body = nullptr;
    if (ob::create_object(mm::section_type, nullptr, KernelMode, sizeof(mm::Section), &body) != STATUS_SUCCESS)
        return nullptr;
    auto* section = static_cast<mm::Section*>(body);
    return mm::initialize_section(*section, bytes, PAGE_READWRITE, SEC_COMMIT) == STATUS_SUCCESS ? section : nullptr;
}

} // namespace

TEST_CASE("a page that is freed while it is locked stays the MDL's, and nobody else's", "[mdl][frames]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        (void)release(arena, allocate(arena, 1)); // the arena's tables
        PMDL first = mdl_of(nullptr, 1);
        PMDL second = mdl_of(nullptr, 1);
        const std::size_t free_pages = kernel.slot().free_page_count();

        std::byte* user = allocate(arena, 3 * PAGE_SIZE);
        MmInitializeMdl(first, user + PAGE_SIZE, PAGE_SIZE);
        MmInitializeMdl(second, user + PAGE_SIZE, 10);
        REQUIRE(lock(first) == STATUS_SUCCESS);
        REQUIRE(lock(second) == STATUS_SUCCESS);
        const auto frame = static_cast<ke::Pfn>(*MmGetMdlPfnArray(first));
        CHECK(*MmGetMdlPfnArray(second) == frame);
        CHECK(kernel.slot().frame_locks(frame) == 2);
        std::memset(user, 0x5A, 3 * PAGE_SIZE);
        std::byte* system = system_address(first);
        CHECK(release(arena, user) == STATUS_SUCCESS);
        // The two pages that nobody had locked are free.
        CHECK(kernel.slot().free_page_count() == free_pages - 1);
        CHECK(!MmIsAddressValid(user + PAGE_SIZE));

        // Others get other frames, wherever they come from, and a later page at the address is another one.
        std::byte* again = allocate(arena, 40 * PAGE_SIZE);
        std::memset(again, 0x11, 40 * PAGE_SIZE);
        for (int page = 0; page < 40; ++page) CHECK(kernel.slot().frame_of(again + page * PAGE_SIZE) != frame);
        CHECK(system[0] == std::byte{0x5A});
        CHECK(system[PAGE_SIZE - 1] == std::byte{0x5A});
        system[7] = std::byte{7};

        MmUnlockPages(first); // and unmaps
        CHECK(kernel.slot().frame_locks(frame) == 1);
        CHECK(kernel.slot().free_page_count() == free_pages - 41);
        CHECK(*system_address(second) == std::byte{0x5A});
        CHECK(system_address(second)[7] == std::byte{7});
        MmUnlockPages(second);
        CHECK(kernel.slot().frame_locks(frame) == 0);
        CHECK(kernel.slot().free_page_count() == free_pages - 40);
        CHECK(release(arena, again) == STATUS_SUCCESS);
        CHECK(kernel.slot().free_page_count() == free_pages);
        IoFreeMdl(first);
        IoFreeMdl(second);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("memory is given back while other pages of the process are locked", "[mdl][frames]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        std::byte* kept = allocate(arena, PAGE_SIZE);
        PMDL mdl = mdl_of(kept, 1);
        REQUIRE(lock(mdl) == STATUS_SUCCESS);
        (void)release(arena, allocate(arena, 100 * PAGE_SIZE));
        const std::size_t free_pages = kernel.slot().free_page_count();
        for (int round = 0; round < 20; ++round) CHECK(release(arena, allocate(arena, 100 * PAGE_SIZE)) == 0);
        CHECK(kernel.slot().free_page_count() == free_pages);
        std::byte* low = nullptr;
        std::byte* top = nullptr;
        for (int round = 0; round < 3; ++round) {
            REQUIRE(mm::allocate_user_stack(process, 8 * PAGE_SIZE, low, top));
            mm::free_user_stack(process, low);
        }
        CHECK(kernel.slot().free_page_count() == free_pages);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("parts of a locked buffer are unlocked as MmAdvanceMdl passes them", "[mdl][frames]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        std::byte* user = allocate(arena, 3 * PAGE_SIZE);
        PMDL mdl = mdl_of(user, 3 * PAGE_SIZE);
        REQUIRE(lock(mdl) == STATUS_SUCCESS);
        (void)release(arena, user);
        const std::size_t free_pages = kernel.slot().free_page_count();
        CHECK(MmAdvanceMdl(mdl, PAGE_SIZE + 5) == STATUS_SUCCESS);
        CHECK(kernel.slot().free_page_count() == free_pages + 1);
        MmUnlockPages(mdl);
        CHECK(kernel.slot().free_page_count() == free_pages + 3);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("selected pages, a process's pages and the kernel's own are counted, too", "[mdl][frames]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        std::byte* user = allocate(arena, 2 * PAGE_SIZE);
        FILE_SEGMENT_ELEMENT segments[3] = {};
        for (auto& segment : segments) segment.Buffer = user + PAGE_SIZE; // the same page three times
        PMDL selected = mdl_of(nullptr, 3 * PAGE_SIZE);
        REQUIRE(status_raised_by([&] { MmProbeAndLockSelectedPages(selected, segments, UserMode, IoReadAccess); }) ==
                STATUS_SUCCESS);
        const ke::Pfn frame = kernel.slot().frame_of(user + PAGE_SIZE);
        CHECK(kernel.slot().frame_locks(frame) == 3);
        PMDL own = mdl_of(user, 2 * PAGE_SIZE);
        REQUIRE(status_raised_by([&] {
                    MmProbeAndLockProcessPages(own, reinterpret_cast<PEPROCESS>(&process), UserMode, IoReadAccess);
                }) == STATUS_SUCCESS);
        CHECK(kernel.slot().frame_locks(frame) == 4);
        MmUnlockPages(own);
        CHECK(kernel.slot().frame_locks(frame) == 3);
        MmUnlockPages(selected);
        CHECK(kernel.slot().frame_locks(frame) == 0);
        IoFreeMdl(own);
        IoFreeMdl(selected);

        // A build for nonpaged pool locks nothing; a lock on pool holds its page.
        auto* pool = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 4 * PAGE_SIZE, 1));
        const ke::Pfn of_pool = kernel.slot().frame_of(pool);
        PMDL built = mdl_of(pool, PAGE_SIZE);
        MmBuildMdlForNonPagedPool(built);
        CHECK(kernel.slot().frame_locks(of_pool) == 0);
        IoFreeMdl(built);
        PMDL locked = mdl_of(pool, PAGE_SIZE);
        REQUIRE(lock(locked, KernelMode) == STATUS_SUCCESS);
        CHECK(kernel.slot().frame_locks(of_pool) == 1);
        ExFreePool(pool);
        const std::size_t free_pages = kernel.slot().free_page_count();
        MmUnlockPages(locked);
        CHECK(kernel.slot().free_page_count() == free_pages + 1);
        IoFreeMdl(locked);

        // What could not be locked is not counted.
        PMDL beyond = mdl_of(user + PAGE_SIZE, 2 * PAGE_SIZE);
        CHECK(lock(beyond) == STATUS_ACCESS_VIOLATION);
        CHECK(kernel.slot().frame_locks(frame) == 0);
        IoFreeMdl(beyond);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a section's pages outlive the section while they are locked", "[mdl][section][frames]") {
    KernelFixture kernel({ob::initialize, mm::initialize_sections});
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        ob::dereference(make_section(3 * PAGE_SIZE)); // pool
        (void)release(arena, allocate(arena, 64 * PAGE_SIZE));
        PMDL mdl = mdl_of(nullptr, PAGE_SIZE + 1);
        const std::size_t free_pages = kernel.slot().free_page_count();
        mm::Section* section = make_section(3 * PAGE_SIZE);
        mm::Region* region = nullptr;
        REQUIRE(mm::map_view_of(*section, arena, {}, region) == STATUS_SUCCESS);
        std::byte* view = arena.address_of(region->first);
        std::memset(view, 0x3C, 3 * PAGE_SIZE);
        MmInitializeMdl(mdl, view + PAGE_SIZE, PAGE_SIZE + 1);
        REQUIRE(lock(mdl) == STATUS_SUCCESS);
        const std::byte* system = system_address(mdl);
        mm::release_region(*region);
        ob::dereference(section); // the last
        CHECK(kernel.slot().free_page_count() <= free_pages - 2);
        std::byte* other = allocate(arena, 64 * PAGE_SIZE);
        std::memset(other, 0x11, 64 * PAGE_SIZE);
        CHECK(system[0] == std::byte{0x3C});
        CHECK(system[PAGE_SIZE] == std::byte{0x3C});
        MmUnlockPages(mdl);
        (void)release(arena, other);
        CHECK(kernel.slot().free_page_count() == free_pages);
        IoFreeMdl(mdl);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pages that are unlocked more often than locked", "[mdl][frames][bugcheck]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::Pfn frame = 0;
    SECTION("a frame") {
        const ke::Stop stop = kernel.run([&] {
            PMDL pages = MmAllocatePagesForMdl({}, {.QuadPart = -1}, {}, PAGE_SIZE);
            frame = static_cast<ke::Pfn>(*MmGetMdlPfnArray(pages));
            MmUnlockPages(pages); // MmFreePagesFromMdl is what it needs
        });
        CHECK(stop.code == PFN_LIST_CORRUPT);
        CHECK(stop.parameters[0] == 7);
        CHECK(stop.parameters[1] == frame);
    }
    SECTION("a process's") {
        PMDL mdl = nullptr;
        const ke::Stop stop = kernel.run([&] {
            mdl = mdl_of(mm::allocate_user(process, PAGE_SIZE), 1);
            (void)mm::lock_pages(mdl, UserMode, IoReadAccess);
            MmUnlockPages(mdl);
            mdl->MdlFlags |= MDL_PAGES_LOCKED;
            MmUnlockPages(mdl);
        });
        CHECK(stop.code == PROCESS_HAS_LOCKED_PAGES);
        CHECK(stop.parameters[0] == 1);
        CHECK(stop.parameters[1] == ke::parameter(mdl));
        CHECK(stop.parameters[2] == 0);
    }
}

namespace {

// The model: a frame lives while a page of the process, a section or a locked MDL refers to it.
struct Frame {
    static inline std::size_t alive = 0;
    std::byte value{};
    Frame() { ++alive; }
    ~Frame() { --alive; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
};
using FrameRef = std::shared_ptr<Frame>;

constexpr std::size_t private_pages = 24;
constexpr std::size_t section_pages = 6;
constexpr std::size_t most_locked = 4; // pages of one MDL

struct Lock {
    PMDL mdl;
    std::vector<FrameRef> frames; // of a locked one
};

class World {
public:
    World(KernelFixture& kernel, mm::Arena& arena, unsigned seed) : kernel_(kernel), arena_(arena), random_(seed) {
        user_ = allocate(arena, private_pages * PAGE_SIZE, MEM_RESERVE);
        for (Lock& lock : locks_) lock.mdl = mdl_of(nullptr, most_locked * PAGE_SIZE);
        create_section(); // pool and the arena's tables
        map_view();
        unmap_view();
        destroy_section();
        (void)mm::commit_page(arena, arena.page_of(user_), PAGE_READWRITE);
        mm::decommit_page(arena, arena.page_of(user_));
        create_section();
        free_with_section_ = kernel.slot().free_page_count() + Frame::alive;
        destroy_section();
        free_without_ = kernel.slot().free_page_count() + Frame::alive;
    }

    void step() {
        switch (upto(9)) {
        case 0:
        case 1: commit(upto(private_pages)); break;
        case 2: decommit(upto(private_pages), 1 + upto(3)); break;
        case 3:
        case 4: lock_or_unlock(locks_[upto(locks_.size())]); break;
        case 5: section_ == nullptr ? create_section() : region_ == nullptr ? map_view() : unmap_view(); break;
        case 6:
            if (section_ != nullptr && region_ == nullptr) destroy_section();
            break;
        case 7: write_by_process(); break;
        default: write_by_mdl(locks_[upto(locks_.size())]); break;
        }
        check_frames();
    }
    void finish() {
        for (Lock& lock : locks_) {
            if (!lock.frames.empty()) lock_or_unlock(lock);
        }
        decommit(0, private_pages);
        if (region_ != nullptr) unmap_view();
        if (section_ != nullptr) destroy_section();
        check_frames();
        expect(Frame::alive == 0);
        expect(arena_.locked_pages == 0);
        for (const Lock& lock : locks_) IoFreeMdl(lock.mdl);
        (void)release(arena_, user_);
    }
    int mismatches = 0;

private:
    std::size_t upto(std::size_t count) { return random_() % count; }
    void expect(bool holds) { mismatches += !holds; }

    void check_frames() {
        expect(kernel_.slot().free_page_count() + Frame::alive ==
               (section_ == nullptr ? free_without_ : free_with_section_));
        for (std::size_t page = 0; page < private_pages; ++page) {
            if (own_[page] != nullptr) expect(user_[page * PAGE_SIZE + 9] == own_[page]->value);
        }
        for (std::size_t page = 0; region_ != nullptr && page < section_pages; ++page)
            expect(view()[page * PAGE_SIZE + 9] == shared_[page]->value);
    }
    void commit(std::size_t page) {
        mm::VirtualRange range{user_ + page * PAGE_SIZE, 1};
        expect(mm::allocate_virtual(arena_, range, 0, MEM_COMMIT, PAGE_READWRITE) == STATUS_SUCCESS);
        if (own_[page] == nullptr) own_[page] = std::make_shared<Frame>();
    }
    void decommit(std::size_t first, std::size_t count) {
        count = std::min(count, private_pages - first);
        expect(release(arena_, user_ + first * PAGE_SIZE, count * PAGE_SIZE, MEM_DECOMMIT) == STATUS_SUCCESS);
        for (std::size_t page = first; page < first + count; ++page) own_[page] = nullptr;
    }
    void lock_or_unlock(Lock& lock) {
        if (!lock.frames.empty()) {
            const auto* system = static_cast<const std::byte*>(MmGetSystemAddressForMdlSafe(lock.mdl, 16));
            for (std::size_t i = 0; i < lock.frames.size(); ++i)
                expect(system[i * PAGE_SIZE + 9] == lock.frames[i]->value);
            MmUnlockPages(lock.mdl);
            lock.frames.clear();
            return;
        }
        const bool of_view = region_ != nullptr && upto(3) == 0;
        const std::size_t pages = of_view ? section_pages : private_pages;
        const std::size_t count = 1 + upto(most_locked), first = upto(pages - count + 1);
        const FrameRef* frames = (of_view ? shared_.data() : own_.data()) + first;
        MmInitializeMdl(lock.mdl, (of_view ? view() : user_) + first * PAGE_SIZE, count * PAGE_SIZE);
        const bool whole = std::none_of(frames, frames + count, [](const FrameRef& f) { return f == nullptr; });
        expect(mm::lock_pages(lock.mdl, UserMode, IoModifyAccess) ==
               (whole ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION));
        if (whole) lock.frames.assign(frames, frames + count);
    }
    void create_section() {
        section_ = make_section(section_pages * PAGE_SIZE);
        for (FrameRef& frame : shared_) frame = std::make_shared<Frame>();
    }
    void destroy_section() {
        ob::dereference(section_);
        section_ = nullptr;
        for (FrameRef& frame : shared_) frame = nullptr;
    }
    void map_view() { expect(mm::map_view_of(*section_, arena_, {}, region_) == STATUS_SUCCESS); }
    void unmap_view() {
        mm::release_region(*region_);
        region_ = nullptr;
    }
    [[nodiscard]] std::byte* view() const { return arena_.address_of(region_->first); }
    void write_by_process() {
        const std::size_t page = upto(private_pages + section_pages);
        const bool of_view = page >= private_pages;
        if (of_view ? region_ == nullptr : own_[page] == nullptr) return;
        Frame& frame = of_view ? *shared_[page - private_pages] : *own_[page];
        std::byte* at = of_view ? view() + (page - private_pages) * PAGE_SIZE : user_ + page * PAGE_SIZE;
        at[9] = frame.value = static_cast<std::byte>(random_());
    }
    void write_by_mdl(const Lock& lock) {
        if (lock.frames.empty()) return;
        const std::size_t page = upto(lock.frames.size());
        auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(lock.mdl, NormalPagePriority));
        system[page * PAGE_SIZE + 9] = lock.frames[page]->value = static_cast<std::byte>(random_());
    }

    KernelFixture& kernel_;
    mm::Arena& arena_;
    std::minstd_rand random_;
    std::byte* user_ = nullptr;
    std::array<FrameRef, private_pages> own_;
    std::array<FrameRef, section_pages> shared_;
    mm::Section* section_ = nullptr;
    mm::Region* region_ = nullptr;
    std::array<Lock, 6> locks_;
    std::size_t free_with_section_ = 0, free_without_ = 0; // but for the model's frames
};

} // namespace

TEST_CASE("locked frames are as a simple model says", "[mdl][frames][property]") {
    KernelFixture kernel({ob::initialize, mm::initialize_sections});
    ke::Process& process = kernel.create_process();
    const unsigned seed = 20'261'120;
    const ke::Stop stop = kernel.run([&] {
        World world(kernel, *mm::arena_of(process), seed);
        for (int step = 0; step < 12'000; ++step) {
            world.step();
            if (world.mismatches != 0) FAIL("step " << step << " of seed " << seed << " is not as the model says");
        }
        world.finish();
        CHECK(world.mismatches == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
