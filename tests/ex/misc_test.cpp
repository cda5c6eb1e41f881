#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>
#include <set>
#include <string>

using namespace dirql;
using test::KernelFixture;

namespace {

std::vector<std::string> make_uuids(std::uint64_t seed) {
    ke::MachineOptions options;
    options.seed = seed;
    KernelFixture kernel({}, options);
    std::vector<std::string> made;
    (void)kernel.run([&] {
        for (int i = 0; i < 100; ++i) {
            UUID uuid;
            CHECK(NT_SUCCESS(ExUuidCreate(&uuid)));
            CHECK(uuid.Data3 >> 12 == 1);
            CHECK((uuid.Data4[0] & 0xC0) == 0x80);
            made.emplace_back(reinterpret_cast<const char*>(&uuid), sizeof uuid);
        }
    });
    return made;
}

} // namespace

TEST_CASE("identifiers are unique, and those of the machine's seed", "[uuid]") {
    const std::vector<std::string> made = make_uuids(7);
    CHECK(std::set<std::string>(made.begin(), made.end()).size() == 100);
    CHECK(make_uuids(7) == made);
    CHECK(make_uuids(8)[0] != made[0]);
}

TEST_CASE("previous mode is who called", "[mode]") {
    KernelFixture kernel;
    (void)kernel.run([] { CHECK(ExGetPreviousMode() == KernelMode); });
    ke::Process& process = kernel.create_process();
    (void)kernel.run_as_application(process, [] { CHECK(ExGetPreviousMode() == UserMode); });
}

TEST_CASE("local time is UTC", "[time]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        LARGE_INTEGER system, local, back;
        system.QuadPart = 134'000'000'000'000'000;
        ExSystemTimeToLocalTime(&system, &local);
        ExLocalTimeToSystemTime(&local, &back);
        CHECK(local.QuadPart == system.QuadPart);
        CHECK(back.QuadPart == system.QuadPart);
    });
}

TEST_CASE("the features of a processor are those of every x64 one") {
    test::KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        for (const ULONG there : {PF_COMPARE_EXCHANGE_DOUBLE, PF_XMMI64_INSTRUCTIONS_AVAILABLE, PF_NX_ENABLED,
                                  PF_RDTSC_INSTRUCTION_AVAILABLE, PF_COMPARE_EXCHANGE128})
            CHECK(ExIsProcessorFeaturePresent(there) == TRUE);
        for (const ULONG lacking :
             {ULONG{PF_FLOATING_POINT_PRECISION_ERRATA}, ULONG{PF_FLOATING_POINT_EMULATED},
              ULONG{PF_3DNOW_INSTRUCTIONS_AVAILABLE}, ULONG{PF_COMPARE64_EXCHANGE128}, ULONG{9999}})
            CHECK(ExIsProcessorFeaturePresent(lacking) == FALSE);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
