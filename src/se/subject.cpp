// Who a thread acts for: its process's token, or the token of the client that it impersonates.
#include "ke/exports/se.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "rtl/sid.hpp"
#include "se/token.hpp"

#include <utility>

namespace dirql::se {
namespace {

constexpr std::uint32_t level_bits = 0x3;
constexpr std::uint32_t copy_on_open_bit = 0x4;
constexpr std::uint32_t effective_only_bit = 0x8;

void* referenced(void* token) noexcept {
    if (token != nullptr) ob::reference(token);
    return token;
}

// The documented conditions under which one may be another without limits, as far as there are such clients: the impersonation
// privilege, the same user, or a level that allows nothing but looking.
bool may_impersonate(const ke::Process& process, const Token& token, SECURITY_IMPERSONATION_LEVEL level) noexcept {
    if (level < SecurityImpersonation) return true;
    const Token& own = token_of(process.se);
    if (own.has_enabled(privilege(SE_IMPERSONATE_PRIVILEGE))) return true;
    return rtl::equal_sids(own.user(), token.user()) && own.restricted_count == 0 && token.restricted_count == 0;
}

} // namespace

Impersonation impersonation_of(const ke::Thread& thread) noexcept {
    return {static_cast<Token*>(thread.se), static_cast<SECURITY_IMPERSONATION_LEVEL>(thread.se_state & level_bits),
            (thread.se_state & copy_on_open_bit) != 0, (thread.se_state & effective_only_bit) != 0};
}

void impersonate(ke::Thread& thread, const Impersonation& whom) noexcept {
    void* before = std::exchange(thread.se, referenced(whom.token));
    thread.se_state = static_cast<std::uint32_t>(whom.level) | (whom.copy_on_open ? copy_on_open_bit : 0) |
                      (whom.effective_only ? effective_only_bit : 0);
    if (before != nullptr) ob::dereference(before);
}

void drop_impersonation(ke::Thread& thread) noexcept {
    impersonate(thread, {nullptr, SecurityAnonymous, false, false});
}

NTSTATUS impersonate_checked(ke::Thread& thread, Token* token, bool copy_on_open, bool effective_only,
                             SECURITY_IMPERSONATION_LEVEL level) noexcept {
    if (token == nullptr) {
        drop_impersonation(thread);
        return STATUS_SUCCESS;
    }
    if (may_impersonate(ps::process_of(thread), *token, level)) { // whatever it is attached to
        impersonate(thread, {token, level, copy_on_open, effective_only});
        return STATUS_SUCCESS;
    }
    Token* copy = nullptr;
    const NTSTATUS status =
        duplicate(*token, TokenImpersonation, SecurityIdentification, effective_only, nullptr, KernelMode, &copy);
    if (!NT_SUCCESS(status)) return STATUS_NO_MEMORY;
    impersonate(thread, {copy, SecurityIdentification, copy_on_open, effective_only});
    ob::dereference(copy);
    return STATUS_SUCCESS;
}

void capture_subject(ke::Thread* thread, ke::Process& process, SECURITY_SUBJECT_CONTEXT& subject) noexcept {
    subject = {};
    subject.ProcessAuditId = reinterpret_cast<PVOID>(process.id);
    subject.PrimaryToken = referenced(process.se);
    if (thread == nullptr) return;
    const Impersonation impersonation = impersonation_of(*thread);
    subject.ClientToken = referenced(impersonation.token);
    subject.ImpersonationLevel = impersonation.level;
}

void release_subject(SECURITY_SUBJECT_CONTEXT& subject) noexcept {
    for (PACCESS_TOKEN* token : {&subject.PrimaryToken, &subject.ClientToken}) {
        if (void* held = std::exchange(*token, nullptr)) ob::dereference(held);
    }
}

const Token* effective_token(const SECURITY_SUBJECT_CONTEXT& subject) noexcept {
    if (subject.ClientToken == nullptr) return static_cast<const Token*>(subject.PrimaryToken);
    return subject.ImpersonationLevel < SecurityImpersonation ? nullptr
                                                              : static_cast<const Token*>(subject.ClientToken);
}

namespace {

ke::Thread& thread_of(PETHREAD thread) noexcept { return *reinterpret_cast<ke::Thread*>(thread); }
ke::Process& process_of(PEPROCESS process) noexcept { return *reinterpret_cast<ke::Process*>(process); }

} // namespace
} // namespace dirql::se

using namespace dirql;

extern "C" {

VOID NTAPI SeCaptureSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext) {
    DIRQL_DOOR(SeCaptureSubjectContext);
    ke::Thread* thread = ke::current_thread();
    se::capture_subject(thread, *thread->process, *SubjectContext);
}

VOID NTAPI SeCaptureSubjectContextEx(PETHREAD Thread, PEPROCESS Process, PSECURITY_SUBJECT_CONTEXT SubjectContext) {
    DIRQL_DOOR(SeCaptureSubjectContextEx);
    se::capture_subject(reinterpret_cast<ke::Thread*>(Thread), se::process_of(Process), *SubjectContext);
}

// What a token says changes at preemption points only, and none is in an access check: to lock it is to hold it, as is done anyway.
VOID NTAPI SeLockSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext) {
    DIRQL_DOOR(SeLockSubjectContext);
    if (SubjectContext->PrimaryToken != nullptr) ob::reference(SubjectContext->PrimaryToken);
    if (SubjectContext->ClientToken != nullptr) ob::reference(SubjectContext->ClientToken);
}

VOID NTAPI SeUnlockSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext) {
    DIRQL_DOOR(SeUnlockSubjectContext);
    if (SubjectContext->ClientToken != nullptr) ob::dereference(SubjectContext->ClientToken);
    if (SubjectContext->PrimaryToken != nullptr) ob::dereference(SubjectContext->PrimaryToken);
}

VOID NTAPI SeReleaseSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext) {
    DIRQL_DOOR(SeReleaseSubjectContext);
    se::release_subject(*SubjectContext);
}

HANDLE NTAPI PsReferencePrimaryToken(PEPROCESS Process) {
    DIRQL_DOOR(PsReferencePrimaryToken);
    return se::referenced(se::process_of(Process).se);
}

VOID NTAPI PsDereferencePrimaryToken(PACCESS_TOKEN PrimaryToken) {
    DIRQL_DOOR(PsDereferencePrimaryToken);
    ob::dereference(PrimaryToken);
}

// Null when the thread impersonates nobody; the rest is then left alone.
PACCESS_TOKEN NTAPI PsReferenceImpersonationToken(PETHREAD Thread, PBOOLEAN CopyOnOpen, PBOOLEAN EffectiveOnly,
                                                  PSECURITY_IMPERSONATION_LEVEL ImpersonationLevel) {
    DIRQL_DOOR(PsReferenceImpersonationToken);
    const se::Impersonation impersonation = se::impersonation_of(se::thread_of(Thread));
    if (impersonation.token == nullptr) return nullptr;
    *CopyOnOpen = impersonation.copy_on_open;
    *EffectiveOnly = impersonation.effective_only;
    *ImpersonationLevel = impersonation.level;
    return se::referenced(impersonation.token);
}

VOID NTAPI PsDereferenceImpersonationToken(PACCESS_TOKEN ImpersonationToken) {
    DIRQL_DOOR(PsDereferenceImpersonationToken);
    if (ImpersonationToken != nullptr) ob::dereference(ImpersonationToken);
}

NTSTATUS NTAPI PsImpersonateClient(PETHREAD Thread, PACCESS_TOKEN Token, BOOLEAN CopyOnOpen, BOOLEAN EffectiveOnly,
                                   SECURITY_IMPERSONATION_LEVEL ImpersonationLevel) {
    DIRQL_DOOR(PsImpersonateClient);
    return se::impersonate_checked(se::thread_of(Thread), static_cast<se::Token*>(Token), CopyOnOpen != FALSE,
                                   EffectiveOnly != FALSE, ImpersonationLevel);
}

VOID NTAPI PsRevertToSelf(VOID) {
    DIRQL_DOOR(PsRevertToSelf);
    se::drop_impersonation(*ke::current_thread());
}
}
