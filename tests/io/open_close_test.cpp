// IRP_MJ_CREATE, IRP_MJ_CLEANUP and IRP_MJ_CLOSE: what they carry, and when they come.
#include "closure_driver.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

std::string narrow(const UNICODE_STRING& string) {
    std::string text;
    for (unsigned i = 0; i < string.Length / 2u; ++i)
        text += static_cast<char>(reinterpret_cast<const char16_t*>(string.Buffer)[i]);
    return text;
}

PIO_STACK_LOCATION current(PIRP irp) { return IoGetCurrentIrpStackLocation(irp); }

// Writes each of the three down, with the file's name.
void keep_journal(Lab& lab, Behaviour& behaviour) {
    const std::pair<unsigned, const char*> kinds[] = {
        {IRP_MJ_CREATE, "create"}, {IRP_MJ_CLEANUP, "cleanup"}, {IRP_MJ_CLOSE, "close"}};
    for (const auto& [major, name] : kinds) {
        behaviour[major] = [&lab, name = name](PDEVICE_OBJECT, PIRP irp) {
            lab.note(name + std::string(" ") + narrow(current(irp)->FileObject->FileName));
            return complete(irp, STATUS_SUCCESS);
        };
    }
}

NTSTATUS open(HANDLE* handle, std::u16string_view name, HANDLE root = nullptr,
              ULONG options = FILE_SYNCHRONOUS_IO_NONALERT) {
    UNICODE_STRING string = unicode(name);
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE, root, nullptr);
    IO_STATUS_BLOCK block{};
    return NtCreateFile(handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attributes, &block, nullptr, 0, 0,
                        FILE_OPEN, options, nullptr, 0);
}

using Journal = std::vector<std::string>;

constexpr ULONG duplicate_same_access = 2;

} // namespace

TEST_CASE("one open and close is create, cleanup, close, in that order") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\D").value();
        lab.note("opened");
        CHECK(file.close() == STATUS_SUCCESS);
        lab.note("closed");
    });
    CHECK(lab.journal == Journal{"create ", "opened", "cleanup ", "close ", "closed"});
}

TEST_CASE("cleanup comes with the last handle, close with the last reference") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    PFILE_OBJECT kept = nullptr;
    behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        kept = current(irp)->FileObject;
        ObReferenceObject(kept);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\D").value();
        HANDLE twin = nullptr;
        CHECK(NtDuplicateObject(NtCurrentProcess(), file.handle(), NtCurrentProcess(), &twin, 0, 0,
                                duplicate_same_access) == STATUS_SUCCESS);
        file.device_control(0x222000);
        file.close();
        lab.note("first handle closed");
        CHECK(NtClose(twin) == STATUS_SUCCESS);
        lab.note("last handle closed");
    });
    lab.machine.run_in_kernel([&] { ObDereferenceObject(kept); });
    lab.note("last reference dropped");
    CHECK(lab.journal == Journal{"create ", "first handle closed", "cleanup ", "last handle closed", "close ",
                                 "last reference dropped"});
}

TEST_CASE("a process that ends closes what it left open") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process&) {
        HANDLE handle = nullptr;
        CHECK(open(&handle, u"\\Device\\D\\left") == STATUS_SUCCESS);
    });
    CHECK(lab.journal == Journal{"create \\left", "cleanup \\left", "close \\left"});
}

TEST_CASE("what follows the device's name is the driver's business") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process& process) {
        CHECK(process.open("\\Device\\D\\dir\\file.txt"));
        CHECK(process.open("\\device\\d\\"));
        CHECK(process.open("\\Device\\D2").error().status == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    CHECK(lab.journal == Journal{"create \\dir\\file.txt", "cleanup \\dir\\file.txt", "close \\dir\\file.txt",
                                 "create \\", "cleanup \\", "close \\"});
}

TEST_CASE("a relative open names a file below an open one, which need not stay open for it") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    PFILE_OBJECT root_file = nullptr;
    PFILE_OBJECT child_file = nullptr;
    bool related = false;
    bool still_related = true;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        PFILE_OBJECT file = current(irp)->FileObject;
        lab.note("create " + narrow(file->FileName));
        if (file->RelatedFileObject == nullptr) {
            root_file = file;
        } else {
            related = file->RelatedFileObject == root_file;
            child_file = file;
        }
        return complete(irp, STATUS_SUCCESS);
    };
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process&) {
        HANDLE root = nullptr;
        HANDLE child = nullptr;
        CHECK(open(&root, u"\\Device\\D\\root") == STATUS_SUCCESS);
        CHECK(open(&child, u"child", root) == STATUS_SUCCESS);
        still_related = child_file->RelatedFileObject != nullptr;
        CHECK(NtClose(root) == STATUS_SUCCESS);
        CHECK(NtClose(child) == STATUS_SUCCESS);
    });
    CHECK(related);
    CHECK(!still_related); // the field is for the create request
    CHECK(lab.journal ==
          Journal{"create \\root", "create child", "cleanup \\root", "close \\root", "cleanup child", "close child"});
}

TEST_CASE("the create request says what the caller asked for") {
    Lab lab;
    Behaviour behaviour;
    IO_STACK_LOCATION seen{};
    ACCESS_MASK desired = 0;
    LONGLONG allocation = 0;
    std::string attributes_name;
    std::string ea;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        seen = *current(irp);
        desired = seen.Parameters.Create.SecurityContext->DesiredAccess;
        allocation = irp->Overlay.AllocationSize.QuadPart;
        auto* list = static_cast<PFILE_FULL_EA_INFORMATION>(irp->AssociatedIrp.SystemBuffer);
        ea.assign(list->EaName, seen.Parameters.Create.EaLength - offsetof(FILE_FULL_EA_INFORMATION, EaName));
        return complete(irp, STATUS_SUCCESS, FILE_CREATED);
    };
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    IO_STATUS_BLOCK block{};
    lab.run([&](Process&) {
        IO_STATUS_BLOCK on_user_stack{};
        UNICODE_STRING name = unicode(u"\\Device\\D\\x");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        LARGE_INTEGER size;
        size.QuadPart = 12345;
        struct {
            FILE_FULL_EA_INFORMATION header;
            char more[8];
        } extra{};
        extra.header.EaNameLength = 4;
        extra.header.EaValueLength = 4;
        std::memcpy(reinterpret_cast<char*>(&extra) + offsetof(FILE_FULL_EA_INFORMATION, EaName), "name\0val", 9);
        HANDLE handle = nullptr;
        CHECK(NtCreateFile(&handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &on_user_stack, &size,
                           FILE_ATTRIBUTE_HIDDEN, FILE_SHARE_DELETE, FILE_OPEN_IF,
                           FILE_SYNCHRONOUS_IO_NONALERT | FILE_SEQUENTIAL_ONLY, &extra,
                           offsetof(FILE_FULL_EA_INFORMATION, EaName) + 9) == STATUS_SUCCESS);
        block = on_user_stack;
    });
    CHECK(seen.Parameters.Create.Options >> 24 == FILE_OPEN_IF);
    CHECK((seen.Parameters.Create.Options & 0xFFFFFF) == (FILE_SYNCHRONOUS_IO_NONALERT | FILE_SEQUENTIAL_ONLY));
    CHECK(seen.Parameters.Create.FileAttributes == FILE_ATTRIBUTE_HIDDEN);
    CHECK(seen.Parameters.Create.ShareAccess == FILE_SHARE_DELETE);
    CHECK((desired & FILE_READ_DATA) != 0);
    CHECK((desired & FILE_WRITE_DATA) == 0);
    CHECK(allocation == 12345);
    CHECK(ea == std::string("name\0val", 9));
    CHECK(block.Status == STATUS_SUCCESS);
    CHECK(block.Information == FILE_CREATED);
}

TEST_CASE("a create that the driver fails leaves no file: no cleanup, no close") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    bool pending = false;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) -> NTSTATUS {
        lab.note("create");
        if (!pending) return complete(irp, STATUS_SHARING_VIOLATION);
        IoMarkIrpPending(irp);
        complete(irp, STATUS_SHARING_VIOLATION);
        return STATUS_PENDING;
    };
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    for (const bool pended : {false, true}) {
        pending = pended;
        lab.run(
            [&](Process& process) { CHECK(process.open("\\Device\\D").error().status == STATUS_SHARING_VIOLATION); });
    }
    CHECK(lab.journal == Journal{"create", "create"});
}

TEST_CASE("a create that the driver pends is waited for, and its Information comes back") {
    Lab lab;
    Behaviour behaviour;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        IoMarkIrpPending(irp);
        complete(irp, STATUS_SUCCESS, FILE_OVERWRITTEN);
        return STATUS_PENDING;
    };
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process&) {
        UNICODE_STRING name = unicode(u"\\Device\\D");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        IO_STATUS_BLOCK block{};
        HANDLE handle = nullptr;
        CHECK(NtOpenFile(&handle, GENERIC_READ, &attributes, &block, 0, 0) == STATUS_SUCCESS);
        CHECK(block.Information == FILE_OVERWRITTEN);
    });
}

TEST_CASE("an exclusive device is open once at a time, but for opens relative to that one") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    lab.load("d",
             [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour, 0, nullptr, TRUE); });
    lab.run([&](Process& process) {
        File first = process.open("\\Device\\D").value();
        CHECK(process.open("\\Device\\D").error().status == STATUS_ACCESS_DENIED);
        HANDLE child = nullptr;
        CHECK(open(&child, u"child", first.handle()) == STATUS_SUCCESS);
        CHECK(NtClose(child) == STATUS_SUCCESS);
        first.close();
        CHECK(process.open("\\Device\\D"));
    });
}

TEST_CASE("a device that is still being set up cannot be opened") {
    Lab lab;
    Behaviour behaviour;
    PDEVICE_OBJECT late = nullptr;
    PDRIVER_OBJECT self = nullptr;
    lab.load("d", [&](PDRIVER_OBJECT driver) {
        self = driver;
        return create_device(driver, u"\\Device\\D", behaviour);
    });
    lab.machine.run_in_kernel([&] { create_device(self, u"\\Device\\Late", behaviour, 0, &late); });
    lab.run([&](Process& process) {
        CHECK(process.open("\\Device\\D")); // made in DriverEntry: ready when that has returned
        CHECK(process.open("\\Device\\Late").error().status == STATUS_NO_SUCH_DEVICE);
        late->Flags &= ~DO_DEVICE_INITIALIZING;
        CHECK(process.open("\\Device\\Late"));
    });
}

TEST_CASE("invalid combinations of NtCreateFile reach no driver") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    lab.load("d", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
    lab.run([&](Process&) {
        UNICODE_STRING name = unicode(u"\\Device\\D");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        IO_STATUS_BLOCK block{};
        HANDLE handle = nullptr;
        const auto create = [&](ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options) {
            return NtCreateFile(&handle, access, &attributes, &block, nullptr, 0, share, disposition, options, nullptr,
                                0);
        };
        CHECK(create(GENERIC_READ, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT) ==
              STATUS_INVALID_PARAMETER); // without SYNCHRONIZE
        CHECK(create(GENERIC_READ | SYNCHRONIZE, 0, FILE_OPEN,
                     FILE_SYNCHRONOUS_IO_NONALERT | FILE_SYNCHRONOUS_IO_ALERT) == STATUS_INVALID_PARAMETER);
        CHECK(create(GENERIC_READ, 0, FILE_MAXIMUM_DISPOSITION + 1, 0) == STATUS_INVALID_PARAMETER);
        CHECK(create(GENERIC_READ, 0x80, FILE_OPEN, 0) == STATUS_INVALID_PARAMETER);
        CHECK(create(GENERIC_READ, 0, FILE_OPEN, FILE_DELETE_ON_CLOSE) == STATUS_INVALID_PARAMETER); // without DELETE
        CHECK(create(GENERIC_READ, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE) ==
              STATUS_INVALID_PARAMETER);
        CHECK(NtCreateFile(nullptr, GENERIC_READ, &attributes, &block, nullptr, 0, 0, FILE_OPEN, 0, nullptr, 0) ==
              STATUS_ACCESS_VIOLATION);
        CHECK(NtCreateFile(&handle, GENERIC_READ, &attributes, nullptr, nullptr, 0, 0, FILE_OPEN, 0, nullptr, 0) ==
              STATUS_ACCESS_VIOLATION);
        CHECK(NtCreateFile(&handle, GENERIC_READ, nullptr, &block, nullptr, 0, 0, FILE_OPEN, 0, nullptr, 0) < 0);
    });
    CHECK(lab.journal.empty());
}

TEST_CASE("names that are taken, and symbolic links to devices") {
    Lab lab;
    Behaviour behaviour;
    keep_journal(lab, behaviour);
    NTSTATUS again = 0;
    NTSTATUS link = 0;
    NTSTATUS link_again = 0;
    lab.load("d", [&](PDRIVER_OBJECT driver) {
        const NTSTATUS status = create_device(driver, u"\\Device\\D", behaviour);
        again = create_device(driver, u"\\DEVICE\\d", behaviour);
        UNICODE_STRING name = unicode(u"\\DosDevices\\Dee");
        UNICODE_STRING target = unicode(u"\\Device\\D");
        link = IoCreateSymbolicLink(&name, &target);
        link_again = IoCreateSymbolicLink(&name, &target);
        return status;
    });
    CHECK(again == STATUS_OBJECT_NAME_COLLISION);
    CHECK(link == STATUS_SUCCESS);
    CHECK(link_again == STATUS_OBJECT_NAME_COLLISION);
    lab.run([&](Process& process) { CHECK(process.open("\\\\.\\Dee\\below")); });
    CHECK(lab.journal == Journal{"create \\below", "cleanup \\below", "close \\below"});
    NTSTATUS deleted = 0;
    NTSTATUS deleted_again = 0;
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\DosDevices\\Dee");
        deleted = IoDeleteSymbolicLink(&name);
        deleted_again = IoDeleteSymbolicLink(&name);
    });
    CHECK(deleted == STATUS_SUCCESS);
    CHECK(deleted_again == STATUS_OBJECT_NAME_NOT_FOUND);
    lab.run(
        [&](Process& process) { CHECK(process.open("\\\\.\\Dee").error().status == STATUS_OBJECT_NAME_NOT_FOUND); });
}
