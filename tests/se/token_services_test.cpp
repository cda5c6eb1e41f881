// Tokens by handle, as applications open and copy them.
#include "catch.hpp"
#include "ps/process_fixture.hpp"

#include "ex/pool.hpp"
#include "rtl/sid.hpp"
#include "se/token.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

// Whether this is the user of the token.
bool is_user(HANDLE token, PSID sid) {
    alignas(8) std::byte buffer[128];
    ULONG needed = 0;
    return NtQueryInformationToken(token, TokenUser, buffer, sizeof buffer, &needed) == STATUS_SUCCESS &&
           rtl::equal_sids(reinterpret_cast<PTOKEN_USER>(buffer)->User.Sid, sid);
}

TOKEN_STATISTICS statistics(HANDLE token) {
    TOKEN_STATISTICS all{};
    ULONG needed = 0;
    CHECK(NtQueryInformationToken(token, TokenStatistics, &all, sizeof all, &needed) == STATUS_SUCCESS);
    return all;
}

} // namespace

TEST_CASE_METHOD(ProcessFixture, "an application opens its process's token, its thread's, and copies") {
    ke::Process* process = create_process();
    REQUIRE(process != nullptr);
    se::Token* client = nullptr;
    PSID administrator = nullptr; // the process's token's
    REQUIRE(run([&] {
                CHECK(se::give_token(*process, se::Account::administrator));
                CHECK(se::make_account_token(se::Account::user, &client) == STATUS_SUCCESS);
                PACCESS_TOKEN token = PsReferencePrimaryToken(ps::as_eprocess(process));
                administrator = se::token_of(token).user();
                PsDereferencePrimaryToken(token);
            }).kind == ke::StopKind::none);
    REQUIRE(client != nullptr);
    const auto stop = run_as_application(*process, {[&] {
        HANDLE own = nullptr, weak = nullptr, thread = nullptr, copy = nullptr, none = nullptr;
        REQUIRE(NtOpenProcessTokenEx(NtCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, 0, &own) == STATUS_SUCCESS);
        REQUIRE(NtOpenProcessTokenEx(NtCurrentProcess(), TOKEN_QUERY, 0, &weak) == STATUS_SUCCESS);
        CHECK(NtOpenProcessTokenEx(NtCurrentThread(), TOKEN_QUERY, 0, &none) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(NtOpenProcessTokenEx(NtCurrentProcess(), TOKEN_QUERY, 0, nullptr) == STATUS_ACCESS_VIOLATION);
        CHECK(is_user(own, administrator));
        CHECK(statistics(own).TokenType == TokenPrimary);

        CHECK(NtOpenThreadTokenEx(NtCurrentThread(), TOKEN_QUERY, TRUE, 0, &none) == STATUS_NO_TOKEN);
        (void)ke::system_service(
            [&] { return PsImpersonateClient(PsGetCurrentThread(), client, FALSE, FALSE, SecurityImpersonation); });
        REQUIRE(NtOpenThreadTokenEx(NtCurrentThread(), TOKEN_QUERY, TRUE, 0, &thread) == STATUS_SUCCESS);
        (void)ke::system_service([] {
            PsRevertToSelf();
            return STATUS_SUCCESS;
        });
        CHECK(is_user(thread, client->user()));

        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, 0, nullptr, nullptr);
        CHECK(NtDuplicateToken(weak, 0, &attributes, FALSE, TokenPrimary, &copy) == STATUS_ACCESS_DENIED);
        CHECK(NtDuplicateToken(own, 0, &attributes, FALSE, static_cast<TOKEN_TYPE>(0), &copy) ==
              STATUS_INVALID_PARAMETER);
        REQUIRE(NtDuplicateToken(own, TOKEN_QUERY, &attributes, FALSE, TokenPrimary, &copy) == STATUS_SUCCESS);
        CHECK(is_user(copy, administrator));
        CHECK(statistics(copy).TokenId.LowPart != statistics(own).TokenId.LowPart);
        for (const HANDLE handle : {own, weak, thread, copy}) CHECK(NtClose(handle) == STATUS_SUCCESS);
    }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(run([&] { ob::dereference(client); }).kind == ke::StopKind::none);
    dereference(process);
}

TEST_CASE_METHOD(ProcessFixture, "a descriptor that was got of an object is released again") {
    const auto stop = run([] {
        HANDLE handle = nullptr;
        OBJECT_ATTRIBUTES attributes;
        SECURITY_DESCRIPTOR everybody;
        REQUIRE(RtlCreateSecurityDescriptor(&everybody, SECURITY_DESCRIPTOR_REVISION) == STATUS_SUCCESS);
        REQUIRE(RtlSetDaclSecurityDescriptor(&everybody, TRUE, nullptr, FALSE) == STATUS_SUCCESS);
        UNICODE_STRING name;
        RtlInitUnicodeString(&name, reinterpret_cast<PCWSTR>(u"\\KernelObjects\\Open"));
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, &everybody);
        REQUIRE(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE) == STATUS_SUCCESS);
        PVOID event = nullptr;
        REQUIRE(ObReferenceObjectByHandle(handle, 0, nullptr, KernelMode, &event, nullptr) == STATUS_SUCCESS);
        const std::size_t blocks = ex::pool_totals().blocks;
        PSECURITY_DESCRIPTOR descriptor = nullptr;
        BOOLEAN allocated = FALSE;
        REQUIRE(ObGetObjectSecurity(event, &descriptor, &allocated) == STATUS_SUCCESS);
        CHECK(descriptor != nullptr);
        CHECK(allocated);
        CHECK(ex::pool_totals().blocks == blocks + 1);
        ObReleaseObjectSecurity(descriptor, allocated);
        CHECK(ex::pool_totals().blocks == blocks);
        ObReleaseObjectSecurity(nullptr, FALSE); // of an object without one
        CHECK(ex::pool_totals().blocks == blocks);
        ObDereferenceObject(event);
        ZwClose(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
