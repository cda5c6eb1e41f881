int driver_entry(void) { return 0; }
