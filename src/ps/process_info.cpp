// Names, sessions, times and quotas of processes, and what user mode would have that applications here do not: a PEB, TEBs,
// 32 bits, a debugger.
#include "ps/process_info.hpp"

#include "ex/pool.hpp"
#include "ke/exports/ps.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ob/capture.hpp"
#include "ob/pool_tags.hpp"
#include "ps/ps.hpp"
#include "se/token.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::ps {
namespace {

constexpr std::uint64_t boot = std::uint64_t{1} << 48; // a start key is the boot's number and the process's
constexpr ULONG image_name_tag = ob::pool_tag("SeLn");

ProcessObject& process_at(PEPROCESS process) noexcept { return object_of(*reinterpret_cast<ke::Process*>(process)); }

// The text stands behind the string that it is of, in a block that the caller frees.
NTSTATUS copy_image_name(const UNICODE_STRING& name, PUNICODE_STRING* result) noexcept {
    if (name.Length == 0) return STATUS_NOT_FOUND;
    const std::size_t text = name.Length + sizeof(WCHAR);
    auto* copy = static_cast<PUNICODE_STRING>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(UNICODE_STRING) + text, image_name_tag, ex::Fill::zero));
    if (copy == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    copy->Buffer = reinterpret_cast<PWSTR>(copy + 1);
    copy->Length = name.Length;
    copy->MaximumLength = static_cast<USHORT>(text);
    std::memcpy(copy->Buffer, name.Buffer, name.Length);
    *result = copy;
    return STATUS_SUCCESS;
}

ke::PoolQuota& quota_of(PEPROCESS process, POOL_TYPE type) noexcept {
    return process_at(process).process.pool_quota[(type & PagedPool) != 0 ? 1 : 0];
}

// Without a limit of its own, a process may be charged with what the machine has.
bool fits(const ke::PoolQuota& quota, std::size_t amount) noexcept {
    const std::size_t limit = quota.limit != 0 ? quota.limit : ke::current_machine().options.physical_memory;
    return amount <= limit && quota.used <= limit - amount;
}

} // namespace

ULONG session_of(const ke::Process& process) noexcept {
    return process.se == nullptr ? 0 : se::token_of(process.se).session;
}

} // namespace dirql::ps

using namespace dirql;

extern "C" {

// In a free build: FALSE.
BOOLEAN NTAPI PsGetVersion(PULONG MajorVersion, PULONG MinorVersion, PULONG BuildNumber, PUNICODE_STRING CSDVersion) {
    DIRQL_DOOR(PsGetVersion);
    RTL_OSVERSIONINFOW version{};
    version.dwOSVersionInfoSize = sizeof version;
    RtlGetVersion(&version);
    if (MajorVersion != nullptr) *MajorVersion = version.dwMajorVersion;
    if (MinorVersion != nullptr) *MinorVersion = version.dwMinorVersion;
    if (BuildNumber != nullptr) *BuildNumber = version.dwBuildNumber;
    if (CSDVersion != nullptr) *CSDVersion = {};
    return FALSE;
}

// Of the current process: 0 while it lives.
LARGE_INTEGER NTAPI PsGetProcessExitTime(VOID) {
    DIRQL_DOOR(PsGetProcessExitTime);
    return ps::object_of(*ke::current_thread()->process).exit_time;
}

LONGLONG NTAPI PsGetThreadCreateTime(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadCreateTime);
    return ps::object_of(*reinterpret_cast<ke::Thread*>(Thread)).create_time.QuadPart;
}

ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessStartKey);
    return ps::boot + ps::process_at(Process).start_key;
}

NTSTATUS NTAPI SeLocateProcessImageName(PEPROCESS Process, PUNICODE_STRING* pImageFileName) {
    DIRQL_DOOR(SeLocateProcessImageName);
    *pImageFileName = nullptr;
    return ps::copy_image_name(ps::process_at(Process).image_name, pImageFileName);
}

HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessInheritedFromUniqueProcessId);
    return reinterpret_cast<HANDLE>(ps::process_at(Process).parent_id);
}

PUCHAR NTAPI PsGetProcessImageFileName(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessImageFileName);
    return reinterpret_cast<PUCHAR>(ps::process_at(Process).process.name);
}

ULONG NTAPI PsGetCurrentProcessSessionId(VOID) {
    DIRQL_DOOR(PsGetCurrentProcessSessionId);
    return ps::session_of(*ke::current_thread()->process);
}

ULONG NTAPI PsGetProcessSessionId(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessSessionId);
    return ps::session_of(ps::process_at(Process).process);
}

PVOID NTAPI PsGetProcessPeb(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessPeb);
    UNREFERENCED_PARAMETER(Process);
    return nullptr;
}

PVOID NTAPI PsGetProcessWow64Process(PEPROCESS Process) {
    DIRQL_DOOR(PsGetProcessWow64Process);
    UNREFERENCED_PARAMETER(Process);
    return nullptr;
}

PVOID NTAPI PsGetThreadTeb(PETHREAD Thread) {
    DIRQL_DOOR(PsGetThreadTeb);
    UNREFERENCED_PARAMETER(Thread);
    return nullptr;
}

PVOID NTAPI PsGetCurrentThreadTeb(VOID) {
    DIRQL_DOOR(PsGetCurrentThreadTeb);
    return nullptr;
}

BOOLEAN NTAPI PsIsProcessBeingDebugged(PEPROCESS Process) {
    DIRQL_DOOR(PsIsProcessBeingDebugged);
    UNREFERENCED_PARAMETER(Process);
    return FALSE;
}

// Raises STATUS_QUOTA_EXCEEDED.
VOID NTAPI PsChargePoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount) {
    DIRQL_DOOR(PsChargePoolQuota);
    ke::PoolQuota& quota = ps::quota_of(Process, PoolType);
    if (!ps::fits(quota, Amount)) ke::raise_status(STATUS_QUOTA_EXCEEDED);
    quota.used += Amount;
    quota.peak = std::max(quota.peak, quota.used);
}

VOID NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount) {
    DIRQL_DOOR(PsReturnPoolQuota);
    std::size_t& charged = ps::quota_of(Process, PoolType).used;
    if (charged < Amount) {
        ke::bug_check(QUOTA_UNDERFLOW, ke::parameter(Process), PoolType & PagedPool, charged, Amount,
                      {.rule = "more pool quota was returned than had been charged",
                       .document = "Bug Check 0x21: QUOTA_UNDERFLOW"});
    }
    charged -= Amount;
}
}
