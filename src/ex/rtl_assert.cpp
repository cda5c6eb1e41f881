// What a failed ASSERT calls.
#include "ke/debug_print.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/text_sink.hpp"

#include <ntifs.h>

#include <string_view>

using namespace dirql;

namespace {

using Line = rtl::TextSink<char>;

void put(Line& line, const char* text) {
    for (; text != nullptr && *text != 0; ++text) line.put(*text);
}

void put(Line& line, ULONG number) {
    if (number >= 10) put(line, number / 10);
    line.put(static_cast<char>('0' + number % 10));
}

} // namespace

// Says what failed and where, and breaks into the debugger, as a checked build's prompt answered with "b" does.
extern "C" VOID NTAPI RtlAssert(PVOID assertion, PVOID file, ULONG line, PSTR message) {
    DIRQL_DOOR(RtlAssert);
    char buffer[512];
    Line text(buffer, sizeof(buffer));
    put(text, "\n*** Assertion failed: ");
    put(text, message);
    put(text, static_cast<const char*>(assertion));
    put(text, "\n***   Source File: ");
    put(text, static_cast<const char*>(file));
    put(text, ", line ");
    put(text, line);
    put(text, "\n\n");
    ke::debug_print({buffer, text.stored()});
    DbgBreakPoint();
}
