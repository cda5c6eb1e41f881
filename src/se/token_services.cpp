// System services for tokens.
#include "ex/pool.hpp"
#include "ke/exports/se.hpp"
#include "ke/system_service.hpp"
#include "ob/answer.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/service_result.hpp"
#include "ps/ps.hpp"
#include "se/access_check.hpp"
#include "se/token.hpp"
#include "se/token_query.hpp"

#include <algorithm>
#include <bit>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeTs");
constexpr ACCESS_MASK process_query = 0x1000; // PROCESS_QUERY_LIMITED_INFORMATION
constexpr ACCESS_MASK thread_query = 0x0800;  // THREAD_QUERY_LIMITED_INFORMATION

// A handle to the token, by the caller's rights to it.
NTSTATUS open_token(Token& token, ACCESS_MASK access, ULONG attributes, KPROCESSOR_MODE mode, HANDLE& handle) noexcept {
    if (mode != KernelMode) attributes &= ~ULONG{OBJ_KERNEL_HANDLE};
    return ob::open_by_pointer(&token, attributes, nullptr, access, &token_type, mode, &handle);
}

NTSTATUS open_process_token(HANDLE process, ACCESS_MASK access, ULONG attributes, PHANDLE result) noexcept {
    return ob::hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        void* body = nullptr;
        NTSTATUS status = ob::reference_by_handle(process, process_query, &ps::process_type, mode, &body);
        if (!NT_SUCCESS(status)) return status;
        status = open_token(token_of(static_cast<ke::Process*>(body)->se), access, attributes, mode, handle);
        ob::dereference(body);
        return status;
    });
}

// A token that may not be opened itself is opened as a copy.
NTSTATUS open_impersonation(const Impersonation& client, ACCESS_MASK access, ULONG attributes, KPROCESSOR_MODE mode,
                            HANDLE& handle) noexcept {
    if (client.token == nullptr) return STATUS_NO_TOKEN;
    if (client.level == SecurityAnonymous) return STATUS_CANT_OPEN_ANONYMOUS;
    if (!client.copy_on_open) return open_token(*client.token, access, attributes, mode, handle);
    Token* copy = nullptr;
    NTSTATUS status =
        duplicate(*client.token, TokenImpersonation, client.level, client.effective_only, nullptr, KernelMode, &copy);
    if (!NT_SUCCESS(status)) return status;
    status = open_token(*copy, access, attributes, mode, handle);
    ob::dereference(copy);
    return status;
}

NTSTATUS open_client_of(ke::Thread& thread, ACCESS_MASK access, bool as_self, ULONG attributes, KPROCESSOR_MODE mode,
                        HANDLE& handle) noexcept {
    const Impersonation client = impersonation_of(thread);
    if (client.token != nullptr) ob::reference(client.token);
    // As itself: by the rights of the process, not of the client that is looked at.
    ke::Thread& self = *ke::current_thread();
    const Impersonation own = impersonation_of(self);
    if (own.token != nullptr) ob::reference(own.token);
    if (as_self) drop_impersonation(self);
    const NTSTATUS status = open_impersonation(client, access, attributes, mode, handle);
    if (as_self) impersonate(self, own);
    if (own.token != nullptr) ob::dereference(own.token);
    if (client.token != nullptr) ob::dereference(client.token);
    return status;
}

NTSTATUS open_thread_token(HANDLE thread, ACCESS_MASK access, bool as_self, ULONG attributes, PHANDLE result) noexcept {
    return ob::hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        void* body = nullptr;
        NTSTATUS status = ob::reference_by_handle(thread, thread_query, &ps::thread_type, mode, &body);
        if (!NT_SUCCESS(status)) return status;
        status = open_client_of(*static_cast<ke::Thread*>(body), access, as_self, attributes, mode, handle);
        ob::dereference(body);
        return status;
    });
}

NTSTATUS query_information(HANDLE handle, TOKEN_INFORMATION_CLASS which, PVOID to, ULONG length,
                           PULONG needed_length) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(needed_length, mode);
    if (!NT_SUCCESS(status)) return status;
    void* body = nullptr;
    const ACCESS_MASK access = which == TokenSource ? TOKEN_QUERY_SOURCE : TOKEN_QUERY;
    status = ob::reference_by_handle(handle, access, &token_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    const Token& token = token_of(body);
    std::size_t needed = 0;
    status = query_token(token, which, nullptr, nullptr, 0, &needed);
    if (NT_SUCCESS(status) || status == STATUS_BUFFER_TOO_SMALL) {
        const ob::Answer answer{to, length, needed_length, mode};
        const ULONG room = std::min(length, static_cast<ULONG>(needed));
        status = answer.give_from_pool(room, [&](void* buffer, ULONG& size) {
            const NTSTATUS made = query_token(token, which, buffer, to, room, &needed);
            size = static_cast<ULONG>(needed);
            return made;
        });
    }
    ob::dereference(body);
    return status;
}

struct Duplicate {
    ACCESS_MASK access;
    POBJECT_ATTRIBUTES attributes;
    bool effective_only;
    TOKEN_TYPE type;
};

// The level that is asked for in the attributes' quality of service, or the token's own.
NTSTATUS duplicate_as(const Token& token, const Duplicate& wanted, const ob::CapturedAttributes& captured,
                      KPROCESSOR_MODE mode, Token** copy) noexcept {
    const SECURITY_QUALITY_OF_SERVICE& quality = captured.quality_of_service;
    const bool asked = captured.has_quality_of_service;
    const SECURITY_IMPERSONATION_LEVEL level = asked ? quality.ImpersonationLevel : token.level;
    const bool effective_only = wanted.effective_only || (asked && quality.EffectiveOnly);
    if (level < SecurityAnonymous || level > SecurityDelegation) return STATUS_INVALID_PARAMETER;
    const bool too_much = level > token.level || (wanted.type == TokenPrimary && token.level < SecurityImpersonation);
    if (token.type == TokenImpersonation && too_much) return STATUS_BAD_IMPERSONATION_LEVEL;
    return duplicate(token, wanted.type, level, effective_only, wanted.attributes, mode, copy);
}

NTSTATUS duplicate_token(HANDLE existing, const Duplicate& wanted, PHANDLE result) noexcept {
    if (wanted.type != TokenPrimary && wanted.type != TokenImpersonation) return STATUS_INVALID_PARAMETER;
    return ob::hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        ob::CapturedAttributes captured;
        NTSTATUS status = captured.capture(wanted.attributes, mode);
        if (!NT_SUCCESS(status)) return status;
        void* body = nullptr;
        OBJECT_HANDLE_INFORMATION information{};
        status = ob::reference_by_handle(existing, TOKEN_DUPLICATE, &token_type, mode, &body, &information);
        if (!NT_SUCCESS(status)) return status;
        Token* copy = nullptr;
        status = duplicate_as(token_of(body), wanted, captured, mode, &copy);
        ob::dereference(body);
        if (!NT_SUCCESS(status)) return status;
        return ob::insert_object(copy, wanted.access == 0 ? information.GrantedAccess : wanted.access, &handle);
    });
}

// The caller's list of privileges in the kernel's memory.
class CapturedPrivileges {
public:
    CapturedPrivileges() = default;
    ~CapturedPrivileges() {
        if (list_ != nullptr) ex::free_pool(list_, tag);
    }
    CapturedPrivileges(const CapturedPrivileges&) = delete;
    CapturedPrivileges& operator=(const CapturedPrivileges&) = delete;

    [[nodiscard]] NTSTATUS capture(const LUID_AND_ATTRIBUTES* from, ULONG count, KPROCESSOR_MODE mode) noexcept {
        if (count > 0x3C) return STATUS_INVALID_PARAMETER; // more than there are
        count_ = count;
        if (count == 0) return STATUS_SUCCESS;
        const std::size_t bytes = count * sizeof(LUID_AND_ATTRIBUTES);
        list_ = static_cast<LUID_AND_ATTRIBUTES*>(ex::allocate_pool(PagedPool, bytes, tag, ex::Fill::none));
        return list_ == nullptr ? STATUS_INSUFFICIENT_RESOURCES : ke::copy_bytes_in(list_, from, bytes, mode);
    }
    [[nodiscard]] std::span<LUID_AND_ATTRIBUTES> get() const noexcept { return {list_, count_}; }

private:
    LUID_AND_ATTRIBUTES* list_ = nullptr;
    ULONG count_ = 0;
};

struct Adjustment {
    Privileges enabled;
    Privileges present;
    bool all_assigned = true;
};

Adjustment adjust(const Token& token, bool disable_all, std::span<const LUID_AND_ATTRIBUTES> wanted) noexcept {
    Adjustment result{token.enabled, token.present};
    if (disable_all) {
        result.enabled = 0;
        return result;
    }
    for (const LUID_AND_ATTRIBUTES& each : wanted) {
        const Privileges bit = privilege_of(each.Luid);
        if (bit == 0 || (token.present & bit) == 0) {
            result.all_assigned = false;
        } else if ((each.Attributes & SE_PRIVILEGE_REMOVED) != 0) {
            result.present &= ~bit;
            result.enabled &= ~bit;
        } else if ((each.Attributes & SE_PRIVILEGE_ENABLED) != 0) {
            result.enabled |= bit;
        } else {
            result.enabled &= ~bit;
        }
    }
    return result;
}

NTSTATUS write_previous(const Token& token, Privileges changed, PTOKEN_PRIVILEGES previous, ULONG room, PULONG needed,
                        KPROCESSOR_MODE mode) noexcept {
    const auto count = static_cast<ULONG>(std::popcount(changed));
    const ULONG bytes = sizeof(ULONG) + count * sizeof(LUID_AND_ATTRIBUTES);
    NTSTATUS status = ke::copy_out(needed, bytes, mode);
    if (!NT_SUCCESS(status)) return status;
    if (room < bytes) return STATUS_BUFFER_TOO_SMALL;
    status = ke::copy_out(&previous->PrivilegeCount, count, mode);
    LUID_AND_ATTRIBUTES* to = previous->Privileges;
    for (; changed != 0 && NT_SUCCESS(status); changed &= changed - 1) {
        const auto number = static_cast<ULONG>(std::countr_zero(changed));
        const ULONG enabled = token.has_enabled(privilege(number)) ? SE_PRIVILEGE_ENABLED : 0;
        status = ke::copy_out(to++, LUID_AND_ATTRIBUTES{{number, 0}, enabled}, mode);
    }
    return status;
}

NTSTATUS adjust_privileges(HANDLE handle, bool disable_all, PTOKEN_PRIVILEGES wanted, ULONG room,
                           PTOKEN_PRIVILEGES previous, PULONG needed) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (!disable_all && wanted == nullptr) return STATUS_INVALID_PARAMETER;
    CapturedPrivileges captured;
    NTSTATUS status = STATUS_SUCCESS;
    if (!disable_all) {
        ULONG count = 0;
        status = ke::copy_in(count, &wanted->PrivilegeCount, mode);
        if (NT_SUCCESS(status)) status = captured.capture(wanted->Privileges, count, mode);
        if (!NT_SUCCESS(status)) return status;
    }
    void* body = nullptr;
    const ACCESS_MASK access = TOKEN_ADJUST_PRIVILEGES | (previous != nullptr ? TOKEN_QUERY : 0);
    status = ob::reference_by_handle(handle, access, &token_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    Token& token = token_of(body);
    const Adjustment result = adjust(token, disable_all, captured.get());
    if (previous != nullptr)
        status = write_previous(token, token.enabled ^ result.enabled, previous, room, needed, mode);
    if (NT_SUCCESS(status)) {
        if (token.enabled != result.enabled || token.present != result.present) token.modified_id = next_luid();
        token.enabled = result.enabled;
        token.present = result.present;
        status = result.all_assigned ? STATUS_SUCCESS : STATUS_NOT_ALL_ASSIGNED;
    }
    ob::dereference(body);
    return status;
}

NTSTATUS privilege_check(HANDLE handle, PPRIVILEGE_SET required, PBOOLEAN result) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    void* body = nullptr;
    NTSTATUS status = ob::reference_by_handle(handle, TOKEN_QUERY, &token_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    const Token& token = token_of(body);
    if (token.type == TokenImpersonation && token.level < SecurityIdentification)
        status = STATUS_BAD_IMPERSONATION_LEVEL;
    PRIVILEGE_SET head{};
    CapturedPrivileges captured;
    if (NT_SUCCESS(status)) status = ke::copy_bytes_in(&head, required, 2 * sizeof(ULONG), mode);
    if (NT_SUCCESS(status)) status = captured.capture(required->Privilege, head.PrivilegeCount, mode);
    if (NT_SUCCESS(status)) {
        ULONG held = 0;
        LUID_AND_ATTRIBUTES* to = required->Privilege;
        for (LUID_AND_ATTRIBUTES& each : captured.get()) {
            PRIVILEGE_SET one{1, PRIVILEGE_SET_ALL_NECESSARY, {each}};
            if (check_privileges(one, &token)) ++held;
            status = ke::copy_out(to++, one.Privilege[0], mode);
            if (!NT_SUCCESS(status)) break;
        }
        const bool all = (head.Control & PRIVILEGE_SET_ALL_NECESSARY) != 0;
        const BOOLEAN answer = all ? held == head.PrivilegeCount : held != 0;
        if (NT_SUCCESS(status)) status = ke::copy_out(result, answer, mode);
    }
    ob::dereference(body);
    return status;
}

} // namespace
} // namespace dirql::se

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtOpenProcessToken(HANDLE ProcessHandle, ACCESS_MASK DesiredAccess, PHANDLE TokenHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenProcessToken);
        return se::open_process_token(ProcessHandle, DesiredAccess, 0, TokenHandle);
    });
}

NTSTATUS NTAPI NtOpenProcessTokenEx(HANDLE ProcessHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                                    PHANDLE TokenHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenProcessTokenEx);
        return se::open_process_token(ProcessHandle, DesiredAccess, HandleAttributes, TokenHandle);
    });
}

NTSTATUS NTAPI ZwOpenProcessTokenEx(HANDLE ProcessHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                                    PHANDLE TokenHandle) {
    DIRQL_DOOR(ZwOpenProcessTokenEx);
    const ke::KernelModeCaller caller;
    return NtOpenProcessTokenEx(ProcessHandle, DesiredAccess, HandleAttributes, TokenHandle);
}

NTSTATUS NTAPI NtOpenThreadToken(HANDLE ThreadHandle, ACCESS_MASK DesiredAccess, BOOLEAN OpenAsSelf,
                                 PHANDLE TokenHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenThreadToken);
        return se::open_thread_token(ThreadHandle, DesiredAccess, OpenAsSelf != FALSE, 0, TokenHandle);
    });
}

NTSTATUS NTAPI NtOpenThreadTokenEx(HANDLE ThreadHandle, ACCESS_MASK DesiredAccess, BOOLEAN OpenAsSelf,
                                   ULONG HandleAttributes, PHANDLE TokenHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenThreadTokenEx);
        return se::open_thread_token(ThreadHandle, DesiredAccess, OpenAsSelf != FALSE, HandleAttributes, TokenHandle);
    });
}

NTSTATUS NTAPI ZwOpenThreadTokenEx(HANDLE ThreadHandle, ACCESS_MASK DesiredAccess, BOOLEAN OpenAsSelf,
                                   ULONG HandleAttributes, PHANDLE TokenHandle) {
    DIRQL_DOOR(ZwOpenThreadTokenEx);
    const ke::KernelModeCaller caller;
    return NtOpenThreadTokenEx(ThreadHandle, DesiredAccess, OpenAsSelf, HandleAttributes, TokenHandle);
}

NTSTATUS NTAPI NtQueryInformationToken(HANDLE TokenHandle, TOKEN_INFORMATION_CLASS TokenInformationClass,
                                       PVOID TokenInformation, ULONG TokenInformationLength, PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryInformationToken);
        return se::query_information(TokenHandle, TokenInformationClass, TokenInformation, TokenInformationLength,
                                     ReturnLength);
    });
}

NTSTATUS NTAPI ZwQueryInformationToken(HANDLE TokenHandle, TOKEN_INFORMATION_CLASS TokenInformationClass,
                                       PVOID TokenInformation, ULONG TokenInformationLength, PULONG ReturnLength) {
    DIRQL_DOOR(ZwQueryInformationToken);
    const ke::KernelModeCaller caller;
    return NtQueryInformationToken(TokenHandle, TokenInformationClass, TokenInformation, TokenInformationLength,
                                   ReturnLength);
}

NTSTATUS NTAPI NtDuplicateToken(HANDLE ExistingTokenHandle, ACCESS_MASK DesiredAccess,
                                POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN EffectiveOnly, TOKEN_TYPE TokenType,
                                PHANDLE NewTokenHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtDuplicateToken);
        return se::duplicate_token(
            ExistingTokenHandle, {DesiredAccess, ObjectAttributes, EffectiveOnly != FALSE, TokenType}, NewTokenHandle);
    });
}

NTSTATUS NTAPI ZwDuplicateToken(HANDLE ExistingTokenHandle, ACCESS_MASK DesiredAccess,
                                POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN EffectiveOnly, TOKEN_TYPE TokenType,
                                PHANDLE NewTokenHandle) {
    DIRQL_DOOR(ZwDuplicateToken);
    const ke::KernelModeCaller caller;
    return NtDuplicateToken(ExistingTokenHandle, DesiredAccess, ObjectAttributes, EffectiveOnly, TokenType,
                            NewTokenHandle);
}

NTSTATUS NTAPI NtAdjustPrivilegesToken(HANDLE TokenHandle, BOOLEAN DisableAllPrivileges, PTOKEN_PRIVILEGES NewState,
                                       ULONG BufferLength, PTOKEN_PRIVILEGES PreviousState, PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtAdjustPrivilegesToken);
        return se::adjust_privileges(TokenHandle, DisableAllPrivileges != FALSE, NewState, BufferLength, PreviousState,
                                     ReturnLength);
    });
}

NTSTATUS NTAPI NtPrivilegeCheck(HANDLE ClientToken, PPRIVILEGE_SET RequiredPrivileges, PBOOLEAN Result) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtPrivilegeCheck);
        return se::privilege_check(ClientToken, RequiredPrivileges, Result);
    });
}
}
