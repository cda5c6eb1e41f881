# void seh_fault_with_registers(const Registers* in, Registers* out): see registers.hpp

    .text
    .globl seh_fault_with_registers
    .type seh_fault_with_registers, @function
seh_fault_with_registers:
    .cfi_startproc
    push %rbp
    .cfi_adjust_cfa_offset 8
    push %rbx
    .cfi_adjust_cfa_offset 8
    push %r12
    .cfi_adjust_cfa_offset 8
    push %r13
    .cfi_adjust_cfa_offset 8
    push %r14
    .cfi_adjust_cfa_offset 8
    push %r15
    .cfi_adjust_cfa_offset 8
    sub $40, %rsp               # 0: out, 8: rax, 16: caller's mxcsr, 24: caller's x87 control word, 32: wide
    .cfi_adjust_cfa_offset 40
    mov %rsi, (%rsp)
    stmxcsr 16(%rsp)
    fnstcw 24(%rsp)
    movzwl 774(%rdi), %eax
    mov %eax, 32(%rsp)

    test %eax, %eax
    jz 1f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups 256 + 32*\n(%rdi), %ymm\n
    .endr
    jmp 2f
1:  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups 256 + 32*\n(%rdi), %xmm\n
    .endr
2:  ldmxcsr 768(%rdi)
    fldcw 772(%rdi)
    push 120(%rdi)
    popfq
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    mov 128 + 8*\n(%rdi), %rax
    mov %rax, -128 + 8*\n(%rsp)
    .endr
    mov (%rdi), %rax
    mov 8(%rdi), %rcx
    mov 16(%rdi), %rdx
    mov 24(%rdi), %rbx
    mov 32(%rdi), %rbp
    mov 40(%rdi), %rsi
    mov 56(%rdi), %r8
    mov 64(%rdi), %r9
    mov 72(%rdi), %r10
    mov 80(%rdi), %r11
    mov 88(%rdi), %r12
    mov 96(%rdi), %r13
    mov 104(%rdi), %r14
    mov 112(%rdi), %r15
    mov 48(%rdi), %rdi

    movb $1, (%rdi)

    mov %rax, 8(%rsp)
    mov (%rsp), %rax
    mov %rcx, 8(%rax)
    mov 8(%rsp), %rcx
    mov %rcx, (%rax)
    mov %rdx, 16(%rax)
    mov %rbx, 24(%rax)
    mov %rbp, 32(%rax)
    mov %rsi, 40(%rax)
    mov %rdi, 48(%rax)
    mov %r8, 56(%rax)
    mov %r9, 64(%rax)
    mov %r10, 72(%rax)
    mov %r11, 80(%rax)
    mov %r12, 88(%rax)
    mov %r13, 96(%rax)
    mov %r14, 104(%rax)
    mov %r15, 112(%rax)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    mov -128 + 8*\n(%rsp), %rcx
    mov %rcx, 128 + 8*\n(%rax)
    .endr
    pushfq
    pop 120(%rax)
    cld
    stmxcsr 768(%rax)
    fnstcw 772(%rax)
    cmpl $0, 32(%rsp)
    je 3f
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups %ymm\n, 256 + 32*\n(%rax)
    .endr
    vzeroupper
    jmp 4f
3:  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups %xmm\n, 256 + 32*\n(%rax)
    .endr
4:  ldmxcsr 16(%rsp)
    fldcw 24(%rsp)
    add $40, %rsp
    .cfi_adjust_cfa_offset -40
    pop %r15
    .cfi_adjust_cfa_offset -8
    pop %r14
    .cfi_adjust_cfa_offset -8
    pop %r13
    .cfi_adjust_cfa_offset -8
    pop %r12
    .cfi_adjust_cfa_offset -8
    pop %rbx
    .cfi_adjust_cfa_offset -8
    pop %rbp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size seh_fault_with_registers, .-seh_fault_with_registers

    .section .note.GNU-stack, "", @progbits
