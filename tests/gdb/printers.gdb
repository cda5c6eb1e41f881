# What each printer must say, said in gdb: the output is compared where it is made.
set pagination off
break stop_here
run
up

python
import gdb

def expect(expression, text, style=None):
    value = gdb.parse_and_eval(expression)
    shown = value.format_string(symbols=False)
    if shown != text:
        raise gdb.GdbError("Error: %s prints\n%s\nand not\n%s" % (expression, shown, text))

expect("name", 'L"\\Device\\Gdb" (22 of 24 bytes)')
expect("nothing", "null (0 of 0 bytes)")
expect("narrow", '"abc" (3 of 4 bytes)')
expect("empty", "empty list")
expect("head", "list of 3 entries")
expect("unset", "list not initialised")
expect("packet.irp", 'IRP at location 2 of 3, status 0x00000103, pending = {[3] = IRP_MJ_READ device 0x2000, '
       '[2] current = IRP_MJ_DEVICE_CONTROL minor 0x05 device 0x1000 completion on_complete, '
       '[1] = IRP_MJ_CREATE device 0x0}')
listed = gdb.execute("dirql-list head struct item link", to_string=True).splitlines()
numbers = [line[line.index("number = "):].split(",")[0] for line in listed]
if numbers != ["number = 1", "number = 2", "number = 3"]:
    raise gdb.GdbError("Error: dirql-list prints %s" % listed)
gdb.execute("set var items[1].link.Blink = 0")
if not gdb.parse_and_eval("head").format_string().startswith("list broken at"):
    raise gdb.GdbError("Error: a broken list goes unnoticed")
signals = gdb.execute("info signals SIGSEGV", to_string=True)
if signals.split("\n")[1].split()[1:4] != ["No", "No", "Yes"]:
    raise gdb.GdbError("Error: SIGSEGV is the debugger's: " + signals)
print("all that was expected")
end
kill
