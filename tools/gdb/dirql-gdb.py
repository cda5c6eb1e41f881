"""gdb for drivers: source it, or start as `gdb -x tools/gdb/dirql-gdb.py PROGRAM`.

- Signals that a machine handles pass by (signals.gdb).
- UNICODE_STRING, ANSI_STRING, LIST_ENTRY and IRP print as what they mean; `print/r` shows the bare structure.
- `dirql-list HEAD TYPE FIELD` prints every TYPE linked through its LIST_ENTRY named FIELD.
- A driver's symbols arrive with the driver: `break DriverEntry` works before its plug-in is loaded.
"""

import os

import gdb
import gdb.printing

MAX_LIST = 4096

MAJOR_FUNCTIONS = """CREATE CREATE_NAMED_PIPE CLOSE READ WRITE QUERY_INFORMATION SET_INFORMATION QUERY_EA SET_EA
FLUSH_BUFFERS QUERY_VOLUME_INFORMATION SET_VOLUME_INFORMATION DIRECTORY_CONTROL FILE_SYSTEM_CONTROL DEVICE_CONTROL
INTERNAL_DEVICE_CONTROL SHUTDOWN LOCK_CONTROL CLEANUP CREATE_MAILSLOT QUERY_SECURITY SET_SECURITY POWER
SYSTEM_CONTROL DEVICE_CHANGE QUERY_QUOTA SET_QUOTA PNP""".split()


def major_name(code):
    return "IRP_MJ_" + MAJOR_FUNCTIONS[code] if code < len(MAJOR_FUNCTIONS) else "IRP_MJ 0x%02x" % code


class CountedString:
    """Length and MaximumLength count bytes; there may be no terminator."""

    def __init__(self, value, encoding, prefix):
        self.value, self.encoding, self.prefix = value, encoding, prefix

    def to_string(self):
        length, maximum = int(self.value["Length"]), int(self.value["MaximumLength"])
        counts = "(%d of %d bytes)" % (length, maximum)
        address = int(self.value["Buffer"])
        if not address:
            return "null " + counts
        try:
            data = gdb.selected_inferior().read_memory(address, length).tobytes()
        except gdb.MemoryError:
            return "unreadable at 0x%x %s" % (address, counts)
        return '%s"%s" %s' % (self.prefix, data.decode(self.encoding, "replace"), counts)


def walk(head):
    """The addresses of a list's entries. Raises ValueError where a link does not lead back."""
    link = head.type.pointer()
    start = int(head.address)
    previous, current = start, int(head["Flink"])
    while current != start:
        entry = gdb.Value(current).cast(link).dereference()
        if int(entry["Blink"]) != previous:
            raise ValueError("broken at 0x%x: its Blink is 0x%x, not 0x%x" % (current, int(entry["Blink"]), previous))
        yield current
        previous, current = current, int(entry["Flink"])


class ListHead:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        if not int(self.value["Flink"]):
            return "list not initialised"
        count = 0
        try:
            for _ in walk(self.value):
                count += 1
                if count > MAX_LIST:
                    return "list of more than %d entries" % MAX_LIST
        except (ValueError, gdb.MemoryError) as error:
            return "list %s, after %d entries" % (error, count)
        return "empty list" if not count else "list of %d %s" % (count, "entry" if count == 1 else "entries")


class Irp:
    def __init__(self, value):
        self.value = value
        self.count, self.current = int(value["StackCount"]), int(value["CurrentLocation"])

    def location(self, number):
        """Stack locations lie behind the IRP; the highest belongs to the top of the device stack."""
        first = (self.value.address + 1).cast(gdb.lookup_type("struct _IO_STACK_LOCATION").pointer())
        return first + (number - 1)

    def to_string(self):
        flags = [name for name, field in (("pending", "PendingReturned"), ("cancelled", "Cancel")) if int(self.value[field])]
        status = int(self.value["IoStatus"]["Status"]) & 0xFFFFFFFF
        where = "completed" if self.current > self.count + 1 else "at location %d of %d" % (self.current, self.count)
        return ", ".join(["IRP " + where, "status 0x%08x" % status] + flags)

    def children(self):
        for number in range(self.count, 0, -1):
            location = self.location(number)
            text = major_name(int(location["MajorFunction"]))
            if int(location["MinorFunction"]):
                text += " minor 0x%02x" % int(location["MinorFunction"])
            text += " device 0x%x" % int(location["DeviceObject"])
            routine = int(location["CompletionRoutine"])
            if routine:
                block = gdb.block_for_pc(routine)
                name = block.function.name if block and block.function else "0x%x" % routine
                text += " completion " + name
            yield ("[%d]%s" % (number, " current" if number == self.current else ""), text)


PRINTERS = {
    "_UNICODE_STRING": lambda value: CountedString(value, "utf-16-le", "L"),
    "_STRING": lambda value: CountedString(value, "latin-1", ""),
    "_LIST_ENTRY": ListHead,
    "_IRP": Irp,
}


def find_printer(value):
    kind = value.type.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_STRUCT or kind.tag not in PRINTERS or value.address is None:
        return None
    return PRINTERS[kind.tag](value)


class ListCommand(gdb.Command):
    """dirql-list HEAD TYPE FIELD: print each TYPE on the list whose LIST_ENTRY member is FIELD."""

    def __init__(self):
        super().__init__("dirql-list", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) < 3:
            raise gdb.GdbError("usage: dirql-list HEAD TYPE FIELD")
        head, kind, field = gdb.parse_and_eval(words[0]), " ".join(words[1:-1]), words[-1]
        if head.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            head = head.dereference()
        offset = int(gdb.parse_and_eval("(unsigned long)&((%s *)0)->%s" % (kind, field)))
        record = gdb.lookup_type(kind).pointer()
        try:
            for index, address in enumerate(walk(head)):
                value = gdb.Value(address - offset).cast(record)
                print("[%d] 0x%x %s" % (index, address - offset, value.dereference().format_string()))
        except ValueError as error:
            raise gdb.GdbError("the list is %s" % error)


class ImageLoaded(gdb.Breakpoint):
    """dirql_image_loaded(path, base): the driver's symbols, before its first instruction runs."""

    def stop(self):
        writable = int(gdb.parse_and_eval("(unsigned long)&dirql_code_stays_writable"))
        gdb.selected_inferior().write_memory(writable, b"\x01")
        path = gdb.parse_and_eval("(char *)$rdi").string()
        gdb.execute('add-symbol-file "%s" -o 0x%x' % (path, int(gdb.parse_and_eval("$rsi"))), to_string=True)
        return False


class ImageUnloaded(gdb.Breakpoint):
    def stop(self):
        base = int(gdb.parse_and_eval("$rdi"))
        try:
            # gdb knows an image by an address within its code; the ELF header names one, the entry point.
            entry = int.from_bytes(gdb.selected_inferior().read_memory(base + 24, 8).tobytes(), "little")
            gdb.execute("remove-symbol-file -a 0x%x" % (base + entry), to_string=True)
        except gdb.error:
            pass  # loaded before this script was
        return False


gdb.execute("source " + os.path.join(os.path.dirname(os.path.abspath(__file__)), "signals.gdb"), to_string=True)
gdb.pretty_printers.append(find_printer)
ListCommand()


def watch_images(_event=None):
    """Once the library is there, and only once: a breakpoint on what is not there yet makes gdb complain."""
    if gdb.lookup_global_symbol("dirql_image_loaded") is None:
        return
    ImageLoaded("dirql_image_loaded", internal=True)
    ImageUnloaded("dirql_image_unloaded", internal=True)
    gdb.events.new_objfile.disconnect(watch_images)


gdb.events.new_objfile.connect(watch_images)
watch_images()
