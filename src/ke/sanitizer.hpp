// What the sanitizers want to hear about stacks. Empty in plain builds.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define DIRQL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DIRQL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define DIRQL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DIRQL_TSAN 1
#endif
#endif

#ifdef DIRQL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef DIRQL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace dirql::ke::sanitizer {

inline constexpr bool slow_build =
#if defined(DIRQL_ASAN) || defined(DIRQL_TSAN)
    true;
#else
    false;
#endif

// Before the stack pointer moves to [low, top). `saved` keeps the left stack's state; null when the stack is left for good.
inline void leave_stack([[maybe_unused]] void** saved, [[maybe_unused]] const std::byte* low,
                        [[maybe_unused]] const std::byte* top) noexcept {
#ifdef DIRQL_ASAN
    __sanitizer_start_switch_fiber(saved, low, static_cast<std::size_t>(top - low));
#endif
}

// After it has moved; tells where the left stack was.
inline void enter_stack([[maybe_unused]] void* saved, [[maybe_unused]] std::byte** left_low,
                        [[maybe_unused]] std::byte** left_top) noexcept {
#ifdef DIRQL_ASAN
    const void* low = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(saved, &low, &size);
    if (left_low != nullptr) {
        *left_low = static_cast<std::byte*>(const_cast<void*>(low));
        *left_top = *left_low + size;
    }
#endif
}

// The stack pointer was moved to [low, top), and what it left is not come back to.
inline void moved_to_stack(const std::byte* low, const std::byte* top) noexcept {
    leave_stack(nullptr, low, top);
    enter_stack(nullptr, nullptr, nullptr);
}

// Memory that was a stack may hold poisoned frames that nobody left.
inline void forget_stack([[maybe_unused]] std::byte* low, [[maybe_unused]] std::byte* top) noexcept {
#ifdef DIRQL_ASAN
    __asan_unpoison_memory_region(low, static_cast<std::size_t>(top - low));
#endif
}

} // namespace dirql::ke::sanitizer
