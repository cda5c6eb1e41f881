// DbgPrint and its family.
//
// One call transmits at most 512 bytes; text that was cut ends with a line feed in the last of them. Floating point is not
// supported (document DbgPrint). Text is ANSI; the host hears UTF-8, so what is not UTF-8 already is converted at the end.
//
// Whether a message is shown is NT's rule: bit `Level` (or, from 32 on, the bits of `Level`) must be in the component's
// filter mask or in the system-wide one (document "Reading and Filtering Debugging Messages"). The masks are those of a
// machine set up for driver development: the system-wide one shows errors of every component, and DEFAULT, the component
// of DbgPrint and KdPrint, shows everything, where a fresh Windows would hide all of it.
#include "ke/debug_print.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/code_page.hpp"
#include "rtl/debug_filter.hpp"
#include "rtl/format.hpp"
#include "rtl/utf8.hpp"

#include <ntifs.h>

#include <cstdarg>

using namespace dirql;

namespace {

constexpr std::size_t transmitted = 512;
constexpr rtl::DebugFilter filter;

bool is_utf8(std::string_view text) { return rtl::utf8_to_utf16(nullptr, 0, text).all_well_formed; }

void print_ansi(std::string_view text) {
    char utf8[3 * transmitted];
    std::size_t length = 0;
    for (const char byte : text) {
        const char16_t unit = rtl::to_unicode(rtl::CodePage::ansi, byte);
        length += rtl::utf16_to_utf8(utf8 + length, sizeof(utf8) - length, {&unit, 1}).written;
    }
    ke::debug_print({utf8, length});
}

NTSTATUS print(PCSTR prefix, ULONG component, ULONG level, PCSTR format, va_list arguments) {
    if (!filter.shows(component, level)) return STATUS_SUCCESS;
    char buffer[transmitted];
    rtl::TextSink<char> sink(buffer, sizeof(buffer));
    for (; *prefix != 0; ++prefix) sink.put(*prefix);
    rtl::format_message(sink, format, arguments, rtl::Floating::absent);
    if (sink.truncated()) buffer[transmitted - 1] = '\n';
    const std::string_view text(buffer, sink.stored());
    if (is_utf8(text))
        ke::debug_print(text);
    else
        print_ansi(text);
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

ULONG DbgPrint(PCSTR format, ...) {
    DIRQL_DOOR(DbgPrint);
    va_list arguments;
    va_start(arguments, format);
    const NTSTATUS status = print("", DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL, format, arguments);
    va_end(arguments);
    return static_cast<ULONG>(status);
}

ULONG DbgPrintEx(ULONG component, ULONG level, PCSTR format, ...) {
    DIRQL_DOOR(DbgPrintEx);
    va_list arguments;
    va_start(arguments, format);
    const NTSTATUS status = print("", component, level, format, arguments);
    va_end(arguments);
    return static_cast<ULONG>(status);
}

ULONG vDbgPrintEx(ULONG component, ULONG level, PCCH format, va_list arguments) {
    DIRQL_DOOR(vDbgPrintEx);
    return static_cast<ULONG>(print("", component, level, format, arguments));
}

ULONG vDbgPrintExWithPrefix(PCCH prefix, ULONG component, ULONG level, PCCH format, va_list arguments) {
    DIRQL_DOOR(vDbgPrintExWithPrefix);
    return static_cast<ULONG>(print(prefix, component, level, format, arguments));
}

// TRUE when a message would be shown; STATUS_INVALID_PARAMETER_1 for a component that is none.
NTSTATUS NTAPI DbgQueryDebugFilterState(ULONG component, ULONG level) {
    DIRQL_DOOR(DbgQueryDebugFilterState);
    if (!filter.knows(component)) return STATUS_INVALID_PARAMETER_1;
    return filter.shows(component, level);
}

} // extern "C"
