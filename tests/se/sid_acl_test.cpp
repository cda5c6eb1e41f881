// SIDs, ACLs and descriptors by their exports.
#include "catch.hpp"

#include "ex/pool.hpp"
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/sid.hpp"

#include "support/kernel_fixture.hpp"

#include <ntifs.h>

#include <cstring>
#include <string>

using namespace dirql;
using namespace dirql::rtl;

namespace {

const SID_IDENTIFIER_AUTHORITY nt{{0, 0, 0, 0, 0, 5}};

std::u16string text_of(PSID sid) {
    char16_t buffer[max_sid_text];
    return {buffer, write_sid(sid, buffer)};
}

// An ACL with room for `bytes`.
struct List {
    alignas(8) std::byte bytes[1024]{};
    explicit List(ULONG size = 1024) { REQUIRE(RtlCreateAcl(get(), size, ACL_REVISION) == STATUS_SUCCESS); }
    PACL get() { return reinterpret_cast<PACL>(bytes); }
};

} // namespace

TEST_CASE("SIDs are made, measured, compared and copied") {
    SidBuffer sid;
    auto authority = nt;
    CHECK(RtlLengthRequiredSid(0) == 8);
    CHECK(RtlLengthRequiredSid(15) == 68);
    CHECK(RtlInitializeSid(sid.get(), &authority, 16) == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlInitializeSid(sid.get(), &authority, 2) == STATUS_SUCCESS);
    CHECK(*RtlSubAuthorityCountSid(sid.get()) == 2);
    *RtlSubAuthoritySid(sid.get(), 0) = 32;
    *RtlSubAuthoritySid(sid.get(), 1) = 544;
    CHECK(RtlValidSid(sid.get()));
    CHECK(RtlLengthSid(sid.get()) == 16);
    CHECK(RtlEqualSid(sid.get(), sids::administrators.get()));
    CHECK_FALSE(RtlEqualSid(sid.get(), sids::users.get()));
    CHECK(RtlEqualPrefixSid(sid.get(), sids::users.get()));
    CHECK_FALSE(RtlEqualPrefixSid(sid.get(), sids::local_system.get()));
    CHECK(RtlIdentifierAuthoritySid(sid.get())->Value[5] == 5);

    SidBuffer other;
    CHECK(RtlCopySid(15, other.get(), sid.get()) == STATUS_BUFFER_TOO_SMALL);
    REQUIRE(RtlCopySid(16, other.get(), sid.get()) == STATUS_SUCCESS);
    CHECK(RtlEqualSid(other.get(), sid.get()));
    REQUIRE(RtlInitializeSidEx(other.get(), &authority, 3, 1u, 2u, 0xFFFFFFFFu) == STATUS_SUCCESS);
    CHECK(text_of(other.get()) == u"S-1-5-1-2-4294967295");
    CHECK(RtlInitializeSidEx(other.get(), &authority, 16) == STATUS_INVALID_PARAMETER);

    static_cast<SID*>(sid.get())->SubAuthorityCount = 16;
    CHECK_FALSE(RtlValidSid(sid.get()));
    static_cast<SID*>(sid.get())->SubAuthorityCount = 2;
    static_cast<SID*>(sid.get())->Revision = 2;
    CHECK_FALSE(RtlValidSid(sid.get()));
    CHECK_FALSE(RtlValidSid(nullptr));
}

TEST_CASE("SIDs become text, in the caller's buffer or in a block of pool") {
    test::KernelFixture kernel;
    const auto stop = kernel.run([&] {
        char16_t buffer[64];
        UNICODE_STRING string{0, sizeof buffer, buffer};
        REQUIRE(RtlConvertSidToUnicodeString(&string, sids::administrators.get(), FALSE) == STATUS_SUCCESS);
        CHECK(std::u16string(string.Buffer, string.Length / 2) == u"S-1-5-32-544");
        CHECK(string.Buffer[12] == 0);
        string = {0, 24, buffer}; // exactly the text
        CHECK(RtlConvertSidToUnicodeString(&string, sids::administrators.get(), FALSE) == STATUS_SUCCESS);
        string = {0, 22, buffer};
        CHECK(RtlConvertSidToUnicodeString(&string, sids::administrators.get(), FALSE) == STATUS_BUFFER_OVERFLOW);
        UNICODE_STRING made{};
        REQUIRE(RtlConvertSidToUnicodeString(&made, sids::world.get(), TRUE) == STATUS_SUCCESS);
        CHECK(std::u16string(made.Buffer, made.Length / 2) == u"S-1-1-0");
        RtlFreeUnicodeString(&made);
        SidBuffer bad;
        auto authority = nt;
        RtlInitializeSid(bad.get(), &authority, 1);
        bad.bytes[0] = std::byte{9};
        CHECK(RtlConvertSidToUnicodeString(&string, bad.get(), FALSE) == STATUS_INVALID_SID);

        PSID sid = nullptr;
        CHECK(RtlAllocateAndInitializeSid(&authority, 9, 1, 2, 3, 4, 5, 6, 7, 8, &sid) == STATUS_INVALID_SID);
        REQUIRE(RtlAllocateAndInitializeSid(&authority, 8, 1, 2, 3, 4, 5, 6, 7, 8, &sid) == STATUS_SUCCESS);
        CHECK(text_of(sid) == u"S-1-5-1-2-3-4-5-6-7-8");
        const std::size_t blocks = ex::pool_totals().blocks;
        CHECK(RtlFreeSid(sid) == nullptr);
        CHECK(ex::pool_totals().blocks == blocks - 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
    SidBuffer sid;
    std::u16string_view text = u"S-1-0x123456789ABC-7-0xFF)";
    REQUIRE(read_sid(text, sid));
    CHECK(text == u")");
    CHECK(text_of(sid.get()) == u"S-1-0x123456789abc-7-255");
    for (const auto* wrong : {u"S-2-5", u"S-1", u"S-1-", u"S-1-5-", u"S-1-5-4294967296", u"S-1-0x1000000000000-1",
                              u"X-1-5", u"S-1-1-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"}) {
        std::u16string_view left = wrong;
        CHECK_FALSE(read_sid(left, sid));
    }
}

TEST_CASE("ACLs grow and shrink, and refuse what does not fit") {
    ACL small;
    CHECK(RtlCreateAcl(&small, sizeof(ACL) - 1, ACL_REVISION) == STATUS_BUFFER_TOO_SMALL);
    CHECK(RtlCreateAcl(&small, 0x10000, ACL_REVISION) == STATUS_INVALID_PARAMETER);
    CHECK(RtlCreateAcl(&small, sizeof(ACL), 1) == STATUS_INVALID_PARAMETER);
    CHECK(RtlCreateAcl(&small, sizeof(ACL), 5) == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlCreateAcl(&small, sizeof(ACL), ACL_REVISION) == STATUS_SUCCESS);
    PVOID place = &small;
    CHECK(RtlFirstFreeAce(&small, &place));
    CHECK(place == nullptr);
    CHECK(RtlAddAccessAllowedAce(&small, ACL_REVISION, 1, sids::world.get()) == STATUS_ALLOTTED_SPACE_EXCEEDED);

    List list(sizeof(ACL) + 20 + 20 + 24); // two entries for Everyone and one for Administrators
    PACL acl = list.get();
    REQUIRE(RtlAddAccessAllowedAce(acl, ACL_REVISION, GENERIC_READ, sids::world.get()) == STATUS_SUCCESS);
    REQUIRE(RtlAddAccessDeniedAceEx(acl, ACL_REVISION, INHERITED_ACE, DELETE, sids::administrators.get()) ==
            STATUS_SUCCESS);
    CHECK(RtlAddAccessAllowedAceEx(acl, ACL_REVISION, 0x40, 1, sids::world.get()) == STATUS_INVALID_PARAMETER);
    CHECK(RtlAddAccessDeniedAceEx(acl, ACL_REVISION, 0x80, 1, sids::world.get()) == STATUS_INVALID_PARAMETER);
    CHECK(RtlAddAccessAllowedAce(acl, 5, 1, sids::world.get()) == STATUS_REVISION_MISMATCH);
    SidBuffer bad{};
    CHECK(RtlAddAccessAllowedAce(acl, ACL_REVISION, 1, bad.get()) == STATUS_INVALID_SID);
    REQUIRE(RtlAddAccessAllowedAceEx(acl, ACL_REVISION_DS, 0, 7, sids::world.get()) == STATUS_SUCCESS);
    CHECK(acl->AclRevision == ACL_REVISION_DS);
    CHECK(RtlAddAccessDeniedAce(acl, ACL_REVISION, 1, sids::world.get()) == STATUS_ALLOTTED_SPACE_EXCEEDED);
    CHECK(RtlValidAcl(acl));

    PVOID ace = nullptr;
    REQUIRE(RtlGetAce(acl, 1, &ace) == STATUS_SUCCESS);
    auto* denied = static_cast<PACCESS_DENIED_ACE>(ace);
    CHECK(denied->Header.AceType == ACCESS_DENIED_ACE_TYPE);
    CHECK(denied->Header.AceFlags == INHERITED_ACE);
    CHECK(denied->Mask == DELETE);
    CHECK(RtlEqualSid(&denied->SidStart, sids::administrators.get()));
    CHECK(RtlGetAce(acl, 3, &ace) == STATUS_INVALID_PARAMETER);
    ACL_SIZE_INFORMATION size{};
    REQUIRE(RtlQueryInformationAcl(acl, &size, sizeof size, AclSizeInformation) == STATUS_SUCCESS);
    CHECK(size.AceCount == 3);
    CHECK(size.AclBytesFree == 0);
    ACL_REVISION_INFORMATION revision{};
    REQUIRE(RtlQueryInformationAcl(acl, &revision, sizeof revision, AclRevisionInformation) == STATUS_SUCCESS);
    CHECK(revision.AclRevision == ACL_REVISION_DS);
    CHECK(RtlQueryInformationAcl(acl, &size, sizeof size - 1, AclSizeInformation) == STATUS_BUFFER_TOO_SMALL);
    CHECK(RtlQueryInformationAcl(acl, &size, sizeof size, static_cast<ACL_INFORMATION_CLASS>(3)) ==
          STATUS_INVALID_INFO_CLASS);

    // An entry taken out is put in again, at another place.
    alignas(4) std::byte copy[24];
    std::memcpy(copy, denied, sizeof copy);
    CHECK(RtlDeleteAce(acl, 3) == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlDeleteAce(acl, 1) == STATUS_SUCCESS);
    CHECK(acl->AceCount == 2);
    REQUIRE(RtlGetAce(acl, 1, &ace) == STATUS_SUCCESS);
    CHECK(static_cast<PACCESS_ALLOWED_ACE>(ace)->Mask == 7);
    CHECK(RtlAddAce(acl, ACL_REVISION, 0, copy, 23) == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlAddAce(acl, ACL_REVISION, 0, copy, 24) == STATUS_SUCCESS);
    CHECK(RtlAddAce(acl, ACL_REVISION, MAXULONG, copy, 24) == STATUS_BUFFER_TOO_SMALL);
    REQUIRE(RtlGetAce(acl, 0, &ace) == STATUS_SUCCESS);
    CHECK(std::memcmp(ace, copy, sizeof copy) == 0);
    CHECK(acl->AceCount == 3);

    acl->AceCount = 4; // one more than there is
    CHECK_FALSE(RtlValidAcl(acl));
    CHECK(RtlAddAccessAllowedAce(acl, ACL_REVISION, 1, sids::world.get()) == STATUS_INVALID_ACL);
    CHECK(RtlDeleteAce(acl, 0) == STATUS_INVALID_PARAMETER);
}

TEST_CASE("generic rights become a type's own") {
    GENERIC_MAPPING mapping{0x1, 0x2, 0x4, 0xF};
    ACCESS_MASK mask = GENERIC_READ | GENERIC_EXECUTE | SYNCHRONIZE;
    RtlMapGenericMask(&mask, &mapping);
    CHECK(mask == (0x5 | SYNCHRONIZE));
    mask = GENERIC_ALL | GENERIC_WRITE;
    RtlMapGenericMask(&mask, &mapping);
    CHECK(mask == 0xF);
    mask = 0;
    RtlMapGenericMask(&mask, &mapping);
    CHECK(mask == 0);
}

TEST_CASE("descriptors: absolute, self-relative, and back") {
    SECURITY_DESCRIPTOR absolute;
    CHECK(RtlCreateSecurityDescriptor(&absolute, 2) == STATUS_UNKNOWN_REVISION);
    REQUIRE(RtlCreateSecurityDescriptor(&absolute, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
    CHECK(RtlLengthSecurityDescriptor(&absolute) == sizeof absolute);
    BOOLEAN present = TRUE;
    BOOLEAN defaulted = TRUE;
    PACL acl = nullptr;
    CHECK(RtlGetDaclSecurityDescriptor(&absolute, &present, &acl, &defaulted) == STATUS_SUCCESS);
    CHECK_FALSE(present);

    List dacl(8 + 20);
    REQUIRE(RtlAddAccessAllowedAce(dacl.get(), ACL_REVISION, 1, sids::world.get()) == STATUS_SUCCESS);
    List sacl(8);
    REQUIRE(RtlSetDaclSecurityDescriptor(&absolute, TRUE, dacl.get(), TRUE) == STATUS_SUCCESS);
    REQUIRE(RtlSetSaclSecurityDescriptor(&absolute, TRUE, sacl.get(), FALSE) == STATUS_SUCCESS);
    REQUIRE(RtlSetOwnerSecurityDescriptor(&absolute, sids::administrators.get(), TRUE) == STATUS_SUCCESS);
    REQUIRE(RtlSetGroupSecurityDescriptor(&absolute, sids::local_system.get(), FALSE) == STATUS_SUCCESS);
    CHECK(RtlValidSecurityDescriptor(&absolute));
    CHECK(RtlLengthSecurityDescriptor(&absolute) == sizeof absolute + 28 + 8 + 16 + 12);

    alignas(8) std::byte block[256];
    ULONG length = 0;
    CHECK(RtlAbsoluteToSelfRelativeSD(&absolute, block, &length) == STATUS_BUFFER_TOO_SMALL);
    CHECK(length == 20 + 28 + 8 + 16 + 12);
    REQUIRE(RtlAbsoluteToSelfRelativeSD(&absolute, block, &length) == STATUS_SUCCESS);
    CHECK(RtlLengthSecurityDescriptor(block) == length);
    CHECK(RtlAbsoluteToSelfRelativeSD(block, block + 128, &length) == STATUS_BAD_DESCRIPTOR_FORMAT);
    CHECK(RtlValidRelativeSecurityDescriptor(block, length, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION));
    CHECK_FALSE(RtlValidRelativeSecurityDescriptor(block, length - 1, 0));
    CHECK_FALSE(RtlValidRelativeSecurityDescriptor(&absolute, sizeof absolute, 0));
    CHECK(RtlSetOwnerSecurityDescriptor(block, nullptr, FALSE) == STATUS_INVALID_SECURITY_DESCR);
    CHECK(RtlSetDaclSecurityDescriptor(block, TRUE, nullptr, FALSE) == STATUS_INVALID_SECURITY_DESCR);

    PSID sid = nullptr;
    REQUIRE(RtlGetOwnerSecurityDescriptor(block, &sid, &defaulted) == STATUS_SUCCESS);
    CHECK(defaulted);
    CHECK(RtlEqualSid(sid, sids::administrators.get()));
    REQUIRE(RtlGetGroupSecurityDescriptor(block, &sid, &defaulted) == STATUS_SUCCESS);
    CHECK_FALSE(defaulted);
    CHECK(RtlEqualSid(sid, sids::local_system.get()));
    REQUIRE(RtlGetDaclSecurityDescriptor(block, &present, &acl, &defaulted) == STATUS_SUCCESS);
    CHECK((present && defaulted && acl->AceCount == 1));
    REQUIRE(RtlGetSaclSecurityDescriptor(block, &present, &acl, &defaulted) == STATUS_SUCCESS);
    CHECK((present && !defaulted && acl->AceCount == 0));
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    ULONG revision = 0;
    REQUIRE(RtlGetControlSecurityDescriptor(block, &control, &revision) == STATUS_SUCCESS);
    CHECK(revision == 1);
    CHECK(control == (SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_SACL_PRESENT | SE_OWNER_DEFAULTED));

    SECURITY_DESCRIPTOR again;
    alignas(8) std::byte parts[4][64];
    ULONG size = 0;
    ULONG sizes[4]{};
    const auto convert = [&] {
        return RtlSelfRelativeToAbsoluteSD(block, &again, &size, reinterpret_cast<PACL>(parts[0]), &sizes[0],
                                           reinterpret_cast<PACL>(parts[1]), &sizes[1], parts[2], &sizes[2], parts[3],
                                           &sizes[3]);
    };
    CHECK(convert() == STATUS_BUFFER_TOO_SMALL);
    CHECK(size == sizeof again);
    CHECK((sizes[0] == 28 && sizes[1] == 8 && sizes[2] == 16 && sizes[3] == 12));
    REQUIRE(convert() == STATUS_SUCCESS);
    CHECK(RtlValidSecurityDescriptor(&again));
    CHECK(again.Control == (control & ~SE_SELF_RELATIVE));
    CHECK(RtlEqualSid(again.Owner, sids::administrators.get()));
    CHECK(again.Dacl->AceCount == 1);
    CHECK(RtlSelfRelativeToAbsoluteSD(&again, &again, &size, nullptr, &sizes[0], nullptr, &sizes[1], nullptr, &sizes[2],
                                      nullptr, &sizes[3]) == STATUS_BAD_DESCRIPTOR_FORMAT);

    again.Revision = 3;
    CHECK_FALSE(RtlValidSecurityDescriptor(&again));
    CHECK_FALSE(RtlValidSecurityDescriptor(nullptr));
    CHECK(RtlGetOwnerSecurityDescriptor(&again, &sid, &defaulted) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlGetGroupSecurityDescriptor(&again, &sid, &defaulted) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlGetDaclSecurityDescriptor(&again, &present, &acl, &defaulted) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlGetSaclSecurityDescriptor(&again, &present, &acl, &defaulted) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlGetControlSecurityDescriptor(&again, &control, &revision) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlSetSaclSecurityDescriptor(&again, FALSE, nullptr, FALSE) == STATUS_UNKNOWN_REVISION);
    CHECK(RtlSetGroupSecurityDescriptor(&again, nullptr, FALSE) == STATUS_UNKNOWN_REVISION);
}
