// The one formatter of Microsoft's format strings. DbgPrint, ntstrsafe and the drivers' sprintf family all end here.
//
//   %[flags][width][.precision][size]type       width and precision may be *, taken from an int argument
//
//   flags   -  left     +  sign     space  blank for the sign     #  alternate form
//           0  zeros up to the width, in front of any type, strings too
//   size    hh 8-bit   h 16-bit or narrow text   l, I32 32-bit (LONG; l also wide text)   ll, I64, j, q 64-bit
//           I, z, t pointer-sized   w wide text   L long double
//   type    d i u x X o   integers: 32-bit without a size
//           p             pointer: 16 upper-case digits
//           c s           character, text: of the function's own width; C S of the other width; h and l (or w) decide
//           Z             counted string: ANSI_STRING*, with w or l UNICODE_STRING*; its Length decides, not precision
//           e E f F g G a A   floating point, where the function has it
//           n             takes its argument and writes nothing through it
//           %             itself
//
// A null string prints (null). Text of the other width passes through the ANSI code page. A type that means nothing
// prints as itself, without the percent sign and without taking an argument; so do the floating-point types in
// functions that lack them. Precision is limited to 512, the formatter's working room.
//
// It reads and writes the driver's memory as it goes: a bad pointer faults here, for the trap door to judge.
// Sources: "Format specification syntax: printf and wprintf functions"; DbgPrint; "size specification" for Z.
#pragma once

#include "rtl/text_sink.hpp"

#include <cstdarg>

namespace dirql::rtl {

enum class Floating : bool { absent, present };

// Char is char or char16_t. `arguments` are of the caller's C calling convention; LONG is int.
template <class Char>
void format_message(TextSink<Char>& sink, const Char* format, std::va_list arguments,
                    Floating floating = Floating::present) noexcept;

extern template void format_message(TextSink<char>&, const char*, std::va_list, Floating) noexcept;
extern template void format_message(TextSink<char16_t>&, const char16_t*, std::va_list, Floating) noexcept;

} // namespace dirql::rtl
