# Breakpoints in a plug-in that a program loads, set before the program runs.
set pagination off
set breakpoint pending on
set confirm off
break DriverEntry
break Add
run

python
import gdb

def expect(what, found, wanted):
    if found != wanted:
        raise gdb.GdbError("Error: %s is %s and not %s" % (what, found, wanted))

def frames():
    frame, names = gdb.newest_frame(), []
    while frame is not None:
        names.append(frame.name())
        frame = frame.older()
    return names

def value(expression):
    return gdb.parse_and_eval(expression)

def at_entry():
    expect("the place", frames()[0], "DriverEntry")
    expect("DriverObject->DriverName", value("DriverObject->DriverName").format_string(symbols=False),
           r'L"\Driver\gdb_driver" (36 of 38 bytes)')

def in_dispatch():
    expect("the places", frames()[:2], ["Add", "Count"])
    expect("Length", int(value("Length")), 4)
    expect("Bytes", [int(value("Bytes[%d]" % i)) for i in range(4)], [1, 2, 3, 4])
    expect("Total", int(value("Total")), 100)
    gdb.execute("up", to_string=True)
    irp = value("*Irp").format_string(symbols=False)
    if "current = IRP_MJ_DEVICE_CONTROL device" not in irp:
        raise gdb.GdbError("Error: *Irp prints " + irp)
    line = gdb.selected_frame().find_sal()
    expect("the source", line.symtab.filename.endswith("driver.c"), True)

at_entry()
gdb.execute("continue")
in_dispatch()
gdb.execute("finish", to_string=True) # out of Count: into dirql, through its doors
gdb.execute("tbreak Unload")
gdb.execute("continue")
expect("the place", frames()[0], "Unload")
print("all that was expected")
end
kill
