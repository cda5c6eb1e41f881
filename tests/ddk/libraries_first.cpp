// Host code: the C++ libraries, then the drivers' headers, in one translation unit.
#include "beside_libraries_headers.h"

#include <ntifs.h>
#include <ntstrsafe.h>
#include <wdmsec.h>

static_assert(std::is_same_v<WCHAR, char16_t>);
static_assert(std::is_same_v<ULONG_PTR, std::uintptr_t> && std::is_same_v<SIZE_T, std::size_t>);
static_assert(std::is_same_v<LONG, std::int32_t> && std::is_same_v<LONGLONG, std::int64_t>);

TEST_CASE("a host program formats NT's types") {
    try {
        LARGE_INTEGER time{};
        time.QuadPart = std::max<LONGLONG>(-10, time.QuadPart);
        REQUIRE(fmt::format("{} {:#x}", time.QuadPart, ULONG{0xC0000005}) == "0 0xc0000005");
    } catch (...) {
        FAIL("nothing throws here");
    }
}
