__attribute__((destructor)) static void at_exit(void) {}
int DriverEntry(void) { return 0; }
