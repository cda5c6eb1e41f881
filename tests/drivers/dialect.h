/* Driver code is compiled in one dialect, whatever CMake takes for the project's own, and without the host's headers. */
#if !__has_include(<ntddk.h>) || !__has_include(<stdarg.h>)
#error "the kernel's and the compiler's headers are a driver's"
#endif
#if __has_include(<unistd.h>) || __has_include(<sys/types.h>) || __has_include(<vector>)
#error "the host's headers are none of a driver's"
#endif
#if defined(__cplusplus) ? __cplusplus != 201703L : __STDC_VERSION__ != 201710L
#error "driver code is C17 or C++17"
#endif
