/* Driver code is compiled in one dialect, whatever CMake takes for the project's own, and without the host's headers. */
#if !__has_include(<ntddk.h>) || !__has_include(<stdarg.h>)
#error "the kernel's and the compiler's headers are a driver's"
#endif
#if __has_include(<unistd.h>) || __has_include(<sys/types.h>) || __has_include(<vector>)
#error "the host's headers are none of a driver's"
#endif
#if defined(__cplusplus)
#if __cplusplus != 201703L
#error "driver code is C++17, where OPTIONS say nothing else"
#endif
#elif defined(DRIVERS_LEVEL) ? __STDC_VERSION__ != DRIVERS_LEVEL : __STDC_VERSION__ != 201710L
#error "driver code is C17, where OPTIONS say nothing else"
#endif
