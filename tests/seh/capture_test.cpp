// RtlCaptureContext writes down its caller's registers as they are when it has returned.
#include <catch.hpp>

#include <ntddk.h>

#include <cstddef>
#include <cstring>

TEST_CASE("a captured context holds its caller's registers", "[seh]") {
    struct {
        CONTEXT context;
        ULONG64 returned, stack;
        ULONG mxcsr;
    } all;
    std::memset(&all, 0x55, sizeof all);
    asm volatile("stmxcsr %c[mxcsr](%%rdi)\n"
                 "lea 0f(%%rip), %%rax\n"
                 "mov %%rax, %c[returned](%%rdi)\n"
                 "mov %%rsp, %c[stack](%%rdi)\n"
                 "mov $0xA, %%eax\n"
                 "mov $0xB, %%ebx\n"
                 "mov $0xC, %%ecx\n"
                 "mov $0xD, %%edx\n"
                 "mov $0x51, %%esi\n"
                 "mov $0x8, %%r8d\n"
                 "mov $0x9, %%r9d\n"
                 "mov $0x10, %%r10d\n"
                 "mov $0x11, %%r11d\n"
                 "mov $0x12, %%r12d\n"
                 "mov $0x13, %%r13d\n"
                 "mov $0x14, %%r14d\n"
                 "mov $0x15, %%r15d\n"
                 "movq %%r15, %%xmm5\n"
                 "std\n"
                 "call RtlCaptureContext@PLT\n"
                 "0: cld\n"
                 : // memory, and every register but those of the frame
                 : "D"(&all), [mxcsr] "i"(offsetof(decltype(all), mxcsr)),
                   [returned] "i"(offsetof(decltype(all), returned)), [stack] "i"(offsetof(decltype(all), stack))
                 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm5",
                   "cc", "memory");
    const CONTEXT& context = all.context;
    CHECK(context.ContextFlags == (CONTEXT_FULL | CONTEXT_SEGMENTS));
    CHECK(context.Rip == all.returned);
    CHECK(context.Rsp == all.stack);
    CHECK(context.Rdi == reinterpret_cast<ULONG64>(&context));
    const ULONG64 seen[] = {context.Rax, context.Rbx, context.Rcx, context.Rdx, context.Rsi, context.R8, context.R9,
                            context.R10, context.R11, context.R12, context.R13, context.R14, context.R15};
    const ULONG64 set[] = {0xA, 0xB, 0xC, 0xD, 0x51, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15};
    CHECK(std::memcmp(seen, set, sizeof set) == 0);
    CHECK((context.EFlags & 0x400) != 0); // the direction
    CHECK(context.MxCsr == all.mxcsr);
    ULONG64 xmm5[2];
    std::memcpy(xmm5, reinterpret_cast<const char*>(&context.FltSave) + 160 + 16 * 5, sizeof xmm5);
    CHECK(xmm5[0] == 0x15);
    CHECK(xmm5[1] == 0);
    CHECK((context.SegCs & 3) == 3); // a process of the host's
}
