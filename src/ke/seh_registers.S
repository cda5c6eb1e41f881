# Structured exception handling: the steps that C++ cannot say, because they load or store whole register sets
# (System V AMD64). What they mean is in seh_registers.hpp.

    # Offsets in CONTEXT, held by static assertions in seh_fault.cpp.
    .set cx_flags, 0x30
    .set cx_mxcsr, 0x34
    .set cx_cs, 0x38
    .set cx_ds, 0x3a
    .set cx_es, 0x3c
    .set cx_fs, 0x3e
    .set cx_gs, 0x40
    .set cx_ss, 0x42
    .set cx_eflags, 0x44
    .set cx_rax, 0x78
    .set cx_rcx, 0x80
    .set cx_rdx, 0x88
    .set cx_rbx, 0x90
    .set cx_rsp, 0x98
    .set cx_rbp, 0xa0
    .set cx_rsi, 0xa8
    .set cx_rdi, 0xb0
    .set cx_r8, 0xb8
    .set cx_r9, 0xc0
    .set cx_r10, 0xc8
    .set cx_r11, 0xd0
    .set cx_r12, 0xd8
    .set cx_r13, 0xe0
    .set cx_r14, 0xe8
    .set cx_r15, 0xf0
    .set cx_rip, 0xf8
    .set cx_floating, 0x100
    .set cx_size, 0x4d0
    .set cx_captured, 0x10000f   # AMD64: control, integer, segments, floating point

    .set red_zone, 128

.macro begin name, visibility=hidden
    .globl \name
    .\visibility \name
    .type \name, @function
    .balign 16
\name:
    .cfi_startproc
.endm

.macro end name
    .cfi_endproc
    .size \name, .-\name
.endm

    .text

# int dirql_seh_call_landing(void* const* landing, void** resume)
begin dirql_seh_call_landing
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rsi)
    lea -8(%rsp), %rsp
    mov (%rdi), %rbp
    jmp *8(%rdi)
end dirql_seh_call_landing

# [[noreturn]] void dirql_seh_return(void* resume, int value)
begin dirql_seh_return
    mov %rdi, %rsp
    mov %esi, %eax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
end dirql_seh_return

# [[noreturn]] void dirql_seh_land(void* const* landing)
begin dirql_seh_land
    mov (%rdi), %rbp
    mov 16(%rdi), %rsp
    jmp *8(%rdi)
end dirql_seh_land

# Stores all registers but %rsp and %rip in the CONTEXT at \context. Spoils %rax.
.macro store_registers context
    mov %rax, cx_rax(\context)
    mov %rcx, cx_rcx(\context)
    mov %rdx, cx_rdx(\context)
    mov %rbx, cx_rbx(\context)
    mov %rbp, cx_rbp(\context)
    mov %rsi, cx_rsi(\context)
    mov %rdi, cx_rdi(\context)
    mov %r8, cx_r8(\context)
    mov %r9, cx_r9(\context)
    mov %r10, cx_r10(\context)
    mov %r11, cx_r11(\context)
    mov %r12, cx_r12(\context)
    mov %r13, cx_r13(\context)
    mov %r14, cx_r14(\context)
    mov %r15, cx_r15(\context)
    pushfq
    pop %rax
    mov %eax, cx_eflags(\context)
    movw %cs, cx_cs(\context)
    movw %ds, cx_ds(\context)
    movw %es, cx_es(\context)
    movw %fs, cx_fs(\context)
    movw %gs, cx_gs(\context)
    movw %ss, cx_ss(\context)
    stmxcsr cx_mxcsr(\context)
    fxsave64 cx_floating(\context)
    movl $cx_captured, cx_flags(\context)
.endm

# void RtlCaptureContext(CONTEXT* context)
begin RtlCaptureContext, protected
    store_registers %rdi
    lea 8(%rsp), %rax
    mov %rax, cx_rsp(%rdi)
    mov (%rsp), %rax
    mov %rax, cx_rip(%rdi)
    ret
end RtlCaptureContext

# The raising functions: each makes a CONTEXT of its caller, as it will be when the call has returned, and calls the C++
# function that raises with (argument, context). When that comes back, execution continues: the context is loaded.
.macro raising name, raise, visibility=hidden
begin \name, \visibility
    lea -(cx_size + 8)(%rsp), %rsp
    .cfi_adjust_cfa_offset cx_size + 8
    store_registers %rsp
    lea (cx_size + 16)(%rsp), %rax
    mov %rax, cx_rsp(%rsp)
    mov (cx_size + 8)(%rsp), %rax
    mov %rax, cx_rip(%rsp)
    mov %rsp, %rsi
    call \raise
    mov %rsp, %rdi
    xor %esi, %esi
    call dirql_seh_load_context
    ud2
end \name
.endm

raising dirql_seh_raise_record, dirql_seh_raise_record_in
raising dirql_seh_raise_status, dirql_seh_raise_status_in
raising RtlRaiseException, dirql_seh_rtl_raise_exception, protected
raising RtlRaiseStatus, dirql_seh_rtl_raise_status, protected
raising ExRaiseStatus, dirql_seh_ex_raise_status, protected
raising ExRaiseAccessViolation, dirql_seh_ex_raise_access_violation, protected
raising ExRaiseDatatypeMisalignment, dirql_seh_ex_raise_datatype_misalignment, protected

# [[noreturn]] void dirql_seh_load_context(const CONTEXT* context, const void* extended, std::uint64_t components)
# The last four registers go through the stack they are loaded for, below its red zone, which stays as it is.
begin dirql_seh_load_context
    test %rsi, %rsi
    jz 1f
    mov %rdx, %rax
    shr $32, %rdx
    xrstor64 (%rsi)
1:  fxrstor64 cx_floating(%rdi)
    ldmxcsr cx_mxcsr(%rdi)
    mov cx_rsp(%rdi), %rax
    lea -(red_zone + 32)(%rax), %rax
    mov cx_rdi(%rdi), %rcx
    mov %rcx, (%rax)
    mov cx_rax(%rdi), %rcx
    mov %rcx, 8(%rax)
    mov cx_eflags(%rdi), %ecx
    mov %rcx, 16(%rax)
    mov cx_rip(%rdi), %rcx
    mov %rcx, 24(%rax)
    mov cx_rcx(%rdi), %rcx
    mov cx_rdx(%rdi), %rdx
    mov cx_rbx(%rdi), %rbx
    mov cx_rbp(%rdi), %rbp
    mov cx_rsi(%rdi), %rsi
    mov cx_r8(%rdi), %r8
    mov cx_r9(%rdi), %r9
    mov cx_r10(%rdi), %r10
    mov cx_r11(%rdi), %r11
    mov cx_r12(%rdi), %r12
    mov cx_r13(%rdi), %r13
    mov cx_r14(%rdi), %r14
    mov cx_r15(%rdi), %r15
    mov %rax, %rsp
    pop %rdi
    pop %rax
    popfq
    ret $red_zone
end dirql_seh_load_context

# A fault's raise starts here, with %rsp at its FaultFrame, whose first member is the CONTEXT. The unwind information
# takes the interrupted function's registers from there, so a debugger's stack shows the fault as it shows a signal's.
.macro saved_at register, offset
    # DW_CFA_expression: register, DW_OP_breg7 (%rsp) + offset
    .cfi_escape 0x10, \register, 3, 0x77, (\offset & 0x7f) | 0x80, \offset >> 7
.endm

    .globl dirql_seh_fault_entry
    .hidden dirql_seh_fault_entry
    .type dirql_seh_fault_entry, @function
    .balign 16
    .cfi_startproc
    .cfi_signal_frame
    # DW_CFA_def_cfa_expression: DW_OP_breg7 (%rsp) + cx_rsp, DW_OP_deref
    .cfi_escape 0x0f, 4, 0x77, (cx_rsp & 0x7f) | 0x80, cx_rsp >> 7, 0x06
    saved_at 3, cx_rbx
    saved_at 6, cx_rbp
    saved_at 12, cx_r12
    saved_at 13, cx_r13
    saved_at 14, cx_r14
    saved_at 15, cx_r15
    saved_at 16, cx_rip
    nop # an unwinder looks up the address before the one it returns to
dirql_seh_fault_entry:
    mov %rsp, %rdi
    call dirql_seh_raise_fault
    ud2
    .cfi_endproc
    .size dirql_seh_fault_entry, .-dirql_seh_fault_entry

    .section .note.GNU-stack, "", @progbits
