/* For stack traces: a chain of calls whose lines the test knows by their markers. */
extern void KeCaptureStack(void);

__attribute__((noinline)) static int read_device(int length) {
    KeCaptureStack(); /* LINE: read_device */
    return length + 1;
}

__attribute__((noinline)) static int dispatch(int length) {
    int status;
    status = read_device(length + 1); /* LINE: dispatch */
    return status + 1;
}

int DriverEntry(void) { return 1 + dispatch(3); /* LINE: DriverEntry */ }
