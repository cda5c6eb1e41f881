static int fast(void) { return 1; }
static int (*choose(void))(void) { return fast; }
static int chosen(void) __attribute__((ifunc("choose")));
int DriverEntry(void) { return chosen(); }
