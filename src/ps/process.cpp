// Processes.
#include "ps/ps.hpp"

#include "ke/wait.hpp"
#include "mm/arena.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "ps/state.hpp"

namespace dirql::ps {
namespace {

constexpr ACCESS_MASK all_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF;

void destroy_process(void* body) noexcept {
    ke::Process& process = static_cast<ProcessObject*>(body)->process;
    ob::free_handle_table(process);
    if (process.arena != nullptr) mm::destroy_arena(ke::current_machine(), process);
    if (process.all_entry.Flink != nullptr) RemoveEntryList(&process.all_entry);
}

} // namespace

constinit const ob::ObjectType process_type{
    .name = u"Process",
    .index = ob::TypeIndex::process,
    .tag = ob::pool_tag("Proc"),
    .mapping = ob::standard_mapping(0x0410, 0x0BEA, SYNCHRONIZE | 0x101001, all_access),
    .valid_access = all_access,
    .wait_offset = 0,
    .destroy = destroy_process,
};

ke::Process* create_process(ke::Machine& machine, const char* name) noexcept {
    void* body = nullptr;
    if (!NT_SUCCESS(ob::create_object(process_type, nullptr, KernelMode, sizeof(ProcessObject), &body))) return nullptr;
    auto& object = *static_cast<ProcessObject*>(body);
    ke::initialize_process(machine, object.process, name);
    object.create_time = system_time(machine);
    object.exit_status = STATUS_PENDING;
    if (ob::create_handle_table(object.process) && mm::create_arena(machine, object.process)) return &object.process;
    ob::dereference(body);
    return nullptr;
}

void exit_process(ke::Process& process, NTSTATUS status) noexcept {
    ProcessObject& object = object_of(process);
    object.exiting = true;
    object.exit_status = status;
    ob::close_all_handles(process);
    object.exit_time = system_time(ke::current_machine());
    process.header.SignalState = 1;
    ke::wake_waiters(process.header, 0);
}

} // namespace dirql::ps

DIRQL_OBJECT_TYPE_EXPORT(PsProcessType, dirql::ps::process_type)
