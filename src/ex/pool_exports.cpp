// The pool functions that drivers call.
#include "ex/active_objects.hpp"
#include "ex/pool.hpp"
#include "ex/pool_quota.hpp"
#include "ke/exports/ex.hpp"
#include "ke/pageable.hpp"
#include "ke/stop.hpp"

using namespace dirql;
using namespace dirql::ex;

namespace {

// Drivers add flags to a POOL_TYPE, which C++ does not take for a value of the enumeration.
#define POOL_TYPE_WITH_FLAGS __attribute__((no_sanitize("enum")))

constexpr const char* document = "Bug Check 0xC2: BAD_POOL_CALLER";
constexpr ULONG untagged = pool_tag("None");

// What the callers of the older functions may not ask for.
void check_request(ULONG type, SIZE_T bytes, ULONG tag, const void* caller) noexcept {
    if (ke::current_processor()->irql > detail::highest_irql(pool_kind(type))) [[unlikely]]
        detail::allocate_irql_violation(type, bytes);
    if (bytes == 0) [[unlikely]] {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0, ke::current_processor()->irql, type, 0,
                      {.rule = "pool of no bytes was requested",
                       .document = "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION"});
    }
    if ((type & NonPagedPoolMustSucceed) != 0) [[unlikely]] {
        ke::bug_check(BAD_POOL_CALLER, 0x9A, type, bytes, tag,
                      {.rule = "the must-succeed pool is no longer supported", .document = document});
    }
    if (tag == 0) [[unlikely]] {
        ke::bug_check(BAD_POOL_CALLER, 0x9B, type, bytes, ke::parameter(caller),
                      {.rule = "pool was requested with a tag of 0", .document = document});
    }
    if (tag == pool_tag("BIG ")) [[unlikely]] {
        ke::bug_check(BAD_POOL_CALLER, 0x9C, type, bytes, ke::parameter(caller),
                      {.rule = "pool was requested with the tag BIG", .document = document});
    }
}

// Raises unless told not to.
void* allocate_with_quota(ULONG type, SIZE_T bytes, ULONG tag, const void* caller) {
    check_request(type, bytes, tag, caller);
    const Fill fill = (type & POOL_ZERO_ALLOCATION) != 0 ? Fill::zero : Fill::pattern;
    NTSTATUS status = STATUS_SUCCESS;
    void* block = allocate_charged_pool(caller, type, bytes, tag, fill, status);
    if (block == nullptr && (type & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) == 0) ExRaiseStatus(status);
    return block;
}

// The flags that ExAllocatePool2 must understand; those from POOL_FLAG_OPTIONAL_START on may be ignored.
constexpr POOL_FLAGS known_flags = POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION |
                                   POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_RAISE_ON_FAILURE | POOL_FLAG_NON_PAGED |
                                   POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;
constexpr POOL_FLAGS kind_flags = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;

bool valid_flags(POOL_FLAGS flags) noexcept {
    const POOL_FLAGS kind = flags & kind_flags;
    const POOL_FLAGS required = flags & (POOL_FLAG_OPTIONAL_START - 1);
    return kind != 0 && (kind & (kind - 1)) == 0 && (required & ~known_flags) == 0;
}

ULONG type_of(POOL_FLAGS flags) noexcept {
    ULONG type = (flags & POOL_FLAG_PAGED) != 0       ? ULONG{PagedPool}
                 : (flags & POOL_FLAG_NON_PAGED) != 0 ? ULONG{NonPagedPoolNx}
                                                      : ULONG{NonPagedPool};
    if ((flags & POOL_FLAG_CACHE_ALIGNED) != 0) type |= NonPagedPoolCacheAligned;
    return type;
}

void* fail(POOL_FLAGS flags, NTSTATUS status) {
    if ((flags & POOL_FLAG_RAISE_ON_FAILURE) != 0) ExRaiseStatus(status);
    return nullptr;
}

void* allocate2(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, const void* caller) {
    if (!valid_flags(flags) || tag == 0) return fail(flags, STATUS_INVALID_PARAMETER);
    const ULONG type = type_of(flags);
    check_request(type, bytes, tag, caller);
    const Fill fill = (flags & POOL_FLAG_UNINITIALIZED) != 0 ? Fill::pattern : Fill::zero;
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    void* block = (flags & POOL_FLAG_USE_QUOTA) != 0 ? allocate_charged_pool(caller, type, bytes, tag, fill, status)
                                                     : allocate_pool_for(caller, type, bytes, tag, fill);
    return block != nullptr ? block : fail(flags, status);
}

// A computer of one node, without secure pool (which needs virtualization-based security).
NTSTATUS understand(const POOL_EXTENDED_PARAMETER& parameter, POOL_FLAGS flags) noexcept {
    constexpr ULONG any_node_ok = 0x80000000;
    switch (parameter.Type) {
    case PoolExtendedParameterPriority: return STATUS_SUCCESS; // memory lacks for all priorities or for none
    case PoolExtendedParameterNumaNode: {
        const bool node_is_there =
            (parameter.PreferredNode & ~any_node_ok) == 0 || (parameter.PreferredNode & any_node_ok) != 0;
        return (flags & POOL_FLAG_NON_PAGED) != 0 && node_is_there ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }
    case PoolExtendedParameterSecurePool: return STATUS_NOT_SUPPORTED;
    default: return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS understand_all(PCPOOL_EXTENDED_PARAMETER parameters, ULONG count, POOL_FLAGS flags) noexcept {
    if (count != 0 && parameters == nullptr) return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < count; ++i) {
        const NTSTATUS status = understand(parameters[i], flags);
        if (!NT_SUCCESS(status) && !parameters[i].Optional) return status;
    }
    return STATUS_SUCCESS;
}

} // namespace

namespace dirql::ex {

void* allocate_pool_checked(const void* caller, ULONG type, std::size_t bytes, ULONG tag) {
    check_request(type, bytes, tag, caller);
    const Fill fill = (type & POOL_ZERO_ALLOCATION) != 0 ? Fill::zero : Fill::pattern;
    void* block = allocate_pool_for(caller, type, bytes, tag, fill);
    if (block == nullptr && (type & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return block;
}

void free_pool_checked(void* block, ULONG tag) noexcept {
    // The block's own header says what it is only where it may be read.
    if (ke::current_processor()->irql > APC_LEVEL && ke::is_pageable(ke::current_machine(), block)) [[unlikely]]
        detail::free_irql_violation(PoolKind::paged, block);
    check_nothing_active(block);
    free_pool(block, tag);
}

} // namespace dirql::ex

extern "C" {

POOL_TYPE_WITH_FLAGS PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes) {
    DIRQL_DOOR(ExAllocatePool);
    return allocate_pool_checked(__builtin_return_address(0), PoolType, NumberOfBytes, untagged);
}

POOL_TYPE_WITH_FLAGS PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag) {
    DIRQL_DOOR(ExAllocatePoolWithTag);
    return allocate_pool_checked(__builtin_return_address(0), PoolType, NumberOfBytes, Tag);
}

POOL_TYPE_WITH_FLAGS PVOID NTAPI ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                                               EX_POOL_PRIORITY Priority) {
    DIRQL_DOOR(ExAllocatePoolWithTagPriority);
    UNREFERENCED_PARAMETER(
        Priority); // how long memory may be short before the request fails: it fails when there is none
    return allocate_pool_checked(__builtin_return_address(0), PoolType, NumberOfBytes, Tag);
}

POOL_TYPE_WITH_FLAGS PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes) {
    DIRQL_DOOR(ExAllocatePoolWithQuota);
    return allocate_with_quota(PoolType, NumberOfBytes, untagged, __builtin_return_address(0));
}

POOL_TYPE_WITH_FLAGS PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag) {
    DIRQL_DOOR(ExAllocatePoolWithQuotaTag);
    return allocate_with_quota(PoolType, NumberOfBytes, Tag, __builtin_return_address(0));
}

PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag) {
    DIRQL_DOOR(ExAllocatePool2);
    return allocate2(Flags, NumberOfBytes, Tag, __builtin_return_address(0));
}

PVOID NTAPI ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag,
                            PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount) {
    DIRQL_DOOR(ExAllocatePool3);
    const NTSTATUS status = understand_all(ExtendedParameters, ExtendedParametersCount, Flags);
    if (!NT_SUCCESS(status)) return fail(Flags, status);
    return allocate2(Flags, NumberOfBytes, Tag, __builtin_return_address(0));
}

VOID NTAPI ExFreePool(PVOID P) {
    DIRQL_DOOR(ExFreePool);
    free_pool_checked(P, 0);
}

VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag) {
    DIRQL_DOOR(ExFreePoolWithTag);
    free_pool_checked(P, Tag);
}

VOID NTAPI ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters,
                       ULONG ExtendedParametersCount) {
    DIRQL_DOOR(ExFreePool2);
    UNREFERENCED_PARAMETER(ExtendedParameters);
    UNREFERENCED_PARAMETER(ExtendedParametersCount);
    free_pool_checked(P, Tag);
}
}
