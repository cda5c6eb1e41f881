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
    movq %rdx, %rcx
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
