#include "ex/callback.hpp"

#include "ex/pool.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ex_sync.hpp"
#include "ke/wait.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"
#include "ob/state.hpp"

#include <string_view>

// The object's body.
struct _CALLBACK_OBJECT {
    LIST_ENTRY registrations;
    BOOLEAN allows_many;
};

namespace dirql::ex {
namespace {

constexpr ULONG registration_tag = pool_tag("CBrg");
constexpr ACCESS_MASK modify_state = 0x1;
constexpr ACCESS_MASK all_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | modify_state;

struct Registration {
    LIST_ENTRY entry;
    CallbackObject* object; // referenced
    PCALLBACK_FUNCTION function;
    PVOID context;
    unsigned running;    // notifications that are in the function, or come to it next
    KEVENT* not_running; // on the stack of the thread that unregisters it; then it is called no more
};

Registration& registration_at(LIST_ENTRY* entry) noexcept { return *CONTAINING_RECORD(entry, Registration, entry); }

void initialize(CallbackObject& object, bool allows_many) noexcept {
    InitializeListHead(&object.registrations);
    object.allows_many = allows_many;
}

// By handle, so that the object's name lives as long as the namespace wants it to: once the handle is closed, a name goes
// unless the object is permanent.
NTSTATUS reference(HANDLE handle, CallbackObject*& object) noexcept {
    void* body = nullptr;
    const NTSTATUS status = ob::reference_by_handle(handle, 0, &callback_type, KernelMode, &body);
    (void)ob::close(handle, KernelMode);
    if (NT_SUCCESS(status)) object = static_cast<CallbackObject*>(body);
    return status;
}

NTSTATUS open_or_create(OBJECT_ATTRIBUTES attributes, bool create, bool allows_many, CallbackObject*& object) noexcept {
    attributes.Attributes |= OBJ_KERNEL_HANDLE;
    HANDLE handle = nullptr;
    NTSTATUS status = ob::open_by_name(&attributes, &callback_type, KernelMode, modify_state, nullptr, &handle);
    if (!NT_SUCCESS(status) && create) {
        void* body = nullptr;
        status = ob::create_object(callback_type, &attributes, KernelMode, sizeof(CallbackObject), &body);
        if (!NT_SUCCESS(status)) return status;
        initialize(*static_cast<CallbackObject*>(body), allows_many);
        status = ob::insert_object(body, modify_state, &handle);
    }
    return NT_SUCCESS(status) ? reference(handle, object) : status;
}

bool make_known(std::u16string_view path) noexcept {
    const auto bytes = static_cast<USHORT>(path.size() * sizeof(char16_t));
    UNICODE_STRING name{bytes, bytes, const_cast<char16_t*>(path.data())};
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    void* body = nullptr;
    if (!NT_SUCCESS(ob::create_object(callback_type, &attributes, KernelMode, sizeof(CallbackObject), &body)))
        return false;
    initialize(*static_cast<CallbackObject*>(body), true);
    return NT_SUCCESS(ob::insert_object(body, 0, nullptr));
}

void run(const Registration& registration, PVOID argument1, PVOID argument2) noexcept {
    const auto* code = reinterpret_cast<const void*>(registration.function);
    ke::callout({ke::CalloutKind::other, code}, registration.function, registration.context, argument1, argument2);
}

void hold(const CallbackObject& object, LIST_ENTRY* entry) noexcept {
    if (entry != &object.registrations) ++registration_at(entry).running;
}

// It may be gone when this returns, and threads have run.
void let_go(Registration& registration) noexcept {
    if (--registration.running == 0 && registration.not_running != nullptr)
        KeSetEvent(registration.not_running, IO_NO_INCREMENT, FALSE);
}

} // namespace

constinit const ob::ObjectType callback_type{
    .name = u"Callback",
    .index = ob::TypeIndex::callback,
    .tag = pool_tag("Call"),
    .mapping = ob::standard_mapping(0, modify_state, SYNCHRONIZE, all_access),
    .valid_access = all_access,
};

bool initialize_callbacks(ke::Machine& machine) noexcept {
    return ob::register_type(machine, callback_type) && make_known(u"\\Callback\\SetSystemTime") &&
           make_known(u"\\Callback\\PowerState") && make_known(u"\\Callback\\ProcessorAdd");
}

// A routine that is registered meanwhile comes last and is called too. One that runs, or comes next, keeps its place in the
// list: whoever unregisters it waits till then. The next one is held before the one before is let go of: who waited for that
// may run at once, and unregister both.
void notify_callback(CallbackObject& object, void* argument1, void* argument2) noexcept {
    LIST_ENTRY* entry = object.registrations.Flink;
    hold(object, entry);
    while (entry != &object.registrations) {
        Registration& registration = registration_at(entry);
        if (registration.not_running == nullptr) run(registration, argument1, argument2);
        entry = entry->Flink;
        hold(object, entry);
        let_go(registration);
    }
}

} // namespace dirql::ex

using namespace dirql;

extern "C" {

NTSTATUS NTAPI ExCreateCallback(PCALLBACK_OBJECT* CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create,
                                BOOLEAN AllowMultipleCallbacks) {
    DIRQL_DOOR(ExCreateCallback);
    if (ObjectAttributes == nullptr || ObjectAttributes->ObjectName == nullptr) return STATUS_UNSUCCESSFUL;
    return ex::open_or_create(*ObjectAttributes, Create != FALSE, AllowMultipleCallbacks != FALSE, *CallbackObject);
}

PVOID NTAPI ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction,
                               PVOID CallbackContext) {
    DIRQL_DOOR(ExRegisterCallback);
    if (CallbackObject->allows_many == FALSE && !IsListEmpty(&CallbackObject->registrations)) return nullptr;
    auto* registration = static_cast<ex::Registration*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(ex::Registration), ex::registration_tag, ex::Fill::none));
    if (registration == nullptr) return nullptr;
    *registration = {{}, CallbackObject, CallbackFunction, CallbackContext, 0, nullptr};
    ob::reference(CallbackObject);
    InsertTailList(&CallbackObject->registrations, &registration->entry);
    return registration;
}

VOID NTAPI ExUnregisterCallback(PVOID CbRegistration) {
    DIRQL_DOOR(ExUnregisterCallback);
    auto* registration = static_cast<ex::Registration*>(CbRegistration);
    if (registration->running != 0) {
        KEVENT not_running;
        KeInitializeEvent(&not_running, NotificationEvent, FALSE);
        registration->not_running = &not_running;
        if (registration->running != 0) KeWaitForSingleObject(&not_running, Executive, KernelMode, FALSE, nullptr);
    }
    RemoveEntryList(&registration->entry);
    ex::CallbackObject* object = registration->object;
    ex::free_pool(registration, ex::registration_tag);
    ob::dereference(object);
}

VOID NTAPI ExNotifyCallback(PCALLBACK_OBJECT CallbackObject, PVOID Argument1, PVOID Argument2) {
    DIRQL_DOOR(ExNotifyCallback);
    ex::notify_callback(*CallbackObject, Argument1, Argument2);
}
}
