// EXCEPTION_CONTINUE_EXECUTION resumes a fault with every register as it was, or as the filter left it in the CONTEXT.
#include "host.hpp"
#include "registers.hpp"
#include "scenarios.h"

#include <catch.hpp>

#include <cstring>

using namespace seh_test;

namespace {

constexpr std::uint64_t carry = 1 << 0, parity = 1 << 2, adjust = 1 << 4, zero = 1 << 6, sign = 1 << 7;
constexpr std::uint64_t direction = 1 << 10, overflow = 1 << 11;
constexpr std::uint64_t status_flags = carry | parity | adjust | zero | sign | direction | overflow;

Registers patterned_registers(const char* page) {
    Registers in{};
    std::uint64_t pattern = 0x0123456789abcdef;
    const auto next = [&pattern] { return pattern = pattern * 6364136223846793005u + 1442695040888963407u; };
    for (auto& value : in.general) value = next();
    for (auto& value : in.red_zone) value = next();
    in.wide = static_cast<std::uint16_t>(__builtin_cpu_supports("avx") != 0);
    for (auto& vector : in.vectors) {
        for (std::size_t lane = 0; lane < (in.wide != 0 ? 4 : 2); ++lane) vector[lane] = next();
    }
    in.general[Registers::rdi] = reinterpret_cast<std::uint64_t>(page);
    in.flags = 0x202 | carry | sign | direction | overflow;
    in.mxcsr = 0x3f80;      // rounds down
    in.x87_control = 0xb7f; // rounds up
    return in;
}

struct Fault {
    char* page;
    Registers in;
    Registers out;
    CONTEXT seen;
    int asked = 0;
};

void run_fault(void* argument) {
    auto& fault = *static_cast<Fault*>(argument);
    seh_fault_with_registers(&fault.in, &fault.out);
}

/// What any filter does to the registers that nobody saves for it.
void clobber_registers() {
    asm volatile("cld; xor %%eax, %%eax; pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15" ::
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "cc");
    if (__builtin_cpu_supports("avx")) asm volatile("vzeroall" ::: "xmm0", "xmm7", "xmm15");
}

int open_page_and_retry(PEXCEPTION_POINTERS pointers, void* argument) {
    auto& fault = *static_cast<Fault*>(argument);
    fault.seen = *pointers->ContextRecord;
    ++fault.asked;
    seh_open_page(fault.page);
    clobber_registers();
    return EXCEPTION_CONTINUE_EXECUTION;
}

std::array<std::uint64_t, 2> xmm_of(const CONTEXT& context, int index) {
    std::array<std::uint64_t, 2> value;
    std::memcpy(&value, reinterpret_cast<const char*>(&context.FltSave) + 160 + 16 * index, sizeof value);
    return value;
}

void set_xmm(CONTEXT& context, int index, const std::array<std::uint64_t, 2>& value) {
    std::memcpy(reinterpret_cast<char*>(&context.FltSave) + 160 + 16 * index, &value, sizeof value);
}

/// Leaves the page closed: steps over the instruction and changes what it likes.
int step_over(PEXCEPTION_POINTERS pointers, void* argument) {
    CONTEXT& context = *pointers->ContextRecord;
    ++static_cast<Fault*>(argument)->asked;
    context.Rip += faulting_instruction_bytes;
    context.Rax = 0xa11;
    context.Rdi = 0xd1;
    context.R13 = 0x1313;
    context.EFlags = (context.EFlags & ~static_cast<ULONG>(status_flags)) | zero;
    set_xmm(context, 7, {0x77, 0x7777});
    context.MxCsr = 0x1f80;
    return EXCEPTION_CONTINUE_EXECUTION;
}

} // namespace

TEST_CASE("continuing execution restores every register", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    char* page = seh_closed_page();
    Fault fault{page, patterned_registers(page), {}, {}};
    CHECK(seh_try_except(run_fault, open_page_and_retry, &fault) == 0);
    CHECK(fault.asked == 1);
    CHECK(page[0] == 1);
    CHECK(fault.out.general == fault.in.general);
    CHECK((fault.out.flags & status_flags) == (fault.in.flags & status_flags));
    CHECK(fault.out.red_zone == fault.in.red_zone);
    CHECK(fault.out.vectors == fault.in.vectors);
    CHECK(fault.out.mxcsr == fault.in.mxcsr);
    CHECK(fault.out.x87_control == fault.in.x87_control);
    seh_free_page(page);
}

TEST_CASE("a filter sees the registers of the fault", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    char* page = seh_closed_page();
    Fault fault{page, patterned_registers(page), {}, {}};
    seh_try_except(run_fault, open_page_and_retry, &fault);
    const CONTEXT& seen = fault.seen;
    const auto& in = fault.in.general;
    CHECK(seen.Rax == in[Registers::rax]);
    CHECK(seen.Rcx == in[Registers::rcx]);
    CHECK(seen.Rdx == in[Registers::rdx]);
    CHECK(seen.Rbx == in[Registers::rbx]);
    CHECK(seen.Rbp == in[Registers::rbp]);
    CHECK(seen.Rsi == in[Registers::rsi]);
    CHECK(seen.Rdi == in[Registers::rdi]);
    CHECK(seen.R8 == in[Registers::r8]);
    CHECK(seen.R15 == in[Registers::r15]);
    CHECK((seen.EFlags & status_flags) == (fault.in.flags & status_flags));
    CHECK(seen.MxCsr == fault.in.mxcsr);
    for (int i = 0; i < 16; ++i) {
        CHECK(xmm_of(seen, i) == std::array{fault.in.vectors[i][0], fault.in.vectors[i][1]});
    }
    seh_free_page(page);
}

TEST_CASE("a filter may change the registers and the place to continue", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    char* page = seh_closed_page();
    Fault fault{page, patterned_registers(page), {}, {}};
    CHECK(seh_try_except(run_fault, step_over, &fault) == 0);
    CHECK(fault.asked == 1);
    Registers expected = fault.in;
    expected.general[Registers::rax] = 0xa11;
    expected.general[Registers::rdi] = 0xd1;
    expected.general[Registers::r13] = 0x1313;
    expected.vectors[7][0] = 0x77;
    expected.vectors[7][1] = 0x7777;
    CHECK(fault.out.general == expected.general);
    CHECK(fault.out.vectors == expected.vectors);
    CHECK(fault.out.red_zone == expected.red_zone);
    CHECK((fault.out.flags & status_flags) == zero);
    CHECK(fault.out.mxcsr == 0x1f80);
    seh_free_page(page);
}
