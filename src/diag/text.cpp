#include "diag/text.hpp"

#include "diag/names.hpp"
#include "diag/unicode.hpp"

#include <iterator>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

// How a kind of event is written. In a pattern, % and a letter stand for a field of the record:
//   i IRP         f its function    s status        o object      d driver and object      r routine
//   v value       x value, hex      l value as IRQL c code, hex   b code as bug check      g code as pool tag
//   t text        q text, quoted    w what a wait is for          u until when             y status, if there is one
//   p IRP by its number before      e what became of a packet
struct Style {
    EventKind kind;
    std::string_view verb;
    std::string_view pattern;
};

constexpr Style styles[] = {
    {EventKind::irp_allocated, "allocate", "%i"},
    {EventKind::irp_initialized, "initialize", "%i"},
    {EventKind::irp_reused, "reuse", "%i, before %p"},
    {EventKind::irp_call, "call", "%i %f -> %d %r"},
    {EventKind::irp_return, "return", "%i %s <- %d"},
    {EventKind::irp_complete, "complete", "%i %s, information 0x%x"},
    {EventKind::irp_completion, "completion", "%i %s -> %r of %d"},
    {EventKind::irp_completion_return, "completed", "%i %s <- %d"},
    {EventKind::irp_cancel, "cancel", "%i"},
    {EventKind::packet_start, "packet", "%i for %d, %e"},
    {EventKind::irp_finished, "finish", "%i %s, information 0x%x"},
    {EventKind::irp_freed, "free", "%i"},
    {EventKind::service_entry, "service", "%t"},
    {EventKind::service_exit, "serviced", "%t %s"},
    {EventKind::callout_entry, "enter", "%t %r %i %d"},
    {EventKind::callout_exit, "leave", "%t %r %i %d %y"},
    {EventKind::thread_start, "start", "thread %t"},
    {EventKind::thread_end, "end", "thread %s"},
    {EventKind::thread_switch, "switch", "to thread %v %t"},
    {EventKind::wait_begin, "wait", "for %w%u"},
    {EventKind::wait_end, "resume", "%s"},
    {EventKind::irql_change, "irql", "to %l by %t"},
    {EventKind::interrupt, "interrupt", "%l"},
    {EventKind::dpc_queued, "queue", "DPC %r on cpu%v"},
    {EventKind::timer_expired, "expire", "%o %r"},
    {EventKind::apc_delivered, "apc", "%t"},
    {EventKind::object_named, "name", "%d"},
    {EventKind::object_deleted, "delete", "%d"},
    {EventKind::driver_loaded, "load", "%o %t"},
    {EventKind::driver_unloaded, "unload", "%o %t"},
    {EventKind::pool_allocated, "pool", "%o %g %v bytes"},
    {EventKind::pool_freed, "pool free", "%o %g"},
    {EventKind::debug_print, "print", "%q"},
    {EventKind::bug_check, "bug check", "%b %i %d: %t"},
};

constexpr bool complete() {
    for (std::size_t i = 0; i < std::size(styles); ++i) {
        if (styles[i].kind != static_cast<EventKind>(i)) return false;
    }
    return std::size(styles) == static_cast<std::size_t>(EventKind::count);
}
static_assert(complete(), "each kind has its style, in the order of the kinds");

std::string tag_text(std::uint32_t tag) {
    const char letters[] = {static_cast<char>(tag), static_cast<char>(tag >> 8), static_cast<char>(tag >> 16),
                            static_cast<char>(tag >> 24)};
    return one_line({letters, sizeof letters});
}

std::string object_text(const Record& record) {
    if (record.object.empty()) return record.kind == EventKind::irp_completion ? "its issuer" : "";
    const bool tells_driver = record.driver.empty() || record.object.starts_with(record.driver);
    return tells_driver ? one_line(record.object) : one_line(fmt::format("{} {}", record.driver, record.object));
}

std::string wait_text(const Record& record) {
    if (record.code == 0) return "time";
    if (record.code == 1) return one_line(record.object);
    return fmt::format("{} of {} objects, {} first", record.minor == WaitAny ? "any" : "all", record.code,
                       one_line(record.object));
}

std::string field(char letter, const Record& record) {
    switch (letter) {
    case 'i': return record.irp == 0 ? "" : fmt::format("irp#{}", record.irp);
    case 'f': return request_text(record);
    case 'p': return record.value == 0 ? "unknown" : fmt::format("irp#{}", record.value);
    case 'e': return record.value == 0 ? "started" : "device busy: queued";
    case 's': return status_text(record.status);
    case 'y': return record.value == 0 ? "" : status_text(record.status);
    case 'o': return one_line(record.object);
    case 'd': return object_text(record);
    case 'r': return routine_text(record);
    case 'v': return fmt::format("{}", record.value);
    case 'x': return fmt::format("{:x}", record.value);
    case 'l': return irql_text(static_cast<std::uint8_t>(record.value));
    case 'c': return fmt::format("0x{:X}", record.code);
    case 'b': return fmt::format("0x{:08X} {}", record.code, bug_check_name(record.code));
    case 'g': return tag_text(record.code);
    case 't': return one_line(record.text);
    case 'q': return diag::quoted(record.text);
    case 'w': return wait_text(record);
    case 'u': return record.value == 0 ? "" : fmt::format(", until {} us", microseconds(record.value));
    default: return {};
    }
}

// A blank before a field that turns out empty goes with it.
std::string fill(std::string_view pattern, const Record& record) {
    std::string result;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            result += pattern[i];
            continue;
        }
        const std::string text = field(pattern[++i], record);
        if (text.empty() && !result.empty() && result.back() == ' ') result.pop_back();
        result += text;
    }
    return result;
}

std::string flow_text(const Moment& moment) {
    const char* kind = moment.in_interrupt ? "isr on" : moment.in_dpc ? "dpc on" : "thread";
    return fmt::format("{} {}", kind, moment.thread);
}

} // namespace

std::string microseconds(std::uint64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

std::string dropped_text(const Records& records) {
    if (records.dropped == 0) return {};
    const bool one = records.dropped == 1;
    return fmt::format("({} earlier event{} dropped: too many to keep)", records.dropped, one ? " was" : "s were");
}

std::string routine_text(const Record& record) {
    if (record.image.empty()) return {};
    if (record.image == kernel_image) return std::string(kernel_image);
    return record.function.empty() ? fmt::format("{}+0x{:x}", one_line(record.image), record.offset)
                                   : fmt::format("{}!{}", one_line(record.image), one_line(record.function));
}

std::string request_text(const Record& record) {
    const std::string function = function_text(record.major, record.minor);
    const bool tell_code =
        has_control_code(record.major) && (record.code != 0 || record.major == IRP_MJ_DEVICE_CONTROL);
    return tell_code ? fmt::format("{} 0x{:X}", function, record.code) : function;
}

std::string to_text(const Record& record) {
    const Style& style = styles[static_cast<std::size_t>(record.kind)];
    const std::string head =
        fmt::format("{:>11} us  cpu{:<2} {:<14}  {:<14}  {:<10}  ", microseconds(record.moment.time),
                    record.moment.processor, irql_text(record.moment.irql), flow_text(record.moment), style.verb);
    return head + fill(style.pattern, record);
}

std::string to_text(const Records& records) {
    std::string text = dropped_text(records);
    if (!text.empty()) text += '\n';
    for (const Record& record : records) {
        text += to_text(record);
        text += '\n';
    }
    return text;
}

} // namespace dirql::diag
