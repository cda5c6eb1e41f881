// Whose rights a thread has while it is attached to another process.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "se/token.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE_METHOD(ProcessFixture, "a thread that is attached to another process is a client and a server of its own") {
    const auto stop = run([&] {
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        REQUIRE(se::give_token(*process, se::Account::user));
        const PACCESS_TOKEN own = machine().system_process->se;
        se::Token* administrator = nullptr;
        REQUIRE(se::make_account_token(se::Account::administrator, &administrator) == STATUS_SUCCESS);
        KAPC_STATE state{};
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(process), &state);
        SECURITY_QUALITY_OF_SERVICE quality{sizeof quality, SecurityImpersonation, SECURITY_DYNAMIC_TRACKING, FALSE};
        SECURITY_CLIENT_CONTEXT context{};
        REQUIRE(SeCreateClientSecurity(PsGetCurrentThread(), &quality, FALSE, &context) == STATUS_SUCCESS);
        CHECK(context.ClientToken == own);
        SeDeleteClientSecurity(&context);
        // A user's process may not be an administrator without limits; the system may.
        REQUIRE(PsImpersonateClient(PsGetCurrentThread(), administrator, TRUE, FALSE, SecurityImpersonation) ==
                STATUS_SUCCESS);
        BOOLEAN copy = FALSE;
        BOOLEAN effective = FALSE;
        SECURITY_IMPERSONATION_LEVEL level = SecurityAnonymous;
        PACCESS_TOKEN client = PsReferenceImpersonationToken(PsGetCurrentThread(), &copy, &effective, &level);
        CHECK(client == administrator);
        CHECK(level == SecurityImpersonation);
        PsDereferenceImpersonationToken(client);
        PsRevertToSelf();
        KeUnstackDetachProcess(&state);
        ob::dereference(administrator);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
