# Changes of the stack pointer within one flow of control (System V AMD64).

    .text

# void dirql_switch_stack_and_call(std::byte* stack_top, void (*function)(void*), void* argument)
# A debugger and an unwinder find the caller through %rbp.
    .globl dirql_switch_stack_and_call
    .hidden dirql_switch_stack_and_call
    .type dirql_switch_stack_and_call, @function
dirql_switch_stack_and_call:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rdi, %rsp
    movq %rdx, %rdi
    callq *%rsi
    movq %rbp, %rsp
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq
    .cfi_endproc
    .size dirql_switch_stack_and_call, .-dirql_switch_stack_and_call

# bool dirql_call_through_door(std::byte* stack_top, void (*function)(void*), void* argument, void** door)
    .globl dirql_call_through_door
    .hidden dirql_call_through_door
    .type dirql_call_through_door, @function
dirql_call_through_door:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .cfi_offset %rbx, -24
    .cfi_offset %r12, -32
    .cfi_offset %r13, -40
    .cfi_offset %r14, -48
    .cfi_offset %r15, -56
    movq %rsp, (%rcx)
    movq %rdi, %rsp
    movq %rdx, %rdi
    callq *%rsi
    movl $1, %eax
    movq %rbp, %rsp
    popq %rbp
    .cfi_remember_state
    .cfi_def_cfa %rsp, 8
    retq
    .cfi_restore_state
    .cfi_endproc
    .size dirql_call_through_door, .-dirql_call_through_door

# [[noreturn]] void dirql_abandon_to_door(void* door)
    .globl dirql_abandon_to_door
    .hidden dirql_abandon_to_door
    .type dirql_abandon_to_door, @function
dirql_abandon_to_door:
    movq %rdi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    xorl %eax, %eax
    retq
    .size dirql_abandon_to_door, .-dirql_abandon_to_door

    .section .note.GNU-stack, "", @progbits
