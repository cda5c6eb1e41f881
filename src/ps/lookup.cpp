#include "ps/lookup.hpp"

#include "ke/machine.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

// What is about to be deleted, by a worker perhaps, is not found any more.
bool alive(const void* body) noexcept { return ob::header_of(body).pointer_count > 0; }

template <class Visit> void each_process(Visit visit) noexcept {
    LIST_ENTRY& list = ke::current_machine().processes;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) visit(*CONTAINING_RECORD(e, ke::Process, all_entry));
}

} // namespace

ke::Process* find_process(HANDLE id) noexcept {
    ke::Process* found = nullptr;
    each_process([&](ke::Process& process) {
        if (reinterpret_cast<HANDLE>(process.id) == id && alive(&process)) found = &process;
    });
    return found;
}

ke::Thread* find_thread(HANDLE id) noexcept {
    ke::Thread* found = nullptr;
    each_process([&](ke::Process& process) {
        for (LIST_ENTRY* e = process.threads.Flink; e != &process.threads; e = e->Flink) {
            auto* thread = CONTAINING_RECORD(e, ke::Thread, process_entry);
            if (reinterpret_cast<HANDLE>(thread->id) == id && alive(thread)) found = thread;
        }
    });
    return found;
}

} // namespace dirql::ps
