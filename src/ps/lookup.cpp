#include "ps/lookup.hpp"

#include "ke/process_list.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {
namespace {

// What is about to be deleted, by a worker perhaps, is not found any more.
bool alive(const void* body) noexcept { return ob::header_of(body).pointer_count > 0; }

} // namespace

ke::Process* find_process(HANDLE id) noexcept {
    return ke::find_process(ke::current_machine(), [id](const ke::Process& process) {
        return reinterpret_cast<HANDLE>(process.id) == id && alive(&process);
    });
}

ke::Thread* find_thread(HANDLE id) noexcept {
    return ke::find_thread(ke::current_machine(), [id](const ke::Thread& thread) {
        return reinterpret_cast<HANDLE>(thread.id) == id && alive(&thread);
    });
}

} // namespace dirql::ps
