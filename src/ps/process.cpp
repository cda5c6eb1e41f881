// Processes.
#include "ps/ps.hpp"

#include "ke/timer.hpp"
#include "ke/wait.hpp"
#include "mm/arena.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/inherit.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "ps/security.hpp"
#include "ps/state.hpp"
#include "se/token.hpp"

namespace dirql::ps {
namespace {

constexpr ACCESS_MASK all_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0xFFFF;

void destroy_process(void* body) noexcept {
    ke::Process& process = static_cast<ProcessObject*>(body)->process;
    ob::free_pool_string(static_cast<ProcessObject*>(body)->image_name);
    ob::free_pool_string(static_cast<ProcessObject*>(body)->command_line);
    ob::free_handle_table(process);
    se::drop_token(process);
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
    .has_callbacks = true,
    .retained_access = SYNCHRONIZE | 0x1000, // PROCESS_QUERY_LIMITED_INFORMATION
    .wait_offset = 0,
    .destroy = destroy_process,
    .security_required = true,
    .label_policy = label_policy,
    .implied = implied_by_process,
};

namespace {

bool copy_name(UNICODE_STRING& to, std::u16string_view name) noexcept {
    if (name.empty()) return true;
    to = ob::copy_to_pool(name);
    return to.Buffer != nullptr;
}

bool give_token(ke::Process& process, const ProcessStart& start) noexcept {
    if (start.account == nullptr && start.parent != nullptr) return se::inherit_token(*start.parent, process);
    return se::give_token(process, start.account == nullptr ? se::Account::administrator : *start.account);
}

bool fill(ke::Machine& machine, ProcessObject& object, const ProcessStart& start) noexcept {
    ke::Process& parent = start.parent != nullptr ? *start.parent : *machine.system_process;
    object.create_time = ke::system_time(machine);
    object.exit_status = STATUS_PENDING;
    object.parent_id = parent.id;
    object.start_key = ++state_of(machine).start_keys;
    return give_token(object.process, start) && secure_process(object.process) &&
           copy_name(object.image_name, start.image_name) && copy_name(object.command_line, start.command_line) &&
           ob::create_handle_table(object.process) && mm::create_arena(machine, object.process) &&
           (!start.inherit_handles || ob::inherit_handles(parent, object.process));
}

} // namespace

NTSTATUS create_process(ke::Machine& machine, const ProcessStart& start, ke::Process*& process) noexcept {
    void* body = nullptr;
    const NTSTATUS status = ob::create_object(process_type, nullptr, KernelMode, sizeof(ProcessObject), &body);
    if (!NT_SUCCESS(status)) return status;
    auto& object = *static_cast<ProcessObject*>(body);
    ke::initialize_process(machine, object.process, start.name);
    if (!fill(machine, object, start)) {
        ob::dereference(body);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    process = &object.process;
    return STATUS_SUCCESS;
}

ke::Process* create_process(ke::Machine& machine, const char* name) noexcept {
    ke::Process* process = nullptr;
    return NT_SUCCESS(create_process(machine, {.name = name}, process)) ? process : nullptr;
}

void exit_process(ke::Process& process, NTSTATUS status) noexcept {
    ProcessObject& object = object_of(process);
    if (object.exiting) return;
    object.exiting = true;
    object.exit_status = object.terminated ? object.exit_status : status;
    announce_process_exit(process);
    ob::close_all_handles(process);
    if (auto* io_rundown = state_of(ke::current_machine()).io.process_ends) io_rundown(process);
    object.exit_time = ke::system_time(ke::current_machine());
    process.header.SignalState = 1;
    ke::wake_waiters(process.header, 0);
}

} // namespace dirql::ps

DIRQL_OBJECT_TYPE_EXPORT(PsProcessType, dirql::ps::process_type)
