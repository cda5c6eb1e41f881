#include "diag/journey_words.hpp"

#include "diag/names.hpp"
#include "diag/text.hpp"
#include "diag/unicode.hpp"

#include <fmt/format.h>

namespace dirql::diag {
namespace {

std::string irp_name(const Record& record) { return fmt::format("irp#{}", record.irp); }

// " for \Device\Echo"; one without a name is its driver's: " for its device#2".
std::string device_of(const Record& record) {
    if (record.object.empty()) return {};
    const bool its_own = !record.driver.empty() && record.object.starts_with(record.driver);
    return its_own ? " for its" + one_line(record.object.substr(record.driver.size()))
                   : " for " + one_line(record.object);
}

std::string driver_of(const Record& record) { return record.driver.empty() ? "a driver" : one_line(record.driver); }

// IoStatus.Information is a number of bytes for the requests that move data.
std::string information(const Record& record, const Record* first_call) {
    if (record.value == 0) return {};
    const bool bytes =
        first_call != nullptr &&
        (first_call->major == IRP_MJ_READ || first_call->major == IRP_MJ_WRITE || has_control_code(first_call->major));
    return bytes ? fmt::format(", {} byte{}", record.value, record.value == 1 ? "" : "s")
                 : fmt::format(", information 0x{:X}", record.value);
}

std::string_view dispatch_note(NTSTATUS status) noexcept {
    return status == STATUS_PENDING ? ": it will be completed later" : "";
}

std::string_view completion_note(NTSTATUS status) noexcept {
    return status == STATUS_MORE_PROCESSING_REQUIRED ? ": the driver takes the IRP back, completion stops here"
                                                     : ": completion goes on upwards";
}

std::string_view service_note(NTSTATUS status) noexcept {
    return status == STATUS_PENDING ? ": the request goes on without its issuer" : "";
}

// "\Driver\echo's", "a driver's".
std::string owner(const Record& record) { return driver_of(record) + "'s"; }

// " (EchoStartIo)", where the image tells it.
std::string function_of(const Record& record) {
    return record.function.empty() ? std::string{} : fmt::format(" ({})", one_line(record.function));
}

std::string callout_begins(const Record& record) {
    const std::string routine = routine_text(record);
    if (record.text == "DPC") return fmt::format("-> a DPC routine runs ({})", routine);
    if (record.text == "work item") return fmt::format("-> a work item runs ({})", routine);
    const std::string device = record.text == "cancel" ? std::string{} : device_of(record);
    return fmt::format("-> {} {} routine is called{}{}", owner(record), one_line(record.text), device,
                       function_of(record));
}

std::string callout_ends(const Record& record) {
    return record.value == 0 ? std::string("<- it returns")
                             : fmt::format("<- it returns {}", status_text(record.status));
}

std::string allocation(const Record& record, const Record* around) {
    const bool by_service = around != nullptr && around->kind == EventKind::service_entry;
    if (by_service) return fmt::format("the I/O manager makes {} for the request", irp_name(record));
    return fmt::format("{} is allocated", irp_name(record));
}

std::string reuse(const Record& record) {
    return record.value == 0 ? fmt::format("{} is set up anew", irp_name(record))
                             : fmt::format("irp#{} is used again, as {}", record.value, irp_name(record));
}

std::string packet(const Record& record) {
    return record.value == 0 ? fmt::format("the device is idle: IoStartPacket starts {}", irp_name(record))
                             : fmt::format("the device is busy: IoStartPacket queues {}", irp_name(record));
}

// The function is told where it is another one than the first driver's, which the title tells.
std::string call(const Record& record, const Record* first_call) {
    const bool same = first_call != nullptr && request_text(record) == request_text(*first_call);
    const std::string request = same ? std::string{} : ": " + request_text(record);
    return fmt::format("-> {} is called{}{}{}", driver_of(record), device_of(record), request, function_of(record));
}

std::string completion_begins(const Record& record) {
    if (record.object.empty())
        return fmt::format("-> the completion routine of {}'s sender is called{}", irp_name(record),
                           function_of(record));
    return fmt::format("-> {} completion routine is called{}{}", owner(record), device_of(record), function_of(record));
}

std::string wait(const Record& record) {
    const std::string until = record.value == 0 ? "" : fmt::format(", until {} us at most", microseconds(record.value));
    if (record.code == 0) return fmt::format("the thread sleeps{}", until);
    const std::string more = record.code == 1 ? "" : fmt::format(" and {} more", record.code - 1);
    return fmt::format("the thread waits for {} ({}){}{}", dispatcher_type_name(record.major & 0x7F),
                       one_line(record.object), more, until);
}

std::string resumption(const Record& record) {
    if (record.status == STATUS_KERNEL_APC) return "the thread wakes for a kernel APC";
    if (record.status == STATUS_SUCCESS) return "the thread runs again";
    return fmt::format("the thread runs again: {}", status_text(record.status));
}

std::string stop(const Record& record) {
    return fmt::format("*** STOP 0x{:08X} {}: {}", record.code, bug_check_name(record.code), one_line(record.text));
}

} // namespace

std::string who_runs(const Record* begin) {
    if (begin == nullptr) return "somebody";
    switch (begin->kind) {
    case EventKind::irp_call: return driver_of(*begin);
    case EventKind::irp_completion: return begin->object.empty() ? "its sender" : driver_of(*begin);
    case EventKind::service_entry: return "the I/O manager";
    default: return begin->driver.empty() ? fmt::format("the {} routine", one_line(begin->text)) : driver_of(*begin);
    }
}

std::string in_words(const Record& record, const Circumstances& where) {
    switch (record.kind) {
    case EventKind::service_entry: return fmt::format("the application calls {}", one_line(record.text));
    case EventKind::service_exit:
        return fmt::format("{} returns {} to the application{}", one_line(record.text), status_text(record.status),
                           service_note(record.status));
    case EventKind::irp_allocated: return allocation(record, where.around);
    case EventKind::irp_initialized: return fmt::format("{} is set up in the driver's memory", irp_name(record));
    case EventKind::irp_reused: return reuse(record);
    case EventKind::packet_start: return packet(record);
    case EventKind::irp_call: return call(record, where.first_call);
    case EventKind::irp_return:
        return fmt::format("<- it returns {}{}", status_text(record.status), dispatch_note(record.status));
    case EventKind::irp_complete:
        return fmt::format("{} completes {} with {}{}", who_runs(where.around), irp_name(record),
                           status_text(record.status), information(record, where.first_call));
    case EventKind::irp_completion: return completion_begins(record);
    case EventKind::irp_completion_return:
        return fmt::format("<- it returns {}{}", status_text(record.status), completion_note(record.status));
    case EventKind::irp_cancel: return fmt::format("{} is cancelled: its Cancel flag is set", irp_name(record));
    case EventKind::irp_finished:
        return fmt::format("the I/O manager hands the result over: {}{}", status_text(record.status),
                           information(record, where.first_call));
    case EventKind::irp_freed: return fmt::format("{} is freed", irp_name(record));
    case EventKind::callout_entry: return callout_begins(record);
    case EventKind::callout_exit: return callout_ends(record);
    case EventKind::wait_begin: return wait(record);
    case EventKind::wait_end: return resumption(record);
    case EventKind::dpc_queued:
        return fmt::format("a DPC is queued for processor {} ({})", record.value, routine_text(record));
    case EventKind::timer_expired: return "a timer expires";
    case EventKind::apc_delivered:
        return fmt::format("a {} APC: the last step is done in the issuer's thread", one_line(record.text));
    case EventKind::debug_print: return fmt::format("{} prints {}", who_runs(where.around), diag::quoted(record.text));
    case EventKind::bug_check: return stop(record);
    default: return {};
    }
}

} // namespace dirql::diag
