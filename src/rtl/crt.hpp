// The C run-time library of drivers.
//
// Each function a driver may call is here under the name dirql_crt_<name>, so that it never meets the host's own, and
// the export table binds <name> to it (ke/exports/crt.def). Wide text is UTF-16. There are no locales: case and classes
// are those of the "C" locale, conversions between widths use the ANSI code page. Every function runs at any IRQL that
// its buffers allow, and none allocates, locks or keeps state, except rand and srand (ex/rtl_random.cpp).
#pragma once

#include <cstddef>

#define DIRQL_CRT_FUNCTION extern "C" __attribute__((visibility("default")))

namespace dirql::rtl {

using errno_t = int;
inline constexpr errno_t no_error = 0;
inline constexpr errno_t e_inval = 22;                                // EINVAL: a null pointer or an empty buffer
inline constexpr errno_t e_range = 34;                                // ERANGE: the result does not fit
inline constexpr errno_t truncated_text = 80;                         // STRUNCATE: it was cut as asked
inline constexpr std::size_t truncate = static_cast<std::size_t>(-1); // _TRUNCATE

} // namespace dirql::rtl
