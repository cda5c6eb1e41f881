// rand and srand of drivers: the Microsoft run-time's sequence, one for each machine.
#include "ex/state.hpp"
#include "rtl/crt.hpp"

using namespace dirql;

DIRQL_CRT_FUNCTION int dirql_crt_rand() {
    ULONG& state = ex::current_state().rand_state;
    state = state * 214013 + 2531011;
    return static_cast<int>(state >> 16 & 0x7FFF);
}

DIRQL_CRT_FUNCTION void dirql_crt_srand(unsigned seed) { ex::current_state().rand_state = seed; }
