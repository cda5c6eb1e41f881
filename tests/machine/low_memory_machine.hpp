// The machine that the cases of short memory run on: beside a driver with one device, \Device\Low.
#pragma once

#include "support/low_memory.hpp"

#include <ntifs.h>

#include <string_view>

extern "C" NTSTATUS dirql_test_try(void (*body)(void*), void* context);

namespace dirql::test {

inline constexpr ULONG low_tag = 0x20776F4C;

// Of the machine that was made last.
[[nodiscard]] PDRIVER_OBJECT low_driver();
// It completes what it gets: reads, writes and controls in a way that is pending, the rest at once.
[[nodiscard]] PDEVICE_OBJECT low_device();

[[nodiscard]] UNICODE_STRING unicode(std::u16string_view text);
[[nodiscard]] OBJECT_ATTRIBUTES named(PUNICODE_STRING name, ULONG attributes = OBJ_KERNEL_HANDLE);

// On a system thread, beside a driver with one device of these flags.
[[nodiscard]] FreshMachine in_kernel(ULONG flags = DO_BUFFERED_IO);
// On an application's thread.
[[nodiscard]] FreshMachine in_application(ULONG flags = DO_BUFFERED_IO);
// In a service of an application's thread: normal kernel APCs, which end some requests, are delivered there at once. A system
// thread begins in a critical region.
[[nodiscard]] FreshMachine in_service(ULONG flags = DO_BUFFERED_IO);

// The device, or a name below it.
[[nodiscard]] HANDLE open_low(const LowMemory& memory, ULONG attributes = OBJ_KERNEL_HANDLE,
                              std::u16string_view name = u"\\Device\\Low",
                              ULONG options = FILE_SYNCHRONOUS_IO_NONALERT);

// The status that the function raises.
template <class Function> [[nodiscard]] NTSTATUS raised_by(Function function) {
    return dirql_test_try([](void* body) { (*static_cast<Function*>(body))(); }, &function);
}

} // namespace dirql::test
