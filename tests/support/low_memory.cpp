#include "support/low_memory.hpp"

#include "catch.hpp"
#include "ex/pool.hpp"

#include <algorithm>
#include <string>

namespace dirql::test {
namespace {

constexpr unsigned most_allocations = 500;

struct Usage {
    std::size_t nonpaged;
    std::size_t paged;
    std::size_t blocks;
    std::size_t other_pages; // stacks, arenas: what is taken and is no page of the pool

    bool operator==(const Usage&) const = default;
};

std::size_t pool_pages(const ex::Pool& pool) {
    std::size_t count = 0;
    for (const ex::PoolPage* list : pool.pages) {
        for (const ex::PoolPage* page = list; page != nullptr; page = page->next) ++count;
    }
    for (const LIST_ENTRY* e = pool.big_blocks.Flink; e != &pool.big_blocks; e = e->Flink)
        count += CONTAINING_RECORD(const_cast<LIST_ENTRY*>(e), ex::BigBlock, entry)->pages;
    for (const std::uint64_t* leaf : pool.big_leaves) count += leaf != nullptr;
    return count;
}

Usage usage() {
    const ex::PoolOwner totals = ex::pool_totals();
    const ke::Slot& slot = *ke::current_machine().slot;
    const std::size_t taken = slot.physical_pages() - slot.free_page_count();
    return {totals.bytes[0], totals.bytes[1], totals.blocks, taken - pool_pages(ex::current_pool())};
}

std::string text(const Usage& usage) {
    return std::to_string(usage.nonpaged) + " bytes nonpaged, " + std::to_string(usage.paged) + " paged, " +
           std::to_string(usage.blocks) + " blocks, " + std::to_string(usage.other_pages) + " other pages";
}

struct Run {
    bool finished = false;
    bool failed = false; // the allocation in question was made
    Usage after{};
};

// 0: none fails.
Run run(const FreshMachine& fresh_machine, const LowMemoryBody& body, unsigned failing) {
    Run result;
    const bool up = fresh_machine([&] {
        ke::Machine& machine = ke::current_machine();
        if (failing != 0) {
            machine.choice.fail_allocation(failing);
            ex::allow_allocation_failures(machine, true);
        }
        body(LowMemory(failing != 0));
        ex::allow_allocation_failures(machine, false);
        result.failed = failing != 0 && machine.choice.failed_allocations() != 0;
        machine.choice.fail_no_allocation();
        body(LowMemory(false));
        result.after = usage();
        result.finished = true;
    });
    result.finished = result.finished && up;
    return result;
}

} // namespace

bool LowMemory::got(const void* pointer, int line) const {
    INFO("asked in line " << line);
    if (!failing_) CHECK(pointer != nullptr);
    return pointer != nullptr;
}

bool LowMemory::ok(NTSTATUS status, NTSTATUS documented, int line) const { return ok(status, {documented}, line); }

bool LowMemory::ok(NTSTATUS status, std::initializer_list<NTSTATUS> documented, int line) const {
    if (!failing_ || !NT_SUCCESS(status)) {
        INFO("asked in line " << line << ", status 0x" << std::hex
                              << static_cast<unsigned long>(static_cast<ULONG>(status)));
        const bool told = failing_ && std::find(documented.begin(), documented.end(), status) != documented.end();
        CHECK((NT_SUCCESS(status) || told));
    }
    return NT_SUCCESS(status);
}

unsigned for_each_failing_allocation(const FreshMachine& fresh_machine, const LowMemoryBody& body) {
    const Run undisturbed = run(fresh_machine, body, 0);
    REQUIRE(undisturbed.finished);
    for (unsigned failing = 1; failing < most_allocations; ++failing) {
        INFO("allocation " << failing << " fails");
        const Run disturbed = run(fresh_machine, body, failing);
        CHECK(disturbed.finished);
        if (!disturbed.finished) return failing;
        CHECK(text(disturbed.after) == text(undisturbed.after));
        if (!disturbed.failed) return failing - 1;
    }
    FAIL("the body makes more than " << most_allocations << " allocations");
    return most_allocations;
}

} // namespace dirql::test
