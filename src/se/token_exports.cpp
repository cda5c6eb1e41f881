// Tokens as drivers see them: what they say, and a client's to act for.
#include "ex/pool.hpp"
#include "ke/exports/se.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "rtl/sid.hpp"
#include "se/token.hpp"
#include "se/token_query.hpp"

#include <array>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeTi");

// Two of the answers are words in place of a pointer to a block.
NTSTATUS query_for_driver(const Token& token, TOKEN_INFORMATION_CLASS which, PPVOID result) noexcept {
    if (which == TokenSessionId) {
        *reinterpret_cast<PULONG>(result) = token.session;
        return STATUS_SUCCESS;
    }
    if (which == TokenIntegrityLevel) {
        const SID_AND_ATTRIBUTES* label = token.label();
        const ULONG* levels = label == nullptr ? nullptr : rtl::sid_of(label->Sid).SubAuthority;
        *reinterpret_cast<PULONG>(result) = levels == nullptr ? 0 : levels[0];
        return STATUS_SUCCESS;
    }
    std::size_t needed = 0;
    NTSTATUS status = query_token(token, which, nullptr, nullptr, 0, &needed);
    if (status != STATUS_BUFFER_TOO_SMALL) return NT_SUCCESS(status) ? STATUS_INVALID_INFO_CLASS : status;
    void* buffer = ex::allocate_pool(PagedPool, needed, tag, ex::Fill::zero);
    if (buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    status = query_token(token, which, buffer, buffer, needed, &needed);
    *result = buffer;
    return status;
}

TOKEN_CONTROL control_of(const Token& token) noexcept {
    return {token.id, token.authentication_id, token.modified_id, token.source};
}

// The effective token of a client: a reference to it, or a copy, and what a server may do with that.
NTSTATUS create_client(PACCESS_TOKEN effective, SECURITY_IMPERSONATION_LEVEL level, bool impersonating,
                       bool effective_only, const SECURITY_QUALITY_OF_SERVICE& wanted, bool remote,
                       SECURITY_CLIENT_CONTEXT& context) noexcept {
    if (wanted.ImpersonationLevel < SecurityAnonymous || wanted.ImpersonationLevel > SecurityDelegation)
        return STATUS_INVALID_PARAMETER;
    if (impersonating) {
        if (level < SecurityImpersonation || wanted.ImpersonationLevel > level) return STATUS_BAD_IMPERSONATION_LEVEL;
        if (remote && level != SecurityDelegation) return STATUS_BAD_IMPERSONATION_LEVEL;
    }
    context = {};
    context.SecurityQos = wanted;
    context.ServerIsRemote = remote;
    Token& token = token_of(effective);
    context.DirectAccessEffectiveOnly = effective_only || wanted.EffectiveOnly != FALSE;
    if (wanted.ContextTrackingMode == SECURITY_DYNAMIC_TRACKING && !remote) {
        context.DirectlyAccessClientToken = TRUE;
        ob::reference(&token);
        context.ClientToken = &token;
        return STATUS_SUCCESS;
    }
    Token* copy = nullptr;
    const NTSTATUS status = duplicate(token, TokenImpersonation, wanted.ImpersonationLevel,
                                      context.DirectAccessEffectiveOnly != FALSE, nullptr, KernelMode, &copy);
    if (!NT_SUCCESS(status)) return status;
    context.ClientTokenControl = control_of(token);
    context.ClientToken = copy;
    return STATUS_SUCCESS;
}

NTSTATUS impersonate_client(const SECURITY_CLIENT_CONTEXT& context, PETHREAD thread) noexcept {
    ke::Thread& server = thread == nullptr ? *ke::current_thread() : *reinterpret_cast<ke::Thread*>(thread);
    const bool effective_only =
        context.DirectlyAccessClientToken ? context.DirectAccessEffectiveOnly : context.SecurityQos.EffectiveOnly;
    return impersonate_checked(server, static_cast<Token*>(context.ClientToken), true, effective_only,
                               context.SecurityQos.ImpersonationLevel);
}

// As SeFilterToken: groups that only deny, fewer privileges, a second list that must allow too.
class Filter {
public:
    Filter() = default;
    ~Filter() {
        if (sids_ != nullptr) ex::free_pool(sids_, tag);
    }
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    NTSTATUS run(const Token& token, ULONG flags, const TOKEN_GROUPS* disable, const TOKEN_PRIVILEGES* remove,
                 const TOKEN_GROUPS* restrict_to, Token** result) noexcept {
        TokenParts parts = parts_of(token);
        sids_ = static_cast<SID_AND_ATTRIBUTES*>(
            ex::allocate_pool(PagedPool, parts.sids.size_bytes(), tag, ex::Fill::none));
        if (sids_ == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        for (ULONG i = 0; i < token.sid_count; ++i) sids_[i] = filtered(token.sids[i], disable);
        parts.sids = {sids_, token.sid_count};
        parts.parent_id = token.id;
        if ((flags & DISABLE_MAX_PRIVILEGE) != 0) parts.present &= privilege(SE_CHANGE_NOTIFY_PRIVILEGE);
        if (remove != nullptr) {
            const LUID_AND_ATTRIBUTES* each = remove->Privileges;
            for (ULONG i = 0; i < remove->PrivilegeCount; ++i) parts.present &= ~privilege_of(each[i].Luid);
        }
        if (restrict_to != nullptr && restrict_to->GroupCount != 0) {
            const SID_AND_ATTRIBUTES* first = restrict_to->Groups;
            parts.restricted = {first, restrict_to->GroupCount};
        }
        return make_token(parts, nullptr, KernelMode, result);
    }

private:
    static SID_AND_ATTRIBUTES filtered(SID_AND_ATTRIBUTES sid, const TOKEN_GROUPS* disable) noexcept {
        if (disable == nullptr || (sid.Attributes & SE_GROUP_INTEGRITY) != 0) return sid;
        const SID_AND_ATTRIBUTES* each = disable->Groups;
        for (ULONG i = 0; i < disable->GroupCount; ++i) {
            if (!rtl::equal_sids(each[i].Sid, sid.Sid)) continue;
            constexpr ULONG gone = SE_GROUP_ENABLED | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_OWNER;
            sid.Attributes = (sid.Attributes & ~gone) | SE_GROUP_USE_FOR_DENY_ONLY;
        }
        return sid;
    }

    SID_AND_ATTRIBUTES* sids_ = nullptr;
};

} // namespace
} // namespace dirql::se

using namespace dirql;

extern "C" {

NTSTATUS NTAPI SeQueryInformationToken(PACCESS_TOKEN Token, TOKEN_INFORMATION_CLASS TokenInformationClass,
                                       PPVOID TokenInformation) {
    DIRQL_DOOR(SeQueryInformationToken);
    return se::query_for_driver(se::token_of(Token), TokenInformationClass, TokenInformation);
}

BOOLEAN NTAPI SeTokenIsAdmin(PACCESS_TOKEN Token) {
    DIRQL_DOOR(SeTokenIsAdmin);
    return se::is_admin(se::token_of(Token));
}

BOOLEAN NTAPI SeTokenIsRestricted(PACCESS_TOKEN Token) {
    DIRQL_DOOR(SeTokenIsRestricted);
    return se::token_of(Token).restricted_count != 0;
}

TOKEN_TYPE NTAPI SeTokenType(PACCESS_TOKEN Token) {
    DIRQL_DOOR(SeTokenType);
    return se::token_of(Token).type;
}

NTSTATUS NTAPI SeQuerySessionIdToken(PACCESS_TOKEN Token, PULONG SessionId) {
    DIRQL_DOOR(SeQuerySessionIdToken);
    *SessionId = se::token_of(Token).session;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeQueryAuthenticationIdToken(PACCESS_TOKEN Token, PLUID AuthenticationId) {
    DIRQL_DOOR(SeQueryAuthenticationIdToken);
    *AuthenticationId = se::token_of(Token).authentication_id;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeFilterToken(PACCESS_TOKEN ExistingToken, ULONG Flags, PTOKEN_GROUPS SidsToDisable,
                             PTOKEN_PRIVILEGES PrivilegesToDelete, PTOKEN_GROUPS RestrictedSids,
                             PACCESS_TOKEN* FilteredToken) {
    DIRQL_DOOR(SeFilterToken);
    if ((Flags & ~ULONG{DISABLE_MAX_PRIVILEGE | SANDBOX_INERT}) != 0) return STATUS_INVALID_PARAMETER;
    se::Token* made = nullptr;
    const NTSTATUS status =
        se::Filter().run(se::token_of(ExistingToken), Flags, SidsToDisable, PrivilegesToDelete, RestrictedSids, &made);
    if (NT_SUCCESS(status)) *FilteredToken = made;
    return status;
}

NTSTATUS NTAPI SeCreateClientSecurity(PETHREAD ClientThread, PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
                                      BOOLEAN RemoteSession, PSECURITY_CLIENT_CONTEXT ClientContext) {
    DIRQL_DOOR(SeCreateClientSecurity);
    auto& thread = *reinterpret_cast<ke::Thread*>(ClientThread);
    const se::Impersonation client = se::impersonation_of(thread);
    const bool impersonating = client.token != nullptr;
    return se::create_client(impersonating ? client.token : ps::process_of(thread).se, client.level, impersonating,
                             impersonating && client.effective_only, *ClientSecurityQos, RemoteSession != FALSE,
                             *ClientContext);
}

NTSTATUS NTAPI SeCreateClientSecurityFromSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext,
                                                        PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
                                                        BOOLEAN ServerIsRemote,
                                                        PSECURITY_CLIENT_CONTEXT ClientContext) {
    DIRQL_DOOR(SeCreateClientSecurityFromSubjectContext);
    const bool impersonating = SubjectContext->ClientToken != nullptr;
    return se::create_client(SeQuerySubjectContextToken(SubjectContext), SubjectContext->ImpersonationLevel,
                             impersonating, false, *ClientSecurityQos, ServerIsRemote != FALSE, *ClientContext);
}

VOID NTAPI SeImpersonateClient(PSECURITY_CLIENT_CONTEXT ClientContext, PETHREAD ServerThread) {
    DIRQL_DOOR(SeImpersonateClient);
    (void)se::impersonate_client(*ClientContext, ServerThread);
}

NTSTATUS NTAPI SeImpersonateClientEx(PSECURITY_CLIENT_CONTEXT ClientContext, PETHREAD ServerThread) {
    DIRQL_DOOR(SeImpersonateClientEx);
    return se::impersonate_client(*ClientContext, ServerThread);
}
}
