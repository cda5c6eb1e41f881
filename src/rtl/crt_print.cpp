// The sprintf family, narrow and wide, over the one formatter. Results, counts and sizes are in units.
//
//   sprintf, vsprintf, swprintf, _swprintf ...       no bound; always terminated; the length
//   _snprintf, _vsnprintf, _snwprintf, _vsnwprintf   at most `count` units: shorter text is terminated; text of exactly
//                                                    `count` is not; longer text is cut, not terminated, result -1;
//                                                    a null buffer with count 0 measures
//   snprintf, vsnprintf                              C99's: cut to `count` - 1 and terminated; always the whole length
//   sprintf_s, vsprintf_s, swprintf_s, vswprintf_s   text and terminator must fit, else an empty text and -1
//   _snprintf_s, _vsnprintf_s, ... (room, count)     at most `count` units and a terminator; cut by `count` or by
//                                                    _TRUNCATE the result is -1; no room for them: empty text and -1
//
// The names without a size are NT's: swprintf takes no count.
#include "rtl/crt.hpp"
#include "rtl/format.hpp"

#include <limits>

using namespace dirql::rtl;

namespace {

int as_result(std::size_t length) {
    constexpr std::size_t most = std::numeric_limits<int>::max();
    return static_cast<int>(std::min(length, most));
}

template <class Char> int print_unbounded(Char* to, const Char* format, std::va_list arguments) {
    TextSink<Char> sink(to, unbounded);
    format_message(sink, format, arguments);
    to[sink.length()] = 0;
    return as_result(sink.length());
}

template <class Char> int print_counted(Char* to, std::size_t count, const Char* format, std::va_list arguments) {
    TextSink<Char> sink(to, count);
    format_message(sink, format, arguments);
    if (sink.length() < count) to[sink.length()] = 0;
    const bool measures = to == nullptr && count == 0;
    return sink.truncated() && !measures ? -1 : as_result(sink.length());
}

template <class Char> int print_c99(Char* to, std::size_t room, const Char* format, std::va_list arguments) {
    TextSink<Char> sink(to, room == 0 ? 0 : room - 1);
    format_message(sink, format, arguments);
    if (room != 0) to[sink.stored()] = 0;
    return as_result(sink.length());
}

// The secure rules: `limit` units of text may be kept when it is cut on purpose, else everything must fit.
template <class Char>
int print_secure(Char* to, std::size_t room, std::size_t limit, const Char* format, std::va_list arguments) {
    if (to == nullptr || room == 0 || format == nullptr) {
        if (to != nullptr && room != 0) *to = 0;
        return -1;
    }
    const std::size_t kept = std::min(room - 1, limit);
    TextSink<Char> sink(to, kept);
    format_message(sink, format, arguments);
    const bool cut_on_purpose = limit == truncate || kept == limit;
    to[sink.truncated() && !cut_on_purpose ? 0 : sink.stored()] = 0;
    return sink.truncated() ? -1 : as_result(sink.length());
}

constexpr std::size_t everything = truncate - 1; // a limit that no room reaches: nothing is cut on purpose

} // namespace

// A variadic function over its va_list form.
#define DIRQL_PRINT_FORWARD(Call) \
    std::va_list arguments; \
    va_start(arguments, format); \
    const int result = Call; \
    va_end(arguments); \
    return result

#define DIRQL_PRINT_UNBOUNDED(Name, VName, Char) \
    DIRQL_CRT_FUNCTION int dirql_crt_##VName(Char* to, const Char* format, std::va_list arguments) { \
        return print_unbounded(to, format, arguments); \
    } \
    DIRQL_CRT_FUNCTION int dirql_crt_##Name(Char* to, const Char* format, ...) { \
        DIRQL_PRINT_FORWARD(print_unbounded(to, format, arguments)); \
    }

#define DIRQL_PRINT_COUNTED(Name, VName, Char) \
    DIRQL_CRT_FUNCTION int dirql_crt_##VName(Char* to, std::size_t count, const Char* format, \
                                             std::va_list arguments) { \
        return print_counted(to, count, format, arguments); \
    } \
    DIRQL_CRT_FUNCTION int dirql_crt_##Name(Char* to, std::size_t count, const Char* format, ...) { \
        DIRQL_PRINT_FORWARD(print_counted(to, count, format, arguments)); \
    }

#define DIRQL_PRINT_C99(Name, VName, Char) \
    DIRQL_CRT_FUNCTION int dirql_crt_##VName(Char* to, std::size_t room, const Char* format, std::va_list arguments) { \
        return print_c99(to, room, format, arguments); \
    } \
    DIRQL_CRT_FUNCTION int dirql_crt_##Name(Char* to, std::size_t room, const Char* format, ...) { \
        DIRQL_PRINT_FORWARD(print_c99(to, room, format, arguments)); \
    }

#define DIRQL_PRINT_SECURE(Name, VName, Char) \
    DIRQL_CRT_FUNCTION int dirql_crt_##VName(Char* to, std::size_t room, const Char* format, std::va_list arguments) { \
        return print_secure(to, room, everything, format, arguments); \
    } \
    DIRQL_CRT_FUNCTION int dirql_crt_##Name(Char* to, std::size_t room, const Char* format, ...) { \
        DIRQL_PRINT_FORWARD(print_secure(to, room, everything, format, arguments)); \
    }

#define DIRQL_PRINT_COUNTED_SECURE(Name, VName, Char) \
    DIRQL_CRT_FUNCTION int dirql_crt_##VName(Char* to, std::size_t room, std::size_t count, const Char* format, \
                                             std::va_list arguments) { \
        return print_secure(to, room, count, format, arguments); \
    } \
    DIRQL_CRT_FUNCTION int dirql_crt_##Name(Char* to, std::size_t room, std::size_t count, const Char* format, ...) { \
        DIRQL_PRINT_FORWARD(print_secure(to, room, count, format, arguments)); \
    }

DIRQL_PRINT_UNBOUNDED(sprintf, vsprintf, char)
DIRQL_PRINT_UNBOUNDED(swprintf, vswprintf, char16_t)
DIRQL_PRINT_UNBOUNDED(_swprintf, _vswprintf, char16_t)
DIRQL_PRINT_COUNTED(_snprintf, _vsnprintf, char)
DIRQL_PRINT_COUNTED(_snwprintf, _vsnwprintf, char16_t)
DIRQL_PRINT_C99(snprintf, vsnprintf, char)
DIRQL_PRINT_SECURE(sprintf_s, vsprintf_s, char)
DIRQL_PRINT_SECURE(swprintf_s, vswprintf_s, char16_t)
DIRQL_PRINT_COUNTED_SECURE(_snprintf_s, _vsnprintf_s, char)
DIRQL_PRINT_COUNTED_SECURE(_snwprintf_s, _vsnwprintf_s, char16_t)
