struct _DRIVER_OBJECT;
struct _UNICODE_STRING;
int DriverEntry(_DRIVER_OBJECT*, _UNICODE_STRING*) { return 0; }
