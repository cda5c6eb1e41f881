#include "ke/irql_rules.hpp"

#include <ntifs.h>

#include <algorithm>
#include <string_view>

namespace dirql::ke {
namespace {

constexpr std::uint32_t verifier = DRIVER_VERIFIER_DETECTED_VIOLATION;
constexpr std::uint32_t io_verifier = DRIVER_VERIFIER_IOMANAGER_VIOLATION;
constexpr const char* verifier_document = "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION";
constexpr const char* io_verifier_document = "Bug Check 0xC9: DRIVER_VERIFIER_IOMANAGER_VIOLATION";

struct NamedRule {
    std::string_view name;
    IrqlRule rule;
};

// Functions whose misuse has a code of its own.
constexpr NamedRule own_codes[] = {
    {"IofCallDriver", {io_verifier, 0x10, io_verifier_document, false}},
    {"IofCompleteRequest", {io_verifier, 0x0E, io_verifier_document, true}},
    {"KeAcquireSpinLockAtDpcLevel", {verifier, 0x40, verifier_document, true}},
    {"KeAcquireSpinLockRaiseToDpc", {verifier, 0x42, verifier_document, true}},
    {"KeReleaseSpinLock", {verifier, 0x32, verifier_document, true}},
    {"KeReleaseSpinLockFromDpcLevel", {verifier, 0x41, verifier_document, true}},
};

constexpr IrqlRule compliance(std::uint32_t subcode, const char* document) noexcept {
    return {verifier, subcode, document, false};
}

constexpr IrqlRule dispatch = compliance(0x00020003, "IrqlDispatch rule (wdm)");
constexpr IrqlRule dispatch_lte = compliance(0x00020011, "IrqlKeDispatchLte rule (wdm)");
constexpr IrqlRule zw_passive = compliance(0x0002001F, "IrqlZwPassive rule (wdm)");
constexpr IrqlRule any_passive = compliance(0x00020023, "IrqlIoRtlZwPassive rule (wdm)");
constexpr IrqlRule io_passive_1 = compliance(0x0002000A, "IrqlIoPassive1 rule (wdm)");
constexpr IrqlRule io_passive_3 = compliance(0x0002000C, "IrqlIoPassive3 rule (wdm)");
constexpr IrqlRule io_passive_4 = compliance(0x0002000D, "IrqlIoPassive4 rule (wdm)");
constexpr IrqlRule io_passive_5 = compliance(0x0002000E, "IrqlIoPassive5 rule (wdm)");
constexpr IrqlRule io_apc_lte = compliance(0x00020009, "IrqlIoApcLte rule (wdm)");
constexpr IrqlRule ke_apc_lte_2 = compliance(0x00020010, "IrqlKeApcLte2 rule (wdm)");
constexpr IrqlRule ex_apc_lte_1 = compliance(0x00020005, "IrqlExApcLte1 rule (wdm)");
constexpr IrqlRule ex_apc_lte_2 = compliance(0x00020006, "IrqlExApcLte2 rule (wdm)");
constexpr IrqlRule ex_passive = compliance(0x00020008, "IrqlExPassive rule (wdm)");
constexpr IrqlRule mm_apc_lte = compliance(0x00020019, "IrqlMmApcLte rule (wdm)");
constexpr IrqlRule ob_passive = compliance(0x0002001B, "IrqlObPassive rule (wdm)");
constexpr IrqlRule ps_passive = compliance(0x0002001C, "IrqlPsPassive rule (wdm)");

// Functions that a rule names where the rule for their kind is another.
constexpr NamedRule named[] = {
    {"ExAcquireFastMutex", ex_apc_lte_1},
    {"ExTryToAcquireFastMutex", ex_apc_lte_1},
    {"ProbeForRead", ex_apc_lte_2},
    {"ProbeForWrite", ex_apc_lte_2},
    {"IoAttachDevice", io_passive_1},
    {"IoBuildDeviceIoControlRequest", io_passive_1},
    {"IoCreateDevice", io_passive_1},
    {"IoCreateSymbolicLink", io_passive_3},
    {"IoDetachDevice", io_passive_3},
    {"IoCreateUnprotectedSymbolicLink", io_passive_4},
    {"IoDeleteSymbolicLink", io_passive_4},
    {"IoGetDeviceObjectPointer", io_passive_5},
    {"IoInitializeTimer", io_passive_5},
    {"IoRegisterDriverReinitialization", io_passive_5},
    {"IoRegisterShutdownNotification", io_passive_5},
    {"IoUnregisterShutdownNotification", io_passive_5},
    {"KeInitializeSemaphore", dispatch_lte},
};

const NamedRule* find(const NamedRule* begin, const NamedRule* end, std::string_view name) noexcept {
    const NamedRule* found = std::find_if(begin, end, [&](const NamedRule& rule) { return rule.name == name; });
    return found == end ? nullptr : found;
}

// By the prefix of the name, for functions that want PASSIVE_LEVEL.
IrqlRule passive_rule(std::string_view name) noexcept {
    if (name == "ZwClose") return zw_passive;
    if (name.starts_with("Ex")) return ex_passive;
    if (name.starts_with("Ob")) return ob_passive;
    if (name.starts_with("Ps")) return ps_passive;
    return any_passive;
}

// The same for IRQL <= APC_LEVEL.
IrqlRule apc_rule(std::string_view name) noexcept {
    if (name.starts_with("Io")) return io_apc_lte;
    if (name.starts_with("Ex")) return ex_apc_lte_2;
    if (name.starts_with("Mm")) return mm_apc_lte;
    return ke_apc_lte_2;
}

} // namespace

IrqlRule broken_irql_rule(const ExportRule& rule) noexcept {
    const std::string_view name = rule.name;
    if (const NamedRule* own = find(std::begin(own_codes), std::end(own_codes), name)) return own->rule;
    if (const NamedRule* by_name = find(std::begin(named), std::end(named), name)) return by_name->rule;
    if (rule.irql_min == export_irql::DISPATCH) return dispatch;
    if (rule.irql_max == export_irql::PASSIVE) return passive_rule(name);
    return rule.irql_max == export_irql::APC ? apc_rule(name) : dispatch_lte;
}

} // namespace dirql::ke
