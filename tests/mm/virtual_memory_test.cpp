// Reserve, commit, protect, free: held against a map of pages.
#include "catch.hpp"
#include "ke/system_service.hpp"
#include "mm/mdl.hpp"
#include "mm/virtual_memory.hpp"
#include "support/kernel_fixture.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

using namespace dirql;
using test::KernelFixture;

namespace {

constexpr std::size_t kib64 = 0x10000;

struct Result {
    NTSTATUS status;
    std::byte* base;
    std::size_t bytes;
};

Result allocate(mm::Arena& arena, void* base, std::size_t bytes, ULONG type, ULONG protect = PAGE_READWRITE) {
    mm::VirtualRange range{base, bytes};
    const NTSTATUS status = mm::allocate_virtual(arena, range, 0, type, protect);
    return {status, static_cast<std::byte*>(range.base), range.bytes};
}

NTSTATUS release(mm::Arena& arena, void* base, std::size_t bytes = 0, ULONG type = MEM_RELEASE) {
    mm::VirtualRange range{base, bytes};
    return mm::free_virtual(arena, range, type, KernelMode);
}

NTSTATUS protect(mm::Arena& arena, void* base, std::size_t bytes, ULONG protection, ULONG* old = nullptr) {
    mm::VirtualRange range{base, bytes};
    ULONG before = 0;
    const NTSTATUS status = mm::protect_virtual(arena, range, protection, KernelMode, before);
    if (old != nullptr) *old = before;
    return status;
}

} // namespace

TEST_CASE("virtual memory is reserved, committed, decommitted and released", "[virtual]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        (void)release(arena, allocate(arena, nullptr, 1, MEM_RESERVE | MEM_COMMIT).base); // the arena's tables
        const std::size_t free_pages = kernel.slot().free_page_count();
        const Result reserved = allocate(arena, nullptr, 100'000, MEM_RESERVE);
        REQUIRE(reserved.status == STATUS_SUCCESS);
        CHECK(reinterpret_cast<std::uintptr_t>(reserved.base) % kib64 == 0);
        CHECK(reserved.bytes == 25 * PAGE_SIZE);
        CHECK(kernel.slot().free_page_count() == free_pages);
        CHECK(!MmIsAddressValid(reserved.base));

        const Result part = allocate(arena, reserved.base + PAGE_SIZE + 10, PAGE_SIZE, MEM_COMMIT);
        CHECK(part.status == STATUS_SUCCESS); // two pages hold a byte of it
        CHECK(part.base == reserved.base + PAGE_SIZE);
        CHECK(part.bytes == 2 * PAGE_SIZE);
        CHECK(kernel.slot().free_page_count() == free_pages - 2);
        CHECK(part.base[0] == std::byte{0});
        part.base[2 * PAGE_SIZE - 1] = std::byte{7};
        CHECK(!MmIsAddressValid(part.base - 1));
        CHECK(!MmIsAddressValid(part.base + part.bytes));
        CHECK(allocate(arena, part.base, PAGE_SIZE, MEM_COMMIT).status == STATUS_SUCCESS); // again
        CHECK(allocate(arena, part.base, PAGE_SIZE, MEM_RESET).status == STATUS_SUCCESS);
        CHECK(part.base[2 * PAGE_SIZE - 1] == std::byte{7});

        CHECK(release(arena, part.base, 1, MEM_DECOMMIT) == STATUS_SUCCESS);
        CHECK(!MmIsAddressValid(part.base));
        CHECK(release(arena, reserved.base, 3 * PAGE_SIZE, MEM_DECOMMIT) == STATUS_SUCCESS); // mixed
        CHECK(kernel.slot().free_page_count() == free_pages);
        CHECK(allocate(arena, part.base, PAGE_SIZE, MEM_COMMIT).status == STATUS_SUCCESS);
        CHECK(part.base[0] == std::byte{0});
        CHECK(release(arena, reserved.base, 0, MEM_DECOMMIT) == STATUS_SUCCESS); // all of it
        CHECK(release(arena, reserved.base) == STATUS_SUCCESS);
        CHECK(kernel.slot().free_page_count() == free_pages);
        CHECK(release(arena, reserved.base) == STATUS_MEMORY_NOT_ALLOCATED);

        // Both at once, at a place of the caller's choice; from the top; without a word of reserving.
        std::byte* const wanted = process.arena + 0x1000000 + 5000;
        const Result placed = allocate(arena, wanted, PAGE_SIZE, MEM_RESERVE | MEM_COMMIT);
        CHECK(placed.base == process.arena + 0x1000000);
        CHECK(placed.bytes == 3 * PAGE_SIZE);
        CHECK(allocate(arena, wanted, 1, MEM_RESERVE).status == STATUS_CONFLICTING_ADDRESSES);
        const Result top = allocate(arena, nullptr, PAGE_SIZE, MEM_RESERVE | MEM_TOP_DOWN);
        CHECK(top.base > placed.base);
        CHECK(top.base > process.arena + mm::arena_size - 3 * kib64);
        CHECK(allocate(arena, nullptr, 10, MEM_COMMIT).base != nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("virtual memory that cannot be had, or changed", "[virtual]") {
    KernelFixture kernel({}, {.physical_memory = std::size_t{8} << 20});
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        const auto fails = [&](void* base, std::size_t bytes, ULONG type, ULONG protection = PAGE_READWRITE) {
            return allocate(arena, base, bytes, type, protection).status;
        };
        mm::VirtualRange range{nullptr, 1};
        CHECK(mm::allocate_virtual(arena, range, 22, MEM_RESERVE, PAGE_READWRITE) == STATUS_INVALID_PARAMETER_3);
        CHECK(fails(nullptr, 0, MEM_RESERVE) == STATUS_INVALID_PARAMETER_4);
        CHECK(fails(nullptr, ~SIZE_T{0}, MEM_RESERVE) == STATUS_INVALID_PARAMETER_4);
        CHECK(fails(MmSystemRangeStart, 1, MEM_RESERVE) == STATUS_INVALID_PARAMETER_2);
        CHECK(fails(nullptr, 1, 0) == STATUS_INVALID_PARAMETER_5);
        CHECK(fails(nullptr, 1, MEM_TOP_DOWN) == STATUS_INVALID_PARAMETER_5);
        CHECK(fails(nullptr, 1, MEM_RESET | MEM_RESERVE) == STATUS_INVALID_PARAMETER_5);
        CHECK(fails(nullptr, 1, MEM_RESERVE | MEM_RELEASE) == STATUS_INVALID_PARAMETER_5);
        for (const ULONG wrong :
             {0, 3, PAGE_NOACCESS | PAGE_GUARD, PAGE_WRITECOPY, PAGE_READWRITE | PAGE_NOCACHE | PAGE_GUARD,
              PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE, 0x1000})
            CHECK(fails(nullptr, 1, MEM_RESERVE, wrong) == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(fails(process.arena + 0x100000, 1, MEM_COMMIT) == STATUS_CONFLICTING_ADDRESSES);  // nothing is reserved
        CHECK(fails(process.arena - 0x100000, 1, MEM_RESERVE) == STATUS_CONFLICTING_ADDRESSES); // not its addresses
        CHECK(fails(nullptr, mm::arena_size, MEM_RESERVE) == STATUS_NO_MEMORY);
        CHECK(fails(process.arena, mm::arena_size, MEM_RESERVE) == STATUS_CONFLICTING_ADDRESSES);
        const std::size_t free_pages = kernel.slot().free_page_count();
        CHECK(fails(nullptr, std::size_t{16} << 20, MEM_RESERVE | MEM_COMMIT) == STATUS_COMMITMENT_LIMIT);
        CHECK(kernel.slot().free_page_count() + 40 >= free_pages); // but for the arena's tables

        const Result region = allocate(arena, nullptr, 4 * PAGE_SIZE, MEM_RESERVE);
        CHECK(fails(region.base + 3 * PAGE_SIZE, 2 * PAGE_SIZE, MEM_COMMIT) == STATUS_CONFLICTING_ADDRESSES);
        CHECK(fails(region.base, PAGE_SIZE, MEM_COMMIT, PAGE_WRITECOPY) == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(protect(arena, region.base, 1, PAGE_READONLY) == STATUS_NOT_COMMITTED);
        CHECK(allocate(arena, region.base, PAGE_SIZE, MEM_COMMIT).status == STATUS_SUCCESS);
        CHECK(protect(arena, region.base, PAGE_SIZE + 1, PAGE_READONLY) == STATUS_NOT_COMMITTED);
        CHECK(protect(arena, region.base, 5 * PAGE_SIZE, PAGE_READONLY) == STATUS_CONFLICTING_ADDRESSES);
        CHECK(protect(arena, region.base, 0, PAGE_READONLY) == STATUS_INVALID_PARAMETER_3);
        CHECK(protect(arena, MmSystemRangeStart, 1, PAGE_READONLY) == STATUS_INVALID_PARAMETER_2);
        CHECK(protect(arena, region.base, 1, PAGE_WRITECOPY) == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(protect(arena, region.base, 1, 0) == STATUS_INVALID_PAGE_PROTECTION);
        for (const ULONG type : {0u, ULONG{MEM_RELEASE | MEM_DECOMMIT}, ULONG{MEM_COMMIT}})
            CHECK(release(arena, region.base, 0, type) == STATUS_INVALID_PARAMETER_4);
        CHECK(release(arena, MmSystemRangeStart) == STATUS_INVALID_PARAMETER_2);
        CHECK(release(arena, region.base, ~SIZE_T{0}) == STATUS_INVALID_PARAMETER_3);
        CHECK(release(arena, region.base + PAGE_SIZE) == STATUS_FREE_VM_NOT_AT_BASE);
        CHECK(release(arena, region.base + PAGE_SIZE, 0, MEM_DECOMMIT) == STATUS_FREE_VM_NOT_AT_BASE);
        CHECK(release(arena, region.base, PAGE_SIZE) == STATUS_UNABLE_TO_FREE_VM);
        CHECK(release(arena, region.base, 5 * PAGE_SIZE, MEM_DECOMMIT) == STATUS_UNABLE_TO_FREE_VM);
        CHECK(release(arena, region.base, 4 * PAGE_SIZE) == STATUS_SUCCESS);
        CHECK(!mm::free_user(process, region.base));
        void* heap = mm::allocate_user(process, 100);
        CHECK(release(arena, heap) == STATUS_MEMORY_NOT_ALLOCATED);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("protections of virtual memory, and what locks and probes make of them", "[virtual]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        const Result region = allocate(arena, nullptr, 2 * PAGE_SIZE, MEM_RESERVE | MEM_COMMIT);
        const struct {
            ULONG protection;
            bool read, write;
        } cases[] = {{PAGE_NOACCESS, false, false},
                     {PAGE_READONLY, true, false},
                     {PAGE_READWRITE, true, true},
                     {PAGE_EXECUTE, true, false},
                     {PAGE_EXECUTE_READ, true, false},
                     {PAGE_EXECUTE_READWRITE, true, true},
                     {PAGE_READWRITE | PAGE_NOCACHE, true, true}};
        ULONG expected_old = PAGE_READWRITE;
        for (const auto& c : cases) {
            ULONG old = 0;
            REQUIRE(protect(arena, region.base, 1, c.protection, &old) == STATUS_SUCCESS);
            CHECK(old == expected_old);
            expected_old = c.protection;
            CHECK(ke::touch_guarded(region.base, false) == c.read);
            CHECK(ke::touch_guarded(region.base, true) == c.write);
            CHECK(ke::touch_guarded(region.base + PAGE_SIZE, true)); // the other page is as it was
            for (const LOCK_OPERATION operation : {IoReadAccess, IoWriteAccess, IoModifyAccess}) {
                PMDL mdl = mm::allocate_mdl(region.base, 100);
                const NTSTATUS status = mm::lock_pages(mdl, UserMode, operation);
                CHECK(NT_SUCCESS(status) == (operation == IoReadAccess ? c.read : c.write));
                if (NT_SUCCESS(status)) mm::unlock_pages(mdl);
                mm::free_mdl(mdl);
            }
        }
        // A guard page is one once.
        REQUIRE(protect(arena, region.base, 1, PAGE_READWRITE | PAGE_GUARD) == STATUS_SUCCESS);
        CHECK(mm::query_virtual(&arena, region.base).Protect == (PAGE_READWRITE | PAGE_GUARD));
        CHECK(!MmIsAddressValid(region.base)); // and asking does not use it up
        CHECK(!MmIsAddressValid(region.base));
        CHECK(mm::query_virtual(&arena, region.base).Protect == (PAGE_READWRITE | PAGE_GUARD));
        CHECK(!ke::touch_guarded(region.base, false));
        CHECK(mm::query_virtual(&arena, region.base).Protect == PAGE_READWRITE);
        CHECK(MmIsAddressValid(region.base));
        CHECK(protect(arena, region.base, 1, PAGE_READONLY | PAGE_GUARD) == STATUS_SUCCESS);
        PMDL guarded = mm::allocate_mdl(region.base, 100);
        for (const NTSTATUS status : {STATUS_GUARD_PAGE_VIOLATION, STATUS_ACCESS_VIOLATION})
            CHECK(test::status_raised_by([&] { MmProbeAndLockPages(guarded, UserMode, IoWriteAccess); }) == status);
        mm::free_mdl(guarded);
        CHECK(protect(arena, region.base, 1, PAGE_READWRITE) == STATUS_SUCCESS);
        CHECK(ke::touch_guarded(region.base, true));
        CHECK(protect(arena, region.base, 1, PAGE_READONLY | PAGE_GUARD) == STATUS_SUCCESS);
        CHECK(test::status_raised_by([&] { *reinterpret_cast<volatile char*>(region.base) = 1; }) ==
              STATUS_GUARD_PAGE_VIOLATION);
        CHECK(test::status_raised_by([&] { *reinterpret_cast<volatile char*>(region.base) = 1; }) ==
              STATUS_ACCESS_VIOLATION); // read-only underneath
        CHECK(ke::touch_guarded(region.base, false));
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("secured memory keeps its access", "[virtual]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::Stop stop = kernel.run_as_application(process, [&] {
        (void)ke::system_service([&] {
            mm::Arena& arena = *mm::arena_of(process);
            const Result region = allocate(arena, nullptr, 4 * PAGE_SIZE, MEM_RESERVE | MEM_COMMIT);
            std::byte* page = region.base + PAGE_SIZE;
            HANDLE handle = MmSecureVirtualMemory(page, 100, PAGE_READWRITE);
            REQUIRE(handle != nullptr);
            CHECK(protect(arena, page, 1, PAGE_READONLY) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(protect(arena, page, 1, PAGE_NOACCESS) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(allocate(arena, page, 1, MEM_COMMIT, PAGE_READONLY).status == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(allocate(arena, region.base, 4 * PAGE_SIZE, MEM_COMMIT, PAGE_NOACCESS).status ==
                  STATUS_INVALID_PAGE_PROTECTION);
            CHECK(allocate(arena, page, 1, MEM_COMMIT, PAGE_READWRITE).status == STATUS_SUCCESS);
            CHECK(protect(arena, page, 1, PAGE_EXECUTE_READWRITE) == STATUS_SUCCESS);
            CHECK(protect(arena, region.base, 1, PAGE_READONLY) == STATUS_SUCCESS); // next to it
            CHECK(release(arena, region.base) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(release(arena, page, 1, MEM_DECOMMIT) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(MmSecureVirtualMemoryEx(page, 1, PAGE_READONLY, MM_SECURE_EXCLUSIVE) == nullptr);
            MmUnsecureVirtualMemory(handle);
            handle = MmSecureVirtualMemory(page, 1, PAGE_READONLY);
            CHECK(protect(arena, page, 1, PAGE_READONLY) == STATUS_SUCCESS);
            CHECK(protect(arena, page, 1, PAGE_NOACCESS) == STATUS_INVALID_PAGE_PROTECTION);
            CHECK(MmSecureVirtualMemory(page, 1, PAGE_READWRITE) == nullptr); // it is not writable
            MmUnsecureVirtualMemory(handle);
            CHECK(protect(arena, page, 1, PAGE_READWRITE) == STATUS_SUCCESS);
            handle = MmSecureVirtualMemoryEx(page, 1, PAGE_READWRITE, MM_SECURE_EXCLUSIVE | MM_SECURE_NO_CHANGE);
            CHECK(protect(arena, page, 1, PAGE_EXECUTE_READWRITE) == STATUS_INVALID_PAGE_PROTECTION);
            MmUnsecureVirtualMemory(handle);
            handle = MmSecureVirtualMemoryEx(page, 1, PAGE_READWRITE, MM_SECURE_USER_MODE_ONLY);
            CHECK(protect(arena, page, 1, PAGE_READONLY) == STATUS_SUCCESS); // by the kernel
            mm::VirtualRange range{page, 1};
            ULONG old = 0;
            CHECK(mm::protect_virtual(arena, range, PAGE_NOACCESS, UserMode, old) == STATUS_INVALID_PAGE_PROTECTION);
            MmUnsecureVirtualMemory(handle);
            CHECK(MmSecureVirtualMemory(page, 1, PAGE_NOACCESS) == nullptr);
            CHECK(MmSecureVirtualMemory(page, 0, PAGE_READONLY) == nullptr);
            CHECK(MmSecureVirtualMemory(MmSystemRangeStart, 1, PAGE_READONLY) == nullptr);
            CHECK(MmSecureVirtualMemory(region.base, 5 * PAGE_SIZE, PAGE_READONLY) == nullptr);
            CHECK(MmSecureVirtualMemoryEx(page, 1, PAGE_READONLY, 0x100) == nullptr);
            CHECK(release(arena, region.base) == STATUS_SUCCESS);
            return STATUS_SUCCESS;
        });
    });
    CHECK(stop.kind == ke::StopKind::none);
    stop = kernel.run([&] { MmUnsecureVirtualMemory(&kernel); });
    CHECK(stop.code == MEMORY_MANAGEMENT);
    CHECK(stop.parameters[0] == 0x15000);
}

namespace {

// The reference: what each page of a stretch of the arena is.
struct ModelPage {
    int region = -1;
    ULONG protect = 0; // 0: not committed
    std::byte value{};
};

class Model {
public:
    static constexpr std::size_t pages = 256; // of the arena's end, which the heap does not come to
    ModelPage page[pages];
    std::vector<std::size_t> base; // of each region

    [[nodiscard]] bool holes(std::size_t first, std::size_t count) const {
        return first + count <= pages &&
               std::all_of(page + first, page + first + count, [](const ModelPage& p) { return p.region < 0; });
    }
    [[nodiscard]] std::size_t end_of(std::size_t at) const {
        std::size_t end = at;
        while (end < pages && page[end].region == page[at].region) ++end;
        return end;
    }
};

constexpr ULONG protections[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE_READ,
                                 PAGE_EXECUTE_READWRITE};
bool readable(ULONG protect) { return protect != 0 && protect != PAGE_NOACCESS; }
bool writable(ULONG protect) { return protect == PAGE_READWRITE || protect == PAGE_EXECUTE_READWRITE; }

} // namespace

TEST_CASE("virtual memory agrees with a map of pages", "[virtual][property]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const std::uint64_t seed = GENERATE(1, 2);
    const ke::Stop stop = kernel.run([&] {
        mm::Arena& arena = *mm::arena_of(process);
        std::byte* const base = process.arena + 0x2000000;
        Model model;
        std::mt19937_64 random(seed);
        const auto upto = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
        std::size_t mismatches = 0;
        const auto expect = [&](bool holds) { mismatches += !holds; };
        for (int step = 0; step < 10'000; ++step) {
            const std::size_t at = upto(Model::pages);
            const std::size_t count = 1 + upto(24);
            const ULONG protection = protections[upto(std::size(protections))];
            std::byte* address = base + at * PAGE_SIZE;
            const std::size_t bytes = count * PAGE_SIZE - upto(PAGE_SIZE - 1);
            const ModelPage here = model.page[at];
            const bool inside = here.region >= 0 && at + count <= model.end_of(at);
            switch (upto(6)) {
            case 0: { // reserve, with or without memory
                const std::size_t first = at / 16 * 16;
                const std::size_t whole = at - first + count;
                if (first + whole > Model::pages) break;
                const bool commit = upto(2) != 0;
                const bool free = model.holes(first, whole);
                const Result made =
                    allocate(arena, address, bytes, commit ? MEM_RESERVE | MEM_COMMIT : MEM_RESERVE, protection);
                expect(made.status == (free ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES));
                if (!free) break;
                expect(made.base == base + first * PAGE_SIZE && made.bytes == whole * PAGE_SIZE);
                for (std::size_t i = 0; i < whole; ++i)
                    model.page[first + i] = {static_cast<int>(model.base.size()), commit ? protection : 0, {}};
                model.base.push_back(first);
                break;
            }
            case 1: // commit
                expect(allocate(arena, address, bytes, MEM_COMMIT, protection).status ==
                       (inside ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES));
                for (std::size_t i = 0; inside && i < count; ++i) model.page[at + i].protect = protection;
                break;
            case 2: // decommit
                expect(release(arena, address, bytes, MEM_DECOMMIT) == (here.region < 0 ? STATUS_MEMORY_NOT_ALLOCATED
                                                                        : inside        ? STATUS_SUCCESS
                                                                                        : STATUS_UNABLE_TO_FREE_VM));
                for (std::size_t i = 0; inside && i < count; ++i) model.page[at + i] = {here.region, 0, {}};
                break;
            case 3: { // release
                const bool at_base = here.region >= 0 && model.base[static_cast<std::size_t>(here.region)] == at;
                if (upto(3) != 0 && !at_base) break;
                expect(release(arena, address) == (here.region < 0 ? STATUS_MEMORY_NOT_ALLOCATED
                                                   : at_base       ? STATUS_SUCCESS
                                                                   : STATUS_FREE_VM_NOT_AT_BASE));
                if (!at_base) break;
                for (std::size_t i = at, end = model.end_of(at); i < end; ++i) model.page[i] = {};
                break;
            }
            case 4: { // protect
                bool committed = inside;
                for (std::size_t i = 0; inside && i < count; ++i) committed &= model.page[at + i].protect != 0;
                ULONG old = 0;
                expect(protect(arena, address, bytes, protection, &old) == (!inside     ? STATUS_CONFLICTING_ADDRESSES
                                                                            : committed ? STATUS_SUCCESS
                                                                                        : STATUS_NOT_COMMITTED));
                if (!committed) break;
                expect(old == here.protect);
                for (std::size_t i = 0; i < count; ++i) model.page[at + i].protect = protection;
                break;
            }
            default: { // touch and ask
                const bool wrote = ke::touch_guarded(address, true);
                expect(wrote == writable(here.protect));
                expect(ke::touch_guarded(address, false) == readable(here.protect));
                if (wrote) {
                    expect(*address == here.value);
                    *address = model.page[at].value = static_cast<std::byte>(step);
                }
                const MEMORY_BASIC_INFORMATION information = mm::query_virtual(&arena, address);
                const ULONG state = here.region < 0     ? ULONG{MEM_FREE}
                                    : here.protect != 0 ? ULONG{MEM_COMMIT}
                                                        : ULONG{MEM_RESERVE};
                expect(information.State == state);
                expect(information.Protect == (here.region < 0 ? ULONG{PAGE_NOACCESS} : here.protect));
                if (here.region >= 0) {
                    std::size_t end = at;
                    while (end < Model::pages && model.page[end].region == here.region &&
                           model.page[end].protect == here.protect)
                        ++end;
                    expect(information.RegionSize == (end - at) * PAGE_SIZE);
                    expect(information.AllocationBase ==
                           base + model.base[static_cast<std::size_t>(here.region)] * PAGE_SIZE);
                }
                break;
            }
            }
            if (mismatches != 0) FAIL("step " << step << " of seed " << seed << " is not as the model says");
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
    (void)kernel.run([&] { mm::destroy_arena(kernel.machine(), process); });
}
