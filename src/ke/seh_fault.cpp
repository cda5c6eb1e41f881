// A host fault's way into a raise: from a signal's saved context to a CONTEXT, and back on the stack that faulted.
#include "ke/sanitizer.hpp"
#include "ke/seh_registers.hpp"
#include "ke/seh_search.hpp"

#include <cstddef>
#include <cstring>

namespace dirql::ke {

namespace {

static_assert(offsetof(FaultFrame, context) == 0, "the fault entry's unwind information counts on it");
static_assert(offsetof(CONTEXT, ContextFlags) == 0x30 && offsetof(CONTEXT, MxCsr) == 0x34);
static_assert(offsetof(CONTEXT, SegCs) == 0x38 && offsetof(CONTEXT, SegSs) == 0x42);
static_assert(offsetof(CONTEXT, EFlags) == 0x44);
static_assert(offsetof(CONTEXT, Rax) == 0x78 && offsetof(CONTEXT, Rsp) == 0x98 && offsetof(CONTEXT, Rdi) == 0xb0);
static_assert(offsetof(CONTEXT, R8) == 0xb8 && offsetof(CONTEXT, R15) == 0xf0 && offsetof(CONTEXT, Rip) == 0xf8);
static_assert(offsetof(CONTEXT, FltSave) == 0x100 && sizeof(CONTEXT) == 0x4d0);

constexpr std::uintptr_t red_zone = 128;
constexpr std::uintptr_t loading_area = 32; // dirql_seh_load_context() writes there

namespace eflags {
constexpr greg_t trap = 1 << 8, direction = 1 << 10, alignment_check = 1 << 18;
}

constexpr std::uint64_t protection_keys = 1 << 9; // an XSAVE component that belongs to the thread, not to the code

/// The processor state behind the FXSAVE area, as the kernel saved it for the signal.
struct ExtendedState {
    const void* area = nullptr;
    std::size_t bytes = 0;
    std::uint64_t components = 0;
};

ExtendedState extended_state(const ucontext_t& machine) noexcept {
    constexpr std::size_t software_bytes = 464;
    constexpr std::uint32_t magic = 0x46505853;
    const auto* area = reinterpret_cast<const std::byte*>(machine.uc_mcontext.fpregs);
    _fpx_sw_bytes software;
    std::memcpy(&software, area + software_bytes, sizeof software);
    if (software.magic1 != magic) return {};
    return {area, software.xstate_size, software.xstate_bv & ~protection_keys};
}

/// Where on the stack that faulted the frame and the extended state go, below what that code may still use.
struct Place {
    FaultFrame* frame;
    std::byte* extended;
};

Place place_on_stack(const ucontext_t& machine, std::size_t extended_bytes) noexcept {
    constexpr std::uintptr_t xsave_alignment = 64;
    const auto stack = static_cast<std::uintptr_t>(machine.uc_mcontext.gregs[REG_RSP]) - red_zone - loading_area;
    const auto extended = (stack - extended_bytes) & ~(xsave_alignment - 1);
    const auto frame = (extended - sizeof(FaultFrame)) & ~(xsave_alignment - 1);
    return {reinterpret_cast<FaultFrame*>(frame), reinterpret_cast<std::byte*>(extended)};
}

void save_registers(CONTEXT& context, const greg_t* registers) noexcept {
    const auto value = [registers](int index) { return static_cast<ULONG64>(registers[index]); };
    context.Rax = value(REG_RAX);
    context.Rcx = value(REG_RCX);
    context.Rdx = value(REG_RDX);
    context.Rbx = value(REG_RBX);
    context.Rsp = value(REG_RSP);
    context.Rbp = value(REG_RBP);
    context.Rsi = value(REG_RSI);
    context.Rdi = value(REG_RDI);
    context.R8 = value(REG_R8);
    context.R9 = value(REG_R9);
    context.R10 = value(REG_R10);
    context.R11 = value(REG_R11);
    context.R12 = value(REG_R12);
    context.R13 = value(REG_R13);
    context.R14 = value(REG_R14);
    context.R15 = value(REG_R15);
    context.Rip = value(REG_RIP);
    context.EFlags = static_cast<ULONG>(registers[REG_EFL]);
}

void save_segments(CONTEXT& context, greg_t packed) noexcept {
    const auto segment = [packed](int index) { return static_cast<USHORT>(packed >> (16 * index)); };
    context.SegCs = segment(0);
    context.SegGs = segment(1);
    context.SegFs = segment(2);
    context.SegSs = segment(3);
}

void save_context(CONTEXT& context, const mcontext_t& machine) noexcept {
    std::memset(&context, 0, sizeof context);
    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    save_registers(context, machine.gregs);
    save_segments(context, machine.gregs[REG_CSGSFS]);
    std::memcpy(&context.FltSave, machine.fpregs, sizeof context.FltSave);
    context.MxCsr = machine.fpregs->mxcsr;
}

void save_extended_state(FaultFrame& frame, std::byte* to, const ExtendedState& state) noexcept {
    if (state.area != nullptr) std::memcpy(to, state.area, state.bytes);
    frame.extended = state.area != nullptr ? to : nullptr;
    frame.components = state.components;
}

/// What C++ code expects of the registers at its entry.
void enter_code(mcontext_t& machine, void (*entry)(), const FaultFrame& frame) noexcept {
    machine.gregs[REG_RIP] = reinterpret_cast<greg_t>(entry);
    machine.gregs[REG_RSP] = reinterpret_cast<greg_t>(&frame);
    machine.gregs[REG_EFL] &= ~(eflags::trap | eflags::direction | eflags::alignment_check);
    machine.fpregs->ftw = 0; // the x87 stack is empty
}

} // namespace

std::uintptr_t raise_stack_floor(const ucontext_t& machine) noexcept {
    return reinterpret_cast<std::uintptr_t>(place_on_stack(machine, extended_state(machine).bytes).frame);
}

void enter_raise_from_signal(ucontext_t& machine, const EXCEPTION_RECORD& record) noexcept {
    const ExtendedState extended = extended_state(machine);
    const Place place = place_on_stack(machine, extended.bytes);
    auto* low = reinterpret_cast<std::byte*>(place.frame);
    sanitizer::forget_stack(low, place.extended + extended.bytes);
    save_context(place.frame->context, machine.uc_mcontext);
    place.frame->record = record;
    save_extended_state(*place.frame, place.extended, extended);
    enter_code(machine.uc_mcontext, dirql_seh_fault_entry, *place.frame);
}

extern "C" [[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_raise_fault(FaultFrame* fault) {
    dispatch_exception(fault->record, fault->context);
    dirql_seh_load_context(&fault->context, fault->extended, fault->components);
}

} // namespace dirql::ke
