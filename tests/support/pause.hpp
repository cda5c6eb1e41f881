// Pauses of the current thread in virtual time.
#pragma once

#include <ntddk.h>

#include <cstdint>

namespace dirql::test {

[[nodiscard]] inline LARGE_INTEGER relative_us(std::int64_t us) noexcept {
    LARGE_INTEGER time;
    time.QuadPart = -us * 10;
    return time;
}

inline NTSTATUS sleep_us(std::int64_t us) {
    LARGE_INTEGER time = relative_us(us);
    return KeDelayExecutionThread(KernelMode, FALSE, &time);
}

} // namespace dirql::test
