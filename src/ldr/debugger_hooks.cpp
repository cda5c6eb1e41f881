#include "ldr/debugger_hooks.hpp"

volatile unsigned char dirql_code_stays_writable = 0;

// The arguments must be alive in their registers at the breakpoint, and the calls must not be optimised away.

void dirql_image_loaded(const char* path, void* base) { asm volatile("" : : "r"(path), "r"(base) : "memory"); }

void dirql_image_unloaded(void* base) { asm volatile("" : : "r"(base) : "memory"); }
