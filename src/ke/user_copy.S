# Guarded copies. The trap door sends a fault between dirql_guarded_begin and dirql_guarded_end to dirql_guarded_failed.

    .text
    .globl dirql_guarded_begin
    .hidden dirql_guarded_begin
dirql_guarded_begin:

# bool dirql_copy_guarded(void* to, const void* from, std::size_t bytes)
    .globl dirql_copy_guarded
    .hidden dirql_copy_guarded
    .type dirql_copy_guarded, @function
dirql_copy_guarded:
    .cfi_startproc
    cmpq $16, %rdx
    jb 2f
    cmpq $64, %rdx
    ja 3f
    leaq (%rsi,%rdx), %rax          # 16 to 64 bytes: from both ends, the middle perhaps twice
    leaq (%rdi,%rdx), %rcx
    movups (%rsi), %xmm0
    movups -16(%rax), %xmm1
    cmpq $32, %rdx
    jbe 1f
    movups 16(%rsi), %xmm2
    movups -32(%rax), %xmm3
    movups %xmm2, 16(%rdi)
    movups %xmm3, -32(%rcx)
1:  movups %xmm0, (%rdi)
    movups %xmm1, -16(%rcx)
    movl $1, %eax
    retq
2:  cmpq $8, %rdx
    jne 3f
    movq (%rsi), %rax
    movq %rax, (%rdi)
    movl $1, %eax
    retq
3:  movq %rdx, %rcx
    rep movsb
    movl $1, %eax
    retq
    .cfi_endproc
    .size dirql_copy_guarded, .-dirql_copy_guarded

# bool dirql_touch_guarded(void* address, bool write)
    .globl dirql_touch_guarded
    .hidden dirql_touch_guarded
    .type dirql_touch_guarded, @function
dirql_touch_guarded:
    .cfi_startproc
    movb (%rdi), %al
    testb %sil, %sil
    je 1f
    movb %al, (%rdi)
1:  movl $1, %eax
    retq
    .cfi_endproc
    .size dirql_touch_guarded, .-dirql_touch_guarded

# bool dirql_write_status_guarded(void* block, int status, std::size_t information)
    .globl dirql_write_status_guarded
    .hidden dirql_write_status_guarded
    .type dirql_write_status_guarded, @function
dirql_write_status_guarded:
    .cfi_startproc
    movl %esi, (%rdi)
    movq %rdx, 8(%rdi)
    movl $1, %eax
    retq
    .cfi_endproc
    .size dirql_write_status_guarded, .-dirql_write_status_guarded

    .globl dirql_guarded_end
    .hidden dirql_guarded_end
dirql_guarded_end:

    .globl dirql_guarded_failed
    .hidden dirql_guarded_failed
    .type dirql_guarded_failed, @function
dirql_guarded_failed:
    xorl %eax, %eax
    retq
    .size dirql_guarded_failed, .-dirql_guarded_failed

    .section .note.GNU-stack, "", @progbits
