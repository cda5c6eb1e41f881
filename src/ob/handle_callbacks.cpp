#include "ob/handle_callbacks.hpp"

#include "ex/pool.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ob.hpp"
#include "ke/wait.hpp"
#include "ob/altitude.hpp"
#include "ob/capture.hpp"
#include "ob/pool_tags.hpp"
#include "ob/state.hpp"

#include <cstring>

namespace dirql::ob {
namespace {

constexpr ULONG registration_tag = pool_tag("ObCb");
constexpr OB_OPERATION all_operations = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;

struct Registration;

struct CallbackEntry {
    LIST_ENTRY entry; // CallbackLists::of_type
    Registration* registration;
    const ObjectType* type;
    OB_OPERATION operations;
    POB_PRE_OPERATION_CALLBACK before;
    POB_POST_OPERATION_CALLBACK after;
    std::uint32_t running; // operations between the two
};

// One block of pool, with the altitude's text behind the entries.
struct Registration {
    void* context;
    UNICODE_STRING altitude;
    bool going;
    std::uint32_t count;
    CallbackEntry entries[];
};

CallbackLists& lists() noexcept { return current_state().callbacks; }
LIST_ENTRY& list_of(const ObjectType& type) noexcept { return lists().of_type[static_cast<unsigned>(type.index)]; }
CallbackEntry& entry_of(LIST_ENTRY* link) noexcept { return *CONTAINING_RECORD(link, CallbackEntry, entry); }
template <class Function> const void* address(Function* routine) noexcept {
    return reinterpret_cast<const void*>(routine);
}

// What the routines of one operation are told, and what of it one of them has changed.
class Operation {
public:
    explicit Operation(HandleOperation& operation) noexcept
        : operation_(operation), duplicate_(operation.reason == OpenReason::duplicate),
          kernel_((operation.attributes & OBJ_KERNEL_HANDLE) != 0 &&
                  operation.process == current_state().system_process),
          asked_(operation.granted) {}

    // Down the list, and back up: each entry's two calls stand around all that are lower.
    NTSTATUS run(LIST_ENTRY* link) noexcept {
        const LIST_ENTRY* end = &list_of(type_of(operation_.body));
        while (link != end && !is_for(entry_of(link))) link = link->Flink;
        if (link == end)
            return operation_.make(*operation_.process, operation_.body, operation_.granted, operation_.attributes,
                                   operation_.reason, operation_.handle);
        CallbackEntry& entry = entry_of(link);
        ++entry.running;
        void* context = nullptr;
        if (entry.before != nullptr) call_before(entry, context);
        const NTSTATUS status = run(link->Flink);
        if (entry.after != nullptr) call_after(entry, context, status);
        if (--entry.running == 0 && entry.registration->going) KeSetEvent(&lists().idle, IO_NO_INCREMENT, FALSE);
        return status;
    }

private:
    [[nodiscard]] bool is_for(const CallbackEntry& entry) const noexcept {
        return !entry.registration->going && (entry.operations & kind()) != 0;
    }
    [[nodiscard]] OB_OPERATION kind() const noexcept {
        return duplicate_ ? OB_OPERATION_HANDLE_DUPLICATE : OB_OPERATION_HANDLE_CREATE;
    }

    void call_before(const CallbackEntry& entry, void*& context) noexcept {
        OB_PRE_OPERATION_PARAMETERS parameters{};
        auto& create = parameters.CreateHandleInformation; // the two begin alike
        create.DesiredAccess = operation_.granted;
        create.OriginalDesiredAccess = asked_;
        if (duplicate_) {
            parameters.DuplicateHandleInformation.SourceProcess = operation_.source;
            parameters.DuplicateHandleInformation.TargetProcess = operation_.process;
        }
        OB_PRE_OPERATION_INFORMATION information{};
        information.Operation = kind();
        information.KernelHandle = kernel_;
        information.Object = operation_.body;
        information.ObjectType = const_cast<POBJECT_TYPE>(entry.type);
        information.Parameters = &parameters;
        ke::callout({ke::CalloutKind::other, address(entry.before)}, entry.before, entry.registration->context,
                    &information);
        context = information.CallContext;
        // Nothing is added, some rights stay, and the kernel's own handles are as asked for.
        if (!kernel_) operation_.granted &= create.DesiredAccess | entry.type->retained_access;
    }

    void call_after(const CallbackEntry& entry, void* context, NTSTATUS status) noexcept {
        OB_POST_OPERATION_PARAMETERS parameters{};
        parameters.CreateHandleInformation.GrantedAccess = operation_.granted;
        OB_POST_OPERATION_INFORMATION information{};
        information.Operation = kind();
        information.KernelHandle = kernel_;
        information.Object = operation_.body;
        information.ObjectType = const_cast<POBJECT_TYPE>(entry.type);
        information.CallContext = context;
        information.ReturnStatus = status;
        information.Parameters = NT_SUCCESS(status) ? &parameters : nullptr;
        ke::callout({ke::CalloutKind::other, address(entry.after)}, entry.after, entry.registration->context,
                    &information);
    }

    HandleOperation& operation_;
    const bool duplicate_;
    const bool kernel_;
    const ACCESS_MASK asked_;
};

// STATUS_ACCESS_DENIED: not in an image with the integrity flag.
NTSTATUS check_entry(const OB_OPERATION_REGISTRATION& asked) noexcept {
    if (asked.ObjectType == nullptr || *asked.ObjectType == nullptr || !(*asked.ObjectType)->has_callbacks ||
        asked.Operations == 0 || (asked.Operations & ~all_operations) != 0 ||
        (asked.PreOperation == nullptr && asked.PostOperation == nullptr))
        return STATUS_INVALID_PARAMETER;
    const ke::Machine& machine = ke::current_machine();
    for (const void* routine : {address(asked.PreOperation), address(asked.PostOperation)}) {
        if (routine != nullptr && !ke::has_integrity(machine, routine)) return STATUS_ACCESS_DENIED;
    }
    return STATUS_SUCCESS;
}

NTSTATUS check(const OB_CALLBACK_REGISTRATION& asked) noexcept {
    if ((asked.Version & 0xFF00) != OB_FLT_REGISTRATION_VERSION || asked.OperationRegistrationCount == 0)
        return STATUS_INVALID_PARAMETER;
    for (USHORT i = 0; i < asked.OperationRegistrationCount; ++i) {
        const NTSTATUS status = check_entry(asked.OperationRegistration[i]);
        if (!NT_SUCCESS(status)) return status;
    }
    return STATUS_SUCCESS;
}

Registration* copy(const OB_CALLBACK_REGISTRATION& asked) noexcept {
    const std::size_t fixed = sizeof(Registration) + asked.OperationRegistrationCount * sizeof(CallbackEntry);
    auto* made = static_cast<Registration*>(
        ex::allocate_pool(NonPagedPoolNx, fixed + asked.Altitude.Length, registration_tag, ex::Fill::zero));
    if (made == nullptr) return nullptr;
    made->context = asked.RegistrationContext;
    made->altitude = {asked.Altitude.Length, asked.Altitude.Length,
                      reinterpret_cast<PWSTR>(reinterpret_cast<std::byte*>(made) + fixed)};
    std::memcpy(made->altitude.Buffer, asked.Altitude.Buffer, asked.Altitude.Length);
    made->count = asked.OperationRegistrationCount;
    for (std::uint32_t i = 0; i < made->count; ++i) {
        const OB_OPERATION_REGISTRATION& from = asked.OperationRegistration[i];
        made->entries[i] = {{}, made, *from.ObjectType, from.Operations, from.PreOperation, from.PostOperation, 0};
    }
    return made;
}

// Before the first entry that is lower. False: one of the type has this altitude.
bool insert(CallbackEntry& entry) noexcept {
    LIST_ENTRY* end = &list_of(*entry.type);
    LIST_ENTRY* before = end->Flink;
    for (; before != end; before = before->Flink) {
        const int order =
            compare_altitudes(view(entry_of(before).registration->altitude), view(entry.registration->altitude));
        if (order == 0) return false;
        if (order < 0) break;
    }
    InsertTailList(before, &entry.entry);
    return true;
}

NTSTATUS register_callbacks(const OB_CALLBACK_REGISTRATION& asked, PPVOID handle) noexcept {
    const NTSTATUS status = check(asked);
    if (!NT_SUCCESS(status)) return status;
    Registration* made = copy(asked);
    if (made == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    for (std::uint32_t i = 0; i < made->count; ++i) {
        if (insert(made->entries[i])) continue;
        while (i-- > 0) RemoveEntryList(&made->entries[i].entry); // nobody has seen them: no preemption point so far
        ex::free_pool(made, registration_tag);
        return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
    }
    *handle = made;
    return STATUS_SUCCESS;
}

bool under_way(const Registration& registration) noexcept {
    for (std::uint32_t i = 0; i < registration.count; ++i) {
        if (registration.entries[i].running != 0) return true;
    }
    return false;
}

void unregister_callbacks(Registration& registration) noexcept {
    registration.going = true;
    while (under_way(registration)) {
        lists().idle.Header.SignalState = 0;
        ke::wait_for(&lists().idle);
    }
    for (std::uint32_t i = 0; i < registration.count; ++i) RemoveEntryList(&registration.entries[i].entry);
    ex::free_pool(&registration, registration_tag);
}

} // namespace

void initialize_callbacks(CallbackLists& lists) noexcept {
    for (LIST_ENTRY& list : lists.of_type) InitializeListHead(&list);
    ke::initialize_header(lists.idle.Header, ke::object_type::event_notification, 0, sizeof(KEVENT));
}

bool has_handle_callbacks(const _OBJECT_TYPE& type) noexcept { return !IsListEmpty(&list_of(type)); }

NTSTATUS call_handle_callbacks(HandleOperation& operation) noexcept {
    return Operation(operation).run(list_of(type_of(operation.body)).Flink);
}

ex::ActiveObject find_handle_callback(const ke::CodeRange& image) noexcept {
    const auto in = [&](const void* routine) {
        const auto at = reinterpret_cast<std::uintptr_t>(routine);
        return at >= image.begin && at < image.end;
    };
    for (LIST_ENTRY& list : lists().of_type) {
        for (LIST_ENTRY* link = list.Flink; link != &list; link = link->Flink) {
            const CallbackEntry& entry = entry_of(link);
            for (const void* routine : {address(entry.before), address(entry.after)}) {
                if (routine != nullptr && in(routine)) return {entry.registration, routine, "object callbacks"};
            }
        }
    }
    return {};
}

// Desktops: a type that callbacks may be registered for, and of which there are no objects.
constinit const ObjectType desktop_type{
    .name = u"Desktop",
    .index = TypeIndex::desktop,
    .tag = pool_tag("Desk"),
    .mapping = standard_mapping(0x41, 0xBE, 0x100, STANDARD_RIGHTS_REQUIRED | 0x1FF),
    .valid_access = STANDARD_RIGHTS_REQUIRED | 0x1FF,
    .has_callbacks = true,
};

} // namespace dirql::ob

DIRQL_OBJECT_TYPE_EXPORT(ExDesktopObjectType, dirql::ob::desktop_type)

using namespace dirql;

extern "C" {

USHORT NTAPI ObGetFilterVersion(VOID) {
    DIRQL_DOOR(ObGetFilterVersion);
    return OB_FLT_REGISTRATION_VERSION;
}

NTSTATUS NTAPI ObRegisterCallbacks(POB_CALLBACK_REGISTRATION CallbackRegistration, PPVOID RegistrationHandle) {
    DIRQL_DOOR(ObRegisterCallbacks);
    return ob::register_callbacks(*CallbackRegistration, RegistrationHandle);
}

VOID NTAPI ObUnRegisterCallbacks(PVOID RegistrationHandle) {
    DIRQL_DOOR(ObUnRegisterCallbacks);
    ob::unregister_callbacks(*static_cast<ob::Registration*>(RegistrationHandle));
}
}
