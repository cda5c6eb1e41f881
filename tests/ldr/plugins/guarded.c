/* Built with AddressSanitizer: a global whose neighbourhood the sanitizer guards. */
struct guarded {
    char* begin;
    char* end;
};

static char buffer[40] = "guarded";

int DriverEntry(struct guarded* guarded) {
    guarded->begin = buffer;
    guarded->end = buffer + sizeof(buffer);
    return buffer[0];
}
