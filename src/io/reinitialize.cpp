// The two queues of Reinitialize routines. Drivers are loaded by one thread while others run: each queue is whole at each
// preemption point, and the packet has left it and is freed before its routine runs.
#include "io/reinitialize.hpp"

#include "ex/pool.hpp"
#include "io/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"

namespace dirql::io {
namespace {

constexpr ULONG packet_tag = 'nieR';

struct Packet {
    LIST_ENTRY entry;
    PDRIVER_OBJECT driver;
    PDRIVER_REINITIALIZE routine;
    PVOID context;
};

LIST_ENTRY& queue_of(ReinitializeRound round) noexcept { return state().reinitialize[static_cast<unsigned>(round)]; }

void enqueue(ReinitializeRound round, PDRIVER_OBJECT driver, PDRIVER_REINITIALIZE routine, PVOID context) noexcept {
    auto* packet = static_cast<Packet*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Packet), packet_tag));
    if (packet == nullptr) return; // the documents know no failure
    *packet = {{}, driver, routine, context};
    InsertTailList(&queue_of(round), &packet->entry);
}

void forget(LIST_ENTRY& queue, PDRIVER_OBJECT driver) noexcept {
    LIST_ENTRY* next;
    for (LIST_ENTRY* e = queue.Flink; e != &queue; e = next) {
        next = e->Flink;
        auto* packet = CONTAINING_RECORD(e, Packet, entry);
        if (packet->driver != driver) continue;
        RemoveEntryList(e);
        ex::free_pool(packet, 0);
    }
}

} // namespace

// The count is the driver's, over both rounds.
void call_reinitialize_routines(ReinitializeRound round) noexcept {
    LIST_ENTRY& queue = queue_of(round);
    while (!IsListEmpty(&queue)) {
        auto* packet = CONTAINING_RECORD(RemoveHeadList(&queue), Packet, entry);
        const Packet call = *packet;
        ex::free_pool(packet, 0);
        const ULONG count = ++call.driver->DriverExtension->Count;
        ke::callout({ke::CalloutKind::reinitialize, reinterpret_cast<const void*>(call.routine)}, call.routine,
                    call.driver, call.context, count);
    }
}

void forget_reinitialize_routines(PDRIVER_OBJECT driver) noexcept {
    for (LIST_ENTRY& queue : state().reinitialize) forget(queue, driver);
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

VOID NTAPI IoRegisterDriverReinitialization(PDRIVER_OBJECT DriverObject,
                                            PDRIVER_REINITIALIZE DriverReinitializationRoutine, PVOID Context) {
    DIRQL_DOOR(IoRegisterDriverReinitialization);
    enqueue(ReinitializeRound::driver, DriverObject, DriverReinitializationRoutine, Context);
}

VOID NTAPI IoRegisterBootDriverReinitialization(PDRIVER_OBJECT DriverObject,
                                                PDRIVER_REINITIALIZE DriverReinitializationRoutine, PVOID Context) {
    DIRQL_DOOR(IoRegisterBootDriverReinitialization);
    enqueue(ReinitializeRound::boot, DriverObject, DriverReinitializationRoutine, Context);
}
}
