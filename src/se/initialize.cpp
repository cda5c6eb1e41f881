// se at boot, and its answers to the object manager.
#include "ex/pool.hpp"
#include "ke/user_memory.hpp"
#include "ob/namespace.hpp"
#include "ob/security.hpp"
#include "ob/state.hpp"
#include "se/access_check.hpp"
#include "se/assign.hpp"
#include "se/capture.hpp"
#include "se/descriptor.hpp"
#include "se/state.hpp"
#include "se/token.hpp"

namespace dirql::se {
namespace {

constexpr std::u16string_view look_only = u"O:BAG:SYD:(A;;GRGX;;;WD)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGX;;;RC)";

void begin_access(ACCESS_STATE& state) noexcept {
    ke::Thread* thread = ke::current_thread();
    capture_subject(thread, *thread->process, state.SubjectSecurityContext);
    state.OperationID = next_luid();
}
void end_access(ACCESS_STATE& state) noexcept { release_subject(state.SubjectSecurityContext); }

NTSTATUS check(PSECURITY_DESCRIPTOR descriptor, const ob::ObjectType& type, KPROCESSOR_MODE mode,
               ACCESS_STATE& state) noexcept {
    const AccessAnswer answer = check_access({descriptor, &state.SubjectSecurityContext, state.RemainingDesiredAccess,
                                              state.PreviouslyGrantedAccess, &type.mapping, mode});
    if (!NT_SUCCESS(answer.status)) return answer.status;
    state.PreviouslyGrantedAccess |= answer.granted;
    state.RemainingDesiredAccess &= ~(answer.granted | ACCESS_MASK{MAXIMUM_ALLOWED});
    return STATUS_SUCCESS;
}

// Everybody holds the privilege to pass through directories, as Windows gives it; who had it taken away needs the right.
NTSTATUS check_directory(PSECURITY_DESCRIPTOR descriptor, ACCESS_MASK rights) noexcept {
    SECURITY_SUBJECT_CONTEXT subject;
    ke::Thread* thread = ke::current_thread();
    capture_subject(thread, *thread->process, subject);
    const Token* token = effective_token(subject);
    NTSTATUS status = STATUS_SUCCESS;
    const bool passes =
        rights == DIRECTORY_TRAVERSE && token != nullptr && token->has_enabled(privilege(SE_CHANGE_NOTIFY_PRIVILEGE));
    if (!passes) status = check_access({descriptor, &subject, rights, 0, &ob::directory_type.mapping, UserMode}).status;
    release_subject(subject);
    return status;
}

NTSTATUS assign_to_object(const ob::ObjectType& type, KPROCESSOR_MODE mode, PSECURITY_DESCRIPTOR asked,
                          PSECURITY_DESCRIPTOR parent, PSECURITY_DESCRIPTOR* result) noexcept {
    SECURITY_SUBJECT_CONTEXT subject;
    ke::Thread* thread = ke::current_thread();
    capture_subject(thread, *thread->process, subject);
    const Token* token = effective_token(subject);
    if (token == nullptr) token = static_cast<const Token*>(subject.PrimaryToken);
    NTSTATUS status = STATUS_SUCCESS;
    // A link that a driver makes is for everybody to follow and to look at.
    if (&type == &ob::symbolic_link_type && mode == KernelMode && asked == nullptr) {
        status = make_descriptor(look_only, rtl::Sddl::full, result);
        if (NT_SUCCESS(status)) map_generic_rights(*result, type.mapping);
        token = nullptr;
    }
    // Before there are processes nobody is there to be kept away: boot gives its objects descriptors afterwards.
    if (token != nullptr) {
        status = assign({parent, asked, &type == &ob::directory_type, 0, token, &type.mapping, mode, NonPagedPoolNx,
                         type.label_policy},
                        result);
    }
    release_subject(subject);
    return status;
}

constexpr ob::SecurityHooks hooks{begin_access,       end_access,       check,          check_directory,
                                  capture_descriptor, assign_to_object, free_descriptor};

// Who may what in the directories that every machine has.
struct DirectorySecurity {
    std::u16string_view name;
    std::u16string_view text;
};
constexpr std::u16string_view own_names = u"O:BAG:SYD:(A;;0x2000f;;;WD)(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x20003;;;RC)";
constexpr DirectorySecurity directories[] = {
    {u"\\", look_only},
    {u"\\ObjectTypes", look_only},
    {u"\\Device", look_only},
    {u"\\Driver", u"O:BAG:SYD:(A;;GA;;;SY)(A;;GRGX;;;BA)"},
    {u"\\FileSystem", u"O:BAG:SYD:(A;;GA;;;SY)(A;;GRGX;;;BA)"},
    {u"\\BaseNamedObjects", own_names},
    {u"\\Callback", look_only},
    {u"\\KernelObjects", look_only},
    {u"\\GLOBAL??", look_only},
};

bool secure_directories() noexcept {
    for (const DirectorySecurity& directory : directories) {
        const auto bytes = static_cast<USHORT>(directory.name.size() * sizeof(WCHAR));
        const UNICODE_STRING name{bytes, bytes, const_cast<char16_t*>(directory.name.data())};
        void* body = nullptr;
        if (!NT_SUCCESS(ob::reference_by_name(name, 0, 0, &ob::directory_type, KernelMode, nullptr, &body)))
            return false;
        PSECURITY_DESCRIPTOR descriptor = nullptr;
        const NTSTATUS status = make_descriptor(directory.text, rtl::Sddl::full, &descriptor);
        if (NT_SUCCESS(status)) {
            map_generic_rights(descriptor, ob::directory_type.mapping);
            free_descriptor(ob::header_of(body).security_descriptor);
            ob::header_of(body).security_descriptor = descriptor;
        }
        ob::dereference(body);
        if (!NT_SUCCESS(status)) return false;
    }
    return true;
}

} // namespace

bool initialize(ke::Machine& machine) noexcept {
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::se)] = state;
    state->next_luid = 0x400; // those below are well known
    return ob::register_type(machine, token_type) && give_token(*machine.system_process, Account::system) &&
           secure_directories() && ((ob::state_of(machine).security = &hooks), true);
}

} // namespace dirql::se
