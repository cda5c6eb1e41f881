extern int DbgPrint(const char*, ...);
struct Announcer {
    Announcer() { DbgPrint("constructed"); }
};
static Announcer announcer;
extern "C" int DriverEntry(void*) { return 0; }
