// Tokens as objects.
#include "se/token.hpp"

#include "ex/pool.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"
#include "se/state.hpp"

namespace dirql::se {
namespace {

constexpr ULONG memory_tag = ex::pool_tag("Toke");

void destroy_token(void* body) noexcept {
    const auto& token = *static_cast<Token*>(body);
    if (token.memory != nullptr) ex::free_pool(token.memory, memory_tag);
}

std::size_t bytes_for(std::span<const SID_AND_ATTRIBUTES> sids) noexcept {
    std::size_t bytes = sids.size_bytes();
    for (const SID_AND_ATTRIBUTES& sid : sids) bytes += rtl::length_of_sid(sid.Sid);
    return (bytes + 7) & ~std::size_t{7};
}

// An array of SIDs and the SIDs behind it.
SID_AND_ATTRIBUTES* copy_sids(std::span<const SID_AND_ATTRIBUTES> from, std::byte* to) noexcept {
    auto* array = reinterpret_cast<SID_AND_ATTRIBUTES*>(to);
    std::byte* at = to + from.size_bytes();
    for (std::size_t i = 0; i < from.size(); ++i) {
        rtl::copy_sid(at, from[i].Sid);
        array[i] = {at, from[i].Attributes};
        at += rtl::length_of_sid(at);
    }
    return array;
}

bool enabled(const SID_AND_ATTRIBUTES& sid, bool is_user) noexcept {
    if ((sid.Attributes & SE_GROUP_USE_FOR_DENY_ONLY) != 0) return false;
    return is_user || (sid.Attributes & SE_GROUP_ENABLED) != 0;
}

} // namespace

constinit const ob::ObjectType token_type{
    .name = u"Token",
    .index = ob::TypeIndex::token,
    .tag = ob::pool_tag("Toke"),
    .mapping = {TOKEN_READ, TOKEN_WRITE, TOKEN_EXECUTE, TOKEN_ALL_ACCESS},
    .valid_access = TOKEN_ALL_ACCESS,
    .destroy = destroy_token,
    .security_required = true,
};

const SID_AND_ATTRIBUTES* Token::label() const noexcept {
    for (ULONG i = 1; i < sid_count; ++i) {
        if ((sids[i].Attributes & SE_GROUP_INTEGRITY) != 0) return &sids[i];
    }
    return nullptr;
}

bool has_sid(const Token& token, PSID sid, bool deny) noexcept {
    for (ULONG i = 0; i < token.sid_count; ++i) {
        const SID_AND_ATTRIBUTES& own = token.sids[i];
        if ((own.Attributes & SE_GROUP_INTEGRITY) != 0 || !rtl::equal_sids(own.Sid, sid)) continue;
        return enabled(own, i == 0) || (deny && (own.Attributes & SE_GROUP_USE_FOR_DENY_ONLY) != 0);
    }
    return false;
}

bool has_restricted_sid(const Token& token, PSID sid) noexcept {
    for (ULONG i = 0; i < token.restricted_count; ++i) {
        if (rtl::equal_sids(token.restricted[i].Sid, sid)) return true;
    }
    return false;
}

bool is_admin(const Token& token) noexcept {
    PSID administrators = rtl::sids::administrators.get();
    if (!has_sid(token, administrators, false)) return false;
    return token.restricted_count == 0 || has_restricted_sid(token, administrators);
}

LUID next_luid() noexcept {
    const std::uint64_t value = ++state().next_luid;
    return {static_cast<ULONG>(value), static_cast<LONG>(value >> 32)};
}

NTSTATUS make_token(const TokenParts& parts, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode,
                    Token** result) noexcept {
    void* body = nullptr;
    const NTSTATUS status = ob::create_object(token_type, attributes, mode, sizeof(Token), &body);
    if (!NT_SUCCESS(status)) return status;
    auto& token = *static_cast<Token*>(body);
    const std::size_t dacl_bytes = parts.default_dacl == nullptr ? 0 : parts.default_dacl->AclSize;
    const std::size_t first = bytes_for(parts.sids);
    const std::size_t second = bytes_for(parts.restricted);
    auto* memory = static_cast<std::byte*>(
        ex::allocate_pool(NonPagedPoolNx, first + second + dacl_bytes, memory_tag, ex::Fill::zero));
    if (memory == nullptr) {
        ob::dereference(body);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    token.type = parts.type;
    token.level = parts.type == TokenPrimary ? SecurityAnonymous : parts.level;
    token.id = next_luid();
    token.modified_id = next_luid();
    token.parent_id = parts.parent_id;
    token.authentication_id = parts.authentication_id;
    token.source = parts.source;
    token.session = parts.session;
    token.policy = parts.policy;
    token.elevation = parts.elevation;
    token.present = parts.present;
    token.enabled = parts.enabled & parts.present;
    token.enabled_by_default = parts.enabled_by_default & parts.present;
    token.memory = memory;
    token.sids = copy_sids(parts.sids, memory);
    token.sid_count = static_cast<ULONG>(parts.sids.size());
    token.restricted = copy_sids(parts.restricted, memory + first);
    token.restricted_count = static_cast<ULONG>(parts.restricted.size());
    token.owner = parts.owner;
    token.primary_group = parts.primary_group;
    if (dacl_bytes != 0) {
        rtl::move_memory(memory + first + second, parts.default_dacl, dacl_bytes);
        token.default_dacl = reinterpret_cast<PACL>(memory + first + second);
    }
    *result = &token;
    return STATUS_SUCCESS;
}

TokenParts parts_of(const Token& token) noexcept {
    TokenParts parts;
    parts.type = token.type;
    parts.level = token.level;
    parts.parent_id = token.parent_id;
    parts.authentication_id = token.authentication_id;
    parts.source = token.source;
    parts.session = token.session;
    parts.policy = token.policy;
    parts.elevation = token.elevation;
    parts.present = token.present;
    parts.enabled = token.enabled;
    parts.enabled_by_default = token.enabled_by_default;
    parts.sids = {token.sids, token.sid_count};
    parts.restricted = {token.restricted, token.restricted_count};
    parts.owner = token.owner;
    parts.primary_group = token.primary_group;
    parts.default_dacl = token.default_dacl;
    return parts;
}

// A group that is not enabled is left out of an effective copy; those behind it move up.
NTSTATUS duplicate(const Token& token, TOKEN_TYPE type, SECURITY_IMPERSONATION_LEVEL level, bool effective_only,
                   const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode, Token** copy) noexcept {
    TokenParts parts = parts_of(token);
    parts.type = type;
    parts.level = level;
    if (!effective_only) return make_token(parts, attributes, mode, copy);
    parts.present = token.enabled;
    auto* kept = static_cast<SID_AND_ATTRIBUTES*>(
        ex::allocate_pool(PagedPool, token.sid_count * sizeof(SID_AND_ATTRIBUTES), memory_tag, ex::Fill::none));
    if (kept == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    ULONG count = 0;
    parts.owner = parts.primary_group = 0;
    for (ULONG i = 0; i < token.sid_count; ++i) {
        const SID_AND_ATTRIBUTES& sid = token.sids[i];
        constexpr ULONG stays = SE_GROUP_ENABLED | SE_GROUP_INTEGRITY | SE_GROUP_USE_FOR_DENY_ONLY;
        if (i != 0 && (sid.Attributes & stays) == 0) continue;
        if (i == token.owner) parts.owner = count;
        if (i == token.primary_group) parts.primary_group = count;
        kept[count++] = sid;
    }
    parts.sids = {kept, count};
    const NTSTATUS status = make_token(parts, attributes, mode, copy);
    ex::free_pool(kept, memory_tag);
    return status;
}

} // namespace dirql::se

DIRQL_OBJECT_TYPE_EXPORT(SeTokenObjectType, dirql::se::token_type)
