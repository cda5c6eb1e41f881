// The object manager at boot.
#include "ob/state.hpp"

#include "ex/callback.hpp"
#include "ke/wait.hpp"
#include "ob/capture.hpp"
#include "ob/event.hpp"
#include "ob/pool_tags.hpp"
#include "ob/symbolic_link.hpp"

#include <iterator>
#include <string_view>

namespace dirql::ob {
namespace {

// An object type as it shows in \ObjectTypes: the body is the address of the descriptor.
constinit const ObjectType type_type{
    .name = u"Type",
    .index = TypeIndex::type,
    .tag = pool_tag("ObTy"),
    .mapping = standard_mapping(0, 0, 0, STANDARD_RIGHTS_REQUIRED | 0x1),
    .valid_access = STANDARD_RIGHTS_REQUIRED | 0x1,
};

UNICODE_STRING counted(std::u16string_view text) noexcept {
    const auto bytes = static_cast<USHORT>(text.size() * sizeof(WCHAR));
    return {bytes, bytes, const_cast<char16_t*>(text.data())};
}

// A permanent object of the kernel. It keeps the creator's reference.
void* make_permanent(const ObjectType& type, std::size_t size, std::u16string_view path) noexcept {
    UNICODE_STRING name = counted(path);
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    void* body = nullptr;
    if (!NT_SUCCESS(create_object(type, &attributes, KernelMode, size, &body))) return nullptr;
    return NT_SUCCESS(insert_object(body, 0, nullptr)) ? body : nullptr;
}

// The root has no name and no directory above it.
Directory* make_root() noexcept {
    void* body = nullptr;
    if (!NT_SUCCESS(create_object(directory_type, nullptr, KernelMode, sizeof(Directory), &body))) return nullptr;
    header_of(body).flags = object_flags::permanent | object_flags::kernel_object;
    return static_cast<Directory*>(body);
}

bool make_directories(State& state) noexcept {
    for (const auto* path : {u"\\ObjectTypes", u"\\Device", u"\\Driver", u"\\FileSystem", u"\\BaseNamedObjects",
                             u"\\Callback", u"\\KernelObjects"}) {
        if (make_directory(path) == nullptr) return false;
    }
    state.dos_devices = make_directory(u"\\GLOBAL??");
    return state.dos_devices != nullptr;
}

// \DosDevices\X and \??\X are one name; \\.\Global\X and \\.\GLOBALROOT\Device\X are what applications may say too.
bool make_links() noexcept {
    struct Link {
        std::u16string_view name;
        std::u16string_view target;
    };
    for (const Link& link : {Link{u"\\DosDevices", u"\\??"}, Link{u"\\GLOBAL??\\Global", u"\\GLOBAL??"},
                             Link{u"\\GLOBAL??\\GLOBALROOT", u""}}) {
        if (!NT_SUCCESS(create_symbolic_link(counted(link.name), counted(link.target)))) return false;
    }
    return true;
}

bool register_own_types(ke::Machine& machine) noexcept {
    for (const ObjectType* type : {&type_type, &directory_type, &symbolic_link_type, &event_type, &semaphore_type,
                                   &mutant_type, &timer_type, &desktop_type}) {
        if (!register_type(machine, *type)) return false;
    }
    return true;
}

} // namespace

bool register_type(ke::Machine& machine, const ObjectType& type) noexcept {
    State& state = state_of(machine);
    type_state(state, type).type = &type;
    char16_t path[64] = u"\\ObjectTypes\\";
    const std::size_t prefix = std::u16string_view(path).size();
    type.name.copy(path + prefix, std::size(path) - prefix);
    auto* body = static_cast<const ObjectType**>(
        make_permanent(type_type, sizeof(const ObjectType*), {path, prefix + type.name.size()}));
    if (body == nullptr) return false;
    *body = &type;
    return true;
}

Directory* make_directory(std::u16string_view path) noexcept {
    return static_cast<Directory*>(make_permanent(directory_type, sizeof(Directory), path));
}

void adopt_system_process(ke::Machine& machine, ke::Process& process) noexcept {
    State& state = state_of(machine);
    state.system_process = &process;
    state.kernel_handles->process = &process;
    process.ob = state.kernel_handles;
}

bool initialize(ke::Machine& machine) noexcept {
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::ob)] = state;
    initialize_callbacks(state->callbacks);
    ke::initialize_header(state->always_signalled.Header, ke::object_type::event_notification, 1, sizeof(KEVENT));
    if (!create_handle_table(*machine.system_process)) return false;
    state->kernel_handles = table_of(*machine.system_process);
    state->system_process = machine.system_process;
    state->root = make_root();
    return state->root != nullptr && make_directories(*state) && make_links() && register_own_types(machine) &&
           ex::initialize_callbacks(machine);
}

} // namespace dirql::ob
