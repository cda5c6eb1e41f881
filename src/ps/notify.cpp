// The lists of notify routines, and the calls.
#include "ps/notify.hpp"

#include "ke/callout.hpp"
#include "ke/critical_region.hpp"
#include "ke/wait.hpp"
#include "ps/notify_list.hpp"
#include "ps/ps.hpp"
#include "ps/state.hpp"

#include <utility>

namespace dirql::ps {
namespace {

HANDLE identifier(std::uint64_t id) noexcept { return reinterpret_cast<HANDLE>(id); }

template <class Function> Function* as(const void* routine) noexcept {
    return reinterpret_cast<Function*>(const_cast<void*>(routine));
}

template <class Function, class... Arguments> void call(const void* routine, Arguments... arguments) noexcept {
    ke::callout({ke::CalloutKind::other, routine}, as<Function>(routine), arguments...);
}

// Calls visit(slot) for each routine. One that registers meanwhile behind the place that is reached is called, too, as on NT.
template <class Visit> void each(NotifyList& list, Visit visit) noexcept {
    if (list.count == 0) return;
    const ke::CriticalRegion region;
    for (NotifySlot& slot : list.slot) {
        if (slot.routine == nullptr || slot.removing) continue;
        ++slot.running;
        visit(slot);
        if (--slot.running == 0 && slot.removing) KeSetEvent(&list.idle, IO_NO_INCREMENT, FALSE);
    }
}

NotifyLists& lists() noexcept { return state_of(ke::current_machine()).notify; }

NotifySlot* find(NotifyList& list, const void* routine, NotifyKind kind) noexcept {
    if (routine == nullptr) return nullptr; // a free place is none of a routine
    for (NotifySlot& slot : list.slot) {
        if (slot.routine == routine && slot.kind == kind && !slot.removing) return &slot;
    }
    return nullptr;
}

PS_CREATE_NOTIFY_INFO create_info(ke::Process& process) noexcept {
    ProcessObject& object = object_of(process);
    PS_CREATE_NOTIFY_INFO info{};
    info.Size = sizeof info;
    info.FileOpenNameAvailable = object.image_name.Length != 0;
    info.ParentProcessId = identifier(object.parent_id);
    info.CreatingThreadId = client_id_of(*ke::current_thread());
    info.ImageFileName = &object.image_name;
    info.CommandLine = object.command_line.Buffer == nullptr ? nullptr : &object.command_line;
    info.CreationStatus = STATUS_SUCCESS;
    return info;
}

void call_thread_routines(ke::Thread& thread, bool create, bool in_itself) noexcept {
    const HANDLE process = identifier(thread.process->id);
    const HANDLE id = identifier(thread.id);
    each(lists().thread, [&](const NotifySlot& slot) {
        const bool wants_new_thread = slot.kind == NotifyKind::thread_in_itself;
        if (wants_new_thread && thread.is_system != 0) return;
        if (create && wants_new_thread != in_itself) return;
        call<CREATE_THREAD_NOTIFY_ROUTINE>(slot.routine, process, id, static_cast<BOOLEAN>(create));
    });
}

} // namespace

void initialize_notify(NotifyLists& lists) noexcept {
    for (NotifyList* list : {&lists.process, &lists.thread, &lists.image})
        ke::initialize_header(list->idle.Header, ke::object_type::event_notification, 0, sizeof(KEVENT));
}

// Without a preemption point: the place cannot be taken twice.
bool add_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept {
    for (NotifySlot& slot : list.slot) {
        if (slot.routine != nullptr) continue;
        slot = {routine, kind, false, 0};
        ++list.count;
        return true;
    }
    return false;
}

bool has_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept {
    return find(list, routine, kind) != nullptr;
}

bool remove_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept {
    NotifySlot* slot = find(list, routine, kind);
    if (slot == nullptr) return false;
    slot->removing = true;
    while (slot->running != 0) {
        list.idle.Header.SignalState = 0;
        ke::wait_for(&list.idle);
    }
    *slot = {};
    --list.count;
    return true;
}

// All hear of it, also of what one of them has vetoed, and see it in CreationStatus.
NTSTATUS announce_process(ke::Process& process, const ke::Thread&) noexcept {
    PS_CREATE_NOTIFY_INFO info = create_info(process);
    const HANDLE id = identifier(process.id);
    each(lists().process, [&](const NotifySlot& slot) {
        if (slot.kind == NotifyKind::process) {
            call<CREATE_PROCESS_NOTIFY_ROUTINE>(slot.routine, info.ParentProcessId, id, static_cast<BOOLEAN>(TRUE));
        } else {
            call<CREATE_PROCESS_NOTIFY_ROUTINE_EX>(slot.routine, as_eprocess(&process), id, &info);
        }
    });
    return info.CreationStatus;
}

void announce_process_exit(ke::Process& process) noexcept {
    const HANDLE parent = identifier(object_of(process).parent_id);
    const HANDLE id = identifier(process.id);
    each(lists().process, [&](const NotifySlot& slot) {
        if (slot.kind == NotifyKind::process) {
            call<CREATE_PROCESS_NOTIFY_ROUTINE>(slot.routine, parent, id, static_cast<BOOLEAN>(FALSE));
        } else {
            call<CREATE_PROCESS_NOTIFY_ROUTINE_EX>(slot.routine, as_eprocess(&process), id,
                                                   PPS_CREATE_NOTIFY_INFO{nullptr});
        }
    });
}

void announce_thread(ke::Thread& thread) noexcept { call_thread_routines(thread, true, false); }
void announce_thread_in_itself(ke::Thread& thread) noexcept { call_thread_routines(thread, true, true); }
void announce_thread_exit(ke::Thread& thread) noexcept { call_thread_routines(thread, false, false); }

bool announces_threads_in_themselves(ke::Machine& machine) noexcept {
    for (const NotifySlot& slot : state_of(machine).notify.thread.slot) {
        if (slot.routine != nullptr && slot.kind == NotifyKind::thread_in_itself) return true;
    }
    return false;
}

// A driver's image lies where the system keeps drivers. It has no file here: the information is not extended.
void announce_driver_image(std::u16string_view name, void* base, std::size_t size) noexcept {
    NotifyList& list = lists().image;
    if (list.count == 0) return;
    constexpr std::u16string_view directory = u"\\SystemRoot\\System32\\drivers\\";
    constexpr std::u16string_view extension = u".sys";
    char16_t path[256];
    const std::size_t room = std::size(path) - directory.size() - extension.size();
    std::size_t length = directory.copy(path, directory.size());
    length += name.copy(path + length, room);
    length += extension.copy(path + length, extension.size());
    const auto bytes = static_cast<USHORT>(length * sizeof(WCHAR));
    UNICODE_STRING full{bytes, bytes, reinterpret_cast<PWSTR>(path)};
    IMAGE_INFO info{};
    info.ImageAddressingMode = IMAGE_ADDRESSING_MODE_32BIT;
    info.SystemModeImage = 1;
    info.ImageBase = base;
    info.ImageSize = size;
    each(list,
         [&](const NotifySlot& slot) { call<LOAD_IMAGE_NOTIFY_ROUTINE>(slot.routine, &full, HANDLE{nullptr}, &info); });
}

bool processes_are_watched(ke::Machine& machine) noexcept {
    const NotifyLists& all = state_of(machine).notify;
    return all.process.count != 0 || all.thread.count != 0;
}

ex::ActiveObject find_notify_routine(const ke::CodeRange& image) noexcept {
    NotifyLists& all = lists();
    const std::pair<NotifyList*, const char*> kinds[] = {{&all.process, "a process notify routine"},
                                                         {&all.thread, "a thread notify routine"},
                                                         {&all.image, "a load-image notify routine"}};
    for (const auto& [list, what] : kinds) {
        for (const NotifySlot& slot : list->slot) {
            const auto address = reinterpret_cast<std::uintptr_t>(slot.routine);
            if (address >= image.begin && address < image.end) return {&slot, slot.routine, what};
        }
    }
    return {};
}

} // namespace dirql::ps
