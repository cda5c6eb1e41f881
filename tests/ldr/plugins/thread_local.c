static __thread int mine;
int DriverEntry(void) { return mine++; }
