/* One of each structure that the gdb script prints. */
#include <ntifs.h>

struct item {
    int number;
    LIST_ENTRY link;
};

static __attribute__((noinline)) void stop_here(void) { __asm__ volatile(""); }

static NTSTATUS NTAPI on_complete(PDEVICE_OBJECT device, PIRP irp, PVOID context) {
    (void)device, (void)irp, (void)context;
    return 0;
}

static void append(LIST_ENTRY* head, LIST_ENTRY* entry) {
    entry->Flink = head;
    entry->Blink = head->Blink;
    head->Blink->Flink = entry;
    head->Blink = entry;
}

int main(void) {
    static const WCHAR text[] = {'\\', 'D', 'e', 'v', 'i', 'c', 'e', '\\', 'G', 'd', 'b', 0};
    UNICODE_STRING name = {sizeof text - sizeof text[0], sizeof text, (WCHAR*)text};
    UNICODE_STRING nothing = {0, 0, 0};
    ANSI_STRING narrow = {3, 4, (char*)"abc"};
    LIST_ENTRY head = {&head, &head}, empty = {&empty, &empty}, unset = {0, 0};
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct {
        IRP irp;
        IO_STACK_LOCATION locations[3];
    } packet = {0};

    for (int i = 0; i < 3; ++i) append(&head, &items[i].link);
    packet.irp.StackCount = 3;
    packet.irp.CurrentLocation = 2;
    packet.irp.PendingReturned = 1;
    packet.irp.IoStatus.Status = 0x103;
    packet.locations[2].MajorFunction = 3;
    packet.locations[2].DeviceObject = (PDEVICE_OBJECT)0x2000;
    packet.locations[1].MajorFunction = 14;
    packet.locations[1].MinorFunction = 5;
    packet.locations[1].DeviceObject = (PDEVICE_OBJECT)0x1000;
    packet.locations[1].CompletionRoutine = on_complete;
    stop_here();
    (void)name, (void)nothing, (void)narrow, (void)head, (void)empty, (void)unset, (void)items, (void)packet;
    return 0;
}
