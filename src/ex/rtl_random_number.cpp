// RtlRandom and RtlRandomEx. A linear congruence modulo 2^31 - 1, whose successive values depend on each other too plainly,
// and a table of the machine's that shuffles them (Bays and Durham).
#include "ex/state.hpp"
#include "ke/exports/rtl.hpp"

#include <ntifs.h>

#include <iterator>

using namespace dirql;

namespace {

constexpr ULONG modulus = 0x7FFF'FFFF;
constexpr ULONG not_filled_is_zero = 0x100; // above the bits that select an entry

ULONG next_uniform(ULONG& seed) {
    seed = static_cast<ULONG>((0x7FFF'FFED * ULONGLONG{seed} + 0x7FFF'FFC3) % modulus);
    return seed;
}

// Filled at its first use: one seed for all machines, so that equal runs see equal numbers.
ex::RandomTable& table() {
    ex::RandomTable& table = ex::current_state().random_table;
    if (table.selector == 0) {
        ULONG seed = 0x2545'F491;
        for (ULONG& entry : table.entries) entry = next_uniform(seed);
        table.selector = next_uniform(seed) | not_filled_is_zero;
    }
    return table;
}

ULONG exchange(ex::RandomTable& table, ULONG selector, ULONG value) {
    ULONG& entry = table.entries[selector % std::size(table.entries)];
    const ULONG result = entry;
    entry = value;
    return result;
}

} // namespace

extern "C" {

// 0 to MAXLONG - 1. Each call steps the seed twice: one number goes into the table, the other chooses which comes out.
ULONG NTAPI RtlRandom(PULONG seed) {
    DIRQL_DOOR(RtlRandom);
    const ULONG value = next_uniform(*seed), selector = next_uniform(*seed);
    return exchange(table(), selector, value);
}

// Steps the seed once: the number that came out last chooses the next.
ULONG NTAPI RtlRandomEx(PULONG seed) {
    DIRQL_DOOR(RtlRandomEx);
    ex::RandomTable& numbers = table();
    const ULONG value = exchange(numbers, numbers.selector, next_uniform(*seed));
    numbers.selector = value | not_filled_is_zero;
    return value;
}

} // extern "C"
