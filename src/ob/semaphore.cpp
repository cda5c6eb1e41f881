// Semaphores and mutants by handle and by name.
#include "ke/exports/ob.hpp"
#include "ke/mutant.hpp"
#include "ke/system_service.hpp"
#include "ob/event.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/service_result.hpp"
#include "ob/services.hpp"

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_mutant_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x1; // MUTANT_ALL_ACCESS

NTSTATUS create_semaphore(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, LONG initial,
                          LONG most) noexcept {
    if (most <= 0 || initial < 0 || initial > most) return STATUS_INVALID_PARAMETER;
    return create_by_handle<KSEMAPHORE>(result, access, attributes, semaphore_type, [&](KSEMAPHORE& semaphore) {
        KeInitializeSemaphore(&semaphore, initial, most);
    });
}

NTSTATUS release_semaphore(HANDLE handle, LONG count, PLONG previous) noexcept {
    if (count <= 0) return STATUS_INVALID_PARAMETER;
    return change_by_handle<KSEMAPHORE>(handle, SEMAPHORE_MODIFY_STATE, semaphore_type, previous,
                                        [&](KSEMAPHORE& semaphore, LONG& before) {
                                            if (count > semaphore.Limit - semaphore.Header.SignalState)
                                                return STATUS_SEMAPHORE_LIMIT_EXCEEDED;
                                            before = KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, count, FALSE);
                                            return STATUS_SUCCESS;
                                        });
}

// A mutant of applications opens no critical region, and is abandoned when its owner ends.
void initialize_mutant(KMUTANT& mutant, bool owned) noexcept {
    KeInitializeMutex(&mutant, 0);
    mutant.ApcDisable = 0;
    if (owned) ke::acquire_mutant(mutant.Header, *ke::current_thread());
}

// Its last reference may go while somebody owns it.
void destroy_mutant(void* body) noexcept {
    auto& mutant = *static_cast<KMUTANT*>(body);
    if (mutant.OwnerThread != nullptr) RemoveEntryList(&mutant.MutantListEntry);
}

NTSTATUS release_mutant(HANDLE handle, PLONG previous) noexcept {
    return change_by_handle<KMUTANT>(handle, 0, mutant_type, previous, [](KMUTANT& mutant, LONG& before) {
        if (!ke::mutant_owned_by(mutant.Header, *ke::current_thread()))
            return mutant.Abandoned != 0 ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED;
        before = KeReleaseMutex(&mutant, FALSE);
        return STATUS_SUCCESS;
    });
}

} // namespace

constinit const ObjectType mutant_type{
    .name = u"Mutant",
    .index = TypeIndex::mutant,
    .tag = pool_tag("Muta"),
    .mapping = standard_mapping(0x1, 0, SYNCHRONIZE, all_mutant_access),
    .valid_access = all_mutant_access,
    .wait_offset = 0,
    .destroy = destroy_mutant,
};

} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtCreateSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess,
                                 POBJECT_ATTRIBUTES ObjectAttributes, LONG InitialCount, LONG MaximumCount) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateSemaphore);
        return ob::create_semaphore(SemaphoreHandle, DesiredAccess, ObjectAttributes, InitialCount, MaximumCount);
    });
}

NTSTATUS NTAPI NtOpenSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess,
                               POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenSemaphore);
        return ob::open_service(SemaphoreHandle, DesiredAccess, ObjectAttributes, ob::semaphore_type);
    });
}

NTSTATUS NTAPI NtReleaseSemaphore(HANDLE SemaphoreHandle, LONG ReleaseCount, PLONG PreviousCount) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtReleaseSemaphore);
        return ob::release_semaphore(SemaphoreHandle, ReleaseCount, PreviousCount);
    });
}

NTSTATUS NTAPI NtCreateMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                              BOOLEAN InitialOwner) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateMutant);
        return ob::create_by_handle<KMUTANT>(
            MutantHandle, DesiredAccess, ObjectAttributes, ob::mutant_type,
            [&](KMUTANT& mutant) { ob::initialize_mutant(mutant, InitialOwner != FALSE); });
    });
}

NTSTATUS NTAPI NtOpenMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenMutant);
        return ob::open_service(MutantHandle, DesiredAccess, ObjectAttributes, ob::mutant_type);
    });
}

NTSTATUS NTAPI NtReleaseMutant(HANDLE MutantHandle, PLONG PreviousCount) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtReleaseMutant);
        return ob::release_mutant(MutantHandle, PreviousCount);
    });
}
}
