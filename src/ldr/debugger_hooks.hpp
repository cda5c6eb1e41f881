// Where a debugger learns of images that the system's dynamic linker knows nothing of.
//
// dirql's gdb script sets breakpoints on these functions and answers with `add-symbol-file <path> -o <base>` and
// `remove-symbol-file -a <address>`. They do nothing else.
//
// Breakpoints are written into code. An image's pages are shared mappings (they are the machine's physical memory), into which
// even a debugger cannot write where the program may not: the script asks for writable code before the image is protected.
#pragma once

extern "C" {

// Set by the debugger, at dirql_image_loaded at the latest: the code of images stays writable.
[[gnu::visibility("default")]] extern volatile unsigned char dirql_code_stays_writable;

// After an image is placed and relocated, before its pages are protected and its DriverEntry runs: breakpoints may be set in it.
[[gnu::visibility("default"), gnu::noinline]] void dirql_image_loaded(const char* path, void* base);

// Before an image's memory is given up.
[[gnu::visibility("default"), gnu::noinline]] void dirql_image_unloaded(void* base);
}
