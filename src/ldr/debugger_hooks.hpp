// Where a debugger learns of images that the system's dynamic linker knows nothing of.
//
// dirql's gdb script sets breakpoints on these functions and answers with `add-symbol-file <path> -o <base>` and
// `remove-symbol-file -a <address>`. They do nothing else.
#pragma once

extern "C" {

// After an image is placed and relocated, before its DriverEntry runs: breakpoints may be set in it.
[[gnu::visibility("default"), gnu::noinline]] void dirql_image_loaded(const char* path, void* base);

// Before an image's memory is given up.
[[gnu::visibility("default"), gnu::noinline]] void dirql_image_unloaded(void* base);
}
