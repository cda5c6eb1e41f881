// Every register around a fault: loaded from a value, stored into another (registers.S).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace seh_test {

struct Registers {
    // rax rcx rdx rbx rbp rsi rdi r8 ... r15
    enum Index { rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, count };
    std::array<std::uint64_t, count> general;
    std::uint64_t flags;
    std::array<std::uint64_t, 16> red_zone;
    alignas(32) std::array<std::array<std::uint64_t, 4>, 16> vectors; ///< ymm0 to ymm15
    std::uint32_t mxcsr;
    std::uint16_t x87_control;
    std::uint16_t wide; ///< nonzero: the processor has ymm registers
};

static_assert(offsetof(Registers, flags) == 120 && offsetof(Registers, red_zone) == 128);
static_assert(offsetof(Registers, vectors) == 256 && offsetof(Registers, mxcsr) == 768);

/// Loads `in`, writes a byte at the address in rdi, stores what the registers are then.
extern "C" void seh_fault_with_registers(const Registers* in, Registers* out);

/// How long the instruction that writes is.
inline constexpr int faulting_instruction_bytes = 3;

} // namespace seh_test
