#include "diag/wait_view.hpp"

#include "diag/names.hpp"
#include "diag/text.hpp"
#include "ke/lock_wait.hpp"
#include "ke/wait.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

constexpr std::size_t most_requests = 64;
constexpr std::uint64_t ns_per_tick = 100;

std::uint64_t number(const volatile void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

// The objects of a wait, in the caller's order.
std::vector<std::uint64_t> objects_of(const MachineView& view, const ke::Thread& thread) {
    std::vector<std::uint64_t> objects;
    const unsigned count = std::min<unsigned>(thread.wait_count, MAXIMUM_WAIT_OBJECTS);
    for (unsigned i = 0; i < count; ++i) {
        const auto block = view.object<KWAIT_BLOCK>(number(thread.wait_blocks) + i * sizeof(KWAIT_BLOCK));
        if (!block) break;
        objects.push_back(number(block->Object));
    }
    return objects;
}

UCHAR type_of(const MachineView& view, std::uint64_t object) {
    const auto header = view.object<DISPATCHER_HEADER>(object);
    return header ? header->Type & 0x7F : 0x7F;
}

std::string mutex_text(const MachineView& view, std::uint64_t object) {
    const auto mutex = view.object<KMUTANT>(object);
    if (!mutex) return {};
    if (mutex->OwnerThread == nullptr) return ", which nobody owns";
    return fmt::format(", which {} owns", view.thread_text(number(mutex->OwnerThread)));
}

std::string semaphore_text(const MachineView& view, std::uint64_t object) {
    const auto semaphore = view.object<KSEMAPHORE>(object);
    return semaphore ? fmt::format(", its count {} of {}", semaphore->Header.SignalState, semaphore->Limit)
                     : std::string{};
}

std::string timer_text(const MachineView& view, std::uint64_t object) {
    const auto timer = view.object<KTIMER>(object);
    if (!timer) return {};
    if (timer->Header.Inserted == 0) return ", which is not set";
    return fmt::format(", due at {} us", microseconds(timer->DueTime.QuadPart * ns_per_tick));
}

// An event that the completion of one of the thread's requests will signal.
const IrpCopy* request_behind(const std::vector<IrpCopy>& requests, std::uint64_t event) noexcept {
    const auto found = std::ranges::find_if(requests, [&](const IrpCopy& copy) {
        const std::uint64_t file = number(copy.irp.Tail.Overlay.OriginalFileObject);
        return number(copy.irp.UserEvent) == event || (file != 0 && file + offsetof(FILE_OBJECT, Event) == event);
    });
    return found == requests.end() ? nullptr : &*found;
}

std::string object_text(const MachineView& view, std::uint64_t object, const std::vector<IrpCopy>& requests) {
    if (const IrpCopy* request = request_behind(requests, object))
        return fmt::format("the end of IRP 0x{:X}", request->address);
    const UCHAR type = type_of(view, object);
    if (type == ke::object_type::thread) return fmt::format("the end of {}", view.thread_text(object));
    const std::string known = fmt::format("{} 0x{:X}", dispatcher_type_name(type), object);
    switch (type) {
    case ke::object_type::mutant: return known + mutex_text(view, object);
    case ke::object_type::semaphore: return known + semaphore_text(view, object);
    case ke::object_type::timer_notification:
    case ke::object_type::timer_synchronization: return known + timer_text(view, object);
    default: return known;
    }
}

// A wait for a lock of the executive is one for an event, by whose place and reason the lock is found.
std::optional<ke::LockWaiter> lock_behind(const MachineView& view, const ke::Thread& thread, std::uint64_t event) {
    const bool is_lock =
        thread.wait_reason == WrResource || thread.wait_reason == WrPushLock || thread.wait_reason == WrRundown;
    const auto waiter = is_lock ? view.object<ke::LockWaiter>(event) : std::nullopt;
    return waiter && view.thread_at(number(waiter->thread)) != nullptr ? waiter : std::nullopt;
}

std::optional<FAST_MUTEX> fast_mutex_behind(const MachineView& view, const ke::Thread& thread, std::uint64_t event) {
    const bool is_mutex = thread.wait_reason == WrFastMutex || thread.wait_reason == WrGuardedMutex;
    return is_mutex ? view.object<FAST_MUTEX>(event - offsetof(FAST_MUTEX, Event)) : std::nullopt;
}

std::string lock_text(const MachineView& view, const ke::LockWaiter& waiter) {
    if (waiter.kind == ke::LockKind::rundown)
        return fmt::format("the end of rundown protection 0x{:X}, {} references to come", number(waiter.lock),
                           waiter.holders);
    const std::string known =
        fmt::format("{} access to {} 0x{:X}", waiter.exclusive != 0 ? "exclusive" : "shared",
                    waiter.kind == ke::LockKind::resource ? "resource" : "push lock", number(waiter.lock));
    if (waiter.owner != nullptr) return fmt::format("{}, which {} owns", known, view.thread_text(number(waiter.owner)));
    return waiter.holders > 1 ? fmt::format("{}, which {} owners share", known, waiter.holders) : known;
}

std::string fast_mutex_text(const MachineView& view, const ke::Thread& thread, std::uint64_t event,
                            const FAST_MUTEX& mutex) {
    const std::string known = fmt::format("{} mutex 0x{:X}", thread.wait_reason == WrFastMutex ? "fast" : "guarded",
                                          event - offsetof(FAST_MUTEX, Event));
    if (mutex.Owner == nullptr) return known;
    return fmt::format("{}, which {} owns", known, view.thread_text(number(mutex.Owner)));
}

// The one object of a wait whose reason says what it is; empty for all others.
std::string known_lock_text(const MachineView& view, const ke::Thread& thread, std::uint64_t event) {
    if (const auto waiter = lock_behind(view, thread, event)) return lock_text(view, *waiter);
    if (const auto mutex = fast_mutex_behind(view, thread, event)) return fast_mutex_text(view, thread, event, *mutex);
    return {};
}

std::string time_out_text(const ke::Thread& thread) {
    if (thread.wait_timer_used == 0) return ", without a time-out";
    return fmt::format(", until {} us", microseconds(thread.wait_timer.DueTime.QuadPart * ns_per_tick));
}

std::string so_far_text(const MachineView& view, const ke::Thread& thread) {
    const std::uint64_t now = view.machine().now;
    return fmt::format(", for {} us so far", microseconds(now - std::min(now, thread.wait_since)));
}

// The circle that begins and ends at this thread; empty when there is none, or when a thread of a lower number begins
// it.
std::vector<const ThreadCopy*> circle_from(const MachineView& view, const ThreadCopy& first) {
    std::vector<const ThreadCopy*> circle;
    for (const ThreadCopy* at = &first; at != nullptr && circle.size() <= view.threads().size();) {
        circle.push_back(at);
        at = view.thread_at(awaited_thread(view, *at));
        if (at == &first) return circle;
        if (at != nullptr && at->thread.id < first.thread.id) break;
    }
    return {};
}

} // namespace

std::vector<IrpCopy> requests_of(const MachineView& view, const ThreadCopy& thread) {
    std::vector<IrpCopy> requests;
    const std::uint64_t head = thread.address + offsetof(ke::Thread, irp_list);
    std::uint64_t entry = number(thread.thread.irp_list.Flink);
    while (entry != head && requests.size() < most_requests) {
        auto copy = copy_irp(view, entry - offsetof(IRP, ThreadListEntry));
        const auto again = [&](const IrpCopy& known) { return known.address == copy->address; };
        if (!copy || std::ranges::any_of(requests, again)) break;
        entry = number(copy->irp.ThreadListEntry.Flink);
        requests.push_back(std::move(*copy));
    }
    return requests;
}

std::string wait_text(const MachineView& view, const ThreadCopy& thread, const std::vector<IrpCopy>& requests) {
    const std::vector<std::uint64_t> objects = objects_of(view, thread.thread);
    const std::string until = time_out_text(thread.thread) + so_far_text(view, thread.thread);
    if (objects.empty()) return "sleeps" + until;
    std::string text = "waits for ";
    if (objects.size() == 1) {
        if (const std::string lock = known_lock_text(view, thread.thread, objects[0]); !lock.empty())
            return text + lock + until;
    }
    if (objects.size() > 1)
        text += fmt::format("{} of {} objects: ", thread.thread.wait_type == WaitAny ? "any" : "all", objects.size());
    for (std::size_t i = 0; i < objects.size(); ++i)
        text += (i == 0 ? "" : "; ") + object_text(view, objects[i], requests);
    return text + until;
}

std::uint64_t awaited_thread(const MachineView& view, const ThreadCopy& thread) {
    if (thread.thread.state != ke::ThreadState::waiting || thread.thread.wait_timer_used != 0) return 0;
    const std::vector<std::uint64_t> objects = objects_of(view, thread.thread);
    if (objects.size() != 1) return 0;
    if (const auto waiter = lock_behind(view, thread.thread, objects[0])) return number(waiter->owner);
    if (const auto mutex = fast_mutex_behind(view, thread.thread, objects[0])) return number(mutex->Owner);
    const UCHAR type = type_of(view, objects[0]);
    if (type == ke::object_type::thread) return objects[0];
    if (type != ke::object_type::mutant) return 0;
    const auto mutex = view.object<KMUTANT>(objects[0]);
    return mutex ? number(mutex->OwnerThread) : 0;
}

std::string deadlocks_text(const MachineView& view) {
    std::string text;
    for (const ThreadCopy& thread : view.threads()) {
        const auto circle = circle_from(view, thread);
        if (circle.empty()) continue;
        text += fmt::format("Deadlock: thread {}", thread.thread.id);
        for (std::size_t i = 1; i < circle.size(); ++i)
            text += fmt::format(" waits for thread {}, which", circle[i]->thread.id);
        text += fmt::format(" waits for thread {}\n", thread.thread.id);
    }
    return text;
}

} // namespace dirql::diag
