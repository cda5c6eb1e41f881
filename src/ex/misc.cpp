// The executive's small functions: previous mode, local time, identifiers.
#include "ex/state.hpp"
#include "ke/exports/ex.hpp"
#include "ke/timer.hpp"

using namespace dirql;

namespace {

constexpr auto unique_to_this_machine = static_cast<NTSTATUS>(0x40020056); // RPC_NT_UUID_LOCAL_ONLY
constexpr std::uint64_t ticks_1582_to_1601 =
    5'748'192'000'000'000; // 100 ns units between the two calendars' beginnings

// A version 1 identifier of RFC 4122: time, a sequence number, and in place of a network address, which the machine has
// not, its seed (marked as no address by the multicast bit). No two of one machine are equal; a run's are those of its
// seed.
UUID make_uuid(ke::Machine& machine, std::uint64_t serial) noexcept {
    const std::uint64_t ticks =
        static_cast<std::uint64_t>(ke::system_time(machine).QuadPart) + ticks_1582_to_1601 + serial;
    const std::uint64_t seed = machine.options.seed;
    UUID uuid{};
    uuid.Data1 = static_cast<ULONG>(ticks);
    uuid.Data2 = static_cast<USHORT>(ticks >> 32);
    uuid.Data3 = static_cast<USHORT>((ticks >> 48 & 0x0FFF) | 0x1000);
    uuid.Data4[0] = static_cast<UCHAR>((serial >> 8 & 0x3F) | 0x80);
    uuid.Data4[1] = static_cast<UCHAR>(serial);
    uuid.Data4[2] = static_cast<UCHAR>(seed >> 40 | 1);
    for (unsigned i = 3; i < 8; ++i) uuid.Data4[i] = static_cast<UCHAR>(seed >> (8 * (7 - i)));
    return uuid;
}

} // namespace

namespace dirql::ex {

bool initialize(ke::Machine& machine) noexcept {
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::ex)] = state;
    initialize_pool(state->pool, *machine.slot);
    machine.hooks.give_back_pages = [](ke::Machine& owner) { return give_back_pages(state_of(owner).pool); };
    InitializeListHead(&state->lookaside_lists);
    InitializeListHead(&state->resources);
    initialize_work_queues(state->work);
    state->rand_state = 1; // as after srand(1)
    return true;
}

} // namespace dirql::ex

extern "C" {

KPROCESSOR_MODE NTAPI ExGetPreviousMode(VOID) {
    DIRQL_DOOR(ExGetPreviousMode);
    return ke::current_thread()->previous_mode;
}

// The machine's time zone is UTC.
VOID NTAPI ExSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime) {
    DIRQL_DOOR(ExSystemTimeToLocalTime);
    *LocalTime = *SystemTime;
}

VOID NTAPI ExLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime) {
    DIRQL_DOOR(ExLocalTimeToSystemTime);
    *SystemTime = *LocalTime;
}

// The machine's processors are the same on every host.
BOOLEAN NTAPI ExIsProcessorFeaturePresent(ULONG ProcessorFeature) {
    DIRQL_DOOR(ExIsProcessorFeaturePresent);
    switch (ProcessorFeature) {
    case PF_COMPARE_EXCHANGE_DOUBLE:
    case PF_MMX_INSTRUCTIONS_AVAILABLE:
    case PF_XMMI_INSTRUCTIONS_AVAILABLE:
    case PF_RDTSC_INSTRUCTION_AVAILABLE:
    case PF_PAE_ENABLED:
    case PF_XMMI64_INSTRUCTIONS_AVAILABLE:
    case PF_SSE_DAZ_MODE_AVAILABLE:
    case PF_NX_ENABLED:
    case PF_SSE3_INSTRUCTIONS_AVAILABLE:
    case PF_COMPARE_EXCHANGE128:
    case PF_FASTFAIL_AVAILABLE: return TRUE;
    default: return FALSE;
    }
}

// Without a network address identifiers are unique to this machine, which the status says.
NTSTATUS NTAPI ExUuidCreate(UUID* Uuid) {
    DIRQL_DOOR(ExUuidCreate);
    ke::Machine& machine = ke::current_machine();
    *Uuid = make_uuid(machine, ex::state_of(machine).uuids_made++);
    return unique_to_this_machine;
}
}
