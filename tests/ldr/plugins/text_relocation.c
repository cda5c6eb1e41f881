extern int variable;
int variable = 1;
__asm__(".text\n.globl pointer\npointer: .quad variable\n");
int DriverEntry(void) { return variable; }
