extern int IoNoSuchRoutine(void);
extern int ExMissing(void);
extern int printf(const char*, ...);
extern int* KeAbsentVariable;
extern int AbsentByChoice(void) __attribute__((weak));

int DriverEntry(void) {
    return IoNoSuchRoutine() + ExMissing() + printf("x") + *KeAbsentVariable + (AbsentByChoice ? AbsentByChoice() : 0);
}
