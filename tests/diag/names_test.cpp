// The tables of names against the headers that define them.
#include "catch.hpp"

#include "diag/names.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>

using namespace dirql::diag;

namespace {

struct Definition {
    std::string name;
    std::uint32_t value;
};

// `#define NAME ((TYPE)0x...)` of the shared headers whose file names begin with `prefix`.
std::vector<Definition> definitions(const std::string& prefix, const std::string& type) {
    const std::regex pattern("#define (\\w+) \\(\\(" + type + "\\)(0x[0-9A-Fa-f]+)L?\\)");
    std::vector<Definition> result;
    for (const auto& entry : std::filesystem::directory_iterator(DIRQL_SHARED_HEADERS)) {
        if (entry.path().filename().string().rfind(prefix, 0) != 0) continue;
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            std::smatch match;
            if (std::regex_search(line, match, pattern)) {
                result.push_back({match[1], static_cast<std::uint32_t>(std::stoul(match[2], nullptr, 16))});
            }
        }
    }
    return result;
}

// Each value has a name, and it is one of those that the headers give it.
template <class Find> void check_all(const std::vector<Definition>& all, Find find) {
    std::multimap<std::uint32_t, std::string> by_value;
    for (const Definition& each : all) by_value.emplace(each.value, each.name);
    for (const Definition& each : all) {
        const std::string name(find(each.value));
        INFO(each.name << " is called \"" << name << '"');
        const auto [first, last] = by_value.equal_range(each.value);
        CHECK(std::any_of(first, last, [&](const auto& known) { return known.second == name; }));
    }
}

} // namespace

TEST_CASE("every status of ntstatus.h has its name") {
    const auto all = definitions("status_", "NTSTATUS");
    REQUIRE(all.size() > 1000);
    check_all(all, [](std::uint32_t value) { return status_name(static_cast<NTSTATUS>(value)); });
}

TEST_CASE("every bug check of bugcodes.h has its name") {
    const auto all = definitions("bugcodes_", "ULONG");
    REQUIRE(all.size() > 400);
    check_all(all, [](std::uint32_t value) { return bug_check_name(value); });
}

TEST_CASE("statuses with two names bear the better one") {
    CHECK(status_name(STATUS_WAIT_0) == "STATUS_SUCCESS");
    CHECK(status_name(STATUS_ABANDONED_WAIT_0) == "STATUS_ABANDONED");
}

TEST_CASE("what has no name is a number") {
    CHECK(status_name(static_cast<NTSTATUS>(0xE0001234)).empty());
    CHECK(status_text(static_cast<NTSTATUS>(0xE0001234)) == "0xE0001234");
    CHECK(status_text(STATUS_PENDING) == "STATUS_PENDING");
    CHECK(bug_check_name(0x12345678).empty());
    CHECK(major_name(0x40).empty());
    CHECK(function_text(0x40, 7) == "IRP_MJ_0x40/0x07");
}

TEST_CASE("two bug checks are called after their statuses") {
    CHECK(bug_check_name(0xC0000218) == "STATUS_CANNOT_LOAD_REGISTRY_FILE");
    CHECK(bug_check_name(0xC0000221) == "STATUS_IMAGE_CHECKSUM_MISMATCH");
    CHECK(bug_check_name(0xC000021A) == "WINLOGON_FATAL_ERROR");
    CHECK(bug_check_name(0x44) == "MULTIPLE_IRP_COMPLETE_REQUESTS");
}

TEST_CASE("functions of IRPs") {
    CHECK(function_text(IRP_MJ_READ, 0) == "IRP_MJ_READ");
    CHECK(function_text(IRP_MJ_PNP, IRP_MN_START_DEVICE) == "IRP_MJ_PNP/IRP_MN_START_DEVICE");
    CHECK(function_text(IRP_MJ_POWER, IRP_MN_SET_POWER) == "IRP_MJ_POWER/IRP_MN_SET_POWER");
    CHECK(function_text(IRP_MJ_WRITE, IRP_MN_MDL_DPC) == "IRP_MJ_WRITE/IRP_MN_MDL_DPC");
    CHECK(function_text(IRP_MJ_CREATE, 5) == "IRP_MJ_CREATE/0x05");
    for (unsigned major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; ++major)
        CHECK(!major_name(static_cast<std::uint8_t>(major)).empty());
}

TEST_CASE("a control code tells its four parts") {
    CHECK(control_code_text(0x222000) == "FILE_DEVICE_UNKNOWN, function 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS");
    CHECK(control_code_text(CTL_CODE(FILE_DEVICE_DISK, 0x12, METHOD_NEITHER, FILE_READ_ACCESS | FILE_WRITE_ACCESS)) ==
          "FILE_DEVICE_DISK, function 0x12, METHOD_NEITHER, FILE_READ_ACCESS | FILE_WRITE_ACCESS");
    CHECK(control_code_text(CTL_CODE(0x9C40, 0x901, METHOD_OUT_DIRECT, FILE_WRITE_ACCESS)) ==
          "device type 0x9C40, function 0x901, METHOD_OUT_DIRECT, FILE_WRITE_ACCESS");
}

TEST_CASE("which requests carry a control code") {
    for (const auto major : {IRP_MJ_DEVICE_CONTROL, IRP_MJ_INTERNAL_DEVICE_CONTROL, IRP_MJ_FILE_SYSTEM_CONTROL})
        CHECK(has_control_code(static_cast<std::uint8_t>(major), 0));
    CHECK(has_control_code(IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_KERNEL_CALL));
    CHECK_FALSE(has_control_code(IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_MOUNT_VOLUME));
    CHECK_FALSE(has_control_code(IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_VERIFY_VOLUME));
    CHECK_FALSE(has_control_code(IRP_MJ_READ, 0));
}

TEST_CASE("levels") {
    CHECK(irql_text(0) == "PASSIVE_LEVEL");
    CHECK(irql_text(2) == "DISPATCH_LEVEL");
    CHECK(irql_text(7) == "DIRQL 7");
    CHECK(irql_text(13) == "CLOCK_LEVEL");
    CHECK(irql_text(15) == "HIGH_LEVEL");
    CHECK(irql_text(200) == "IRQL 200");
}
