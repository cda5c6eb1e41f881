// NtCreateFile and ZwCreateFile: what is checked, what drivers are shown, what comes back.
#include "closure_driver.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

struct Create {
    std::u16string_view name = u"\\Device\\D";
    ACCESS_MASK access = GENERIC_READ;
    ULONG options = 0;
    ULONG attributes = OBJ_CASE_INSENSITIVE;
    PVOID ea = nullptr;
    ULONG ea_length = 0;
    HANDLE root = nullptr;
    HANDLE handle = nullptr;
    IO_STATUS_BLOCK block{};

    // From an application.
    NTSTATUS nt() { return call(NtCreateFile); }
    // From a driver.
    NTSTATUS zw() { return call(ZwCreateFile); }

private:
    NTSTATUS call(decltype(NtCreateFile)* service) {
        UNICODE_STRING string = unicode(name);
        OBJECT_ATTRIBUTES object;
        InitializeObjectAttributes(&object, &string, attributes, root, nullptr);
        return service(&handle, access, &object, &block, nullptr, 0, 0, FILE_OPEN, options, ea, ea_length);
    }
};

// A device whose create routine each test says.
struct CreateLab : Lab {
    CreateLab() {
        load("d", [this](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\D", behaviour); });
        behaviour[IRP_MJ_CREATE] = [this](PDEVICE_OBJECT, PIRP irp) {
            const PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
            const PIO_SECURITY_CONTEXT context = location->Parameters.Create.SecurityContext;
            ++creates;
            desired = context->DesiredAccess;
            original = context->AccessState->OriginalDesiredAccess;
            remaining = context->AccessState->RemainingDesiredAccess;
            flags = location->Flags;
            ea_length = location->Parameters.Create.EaLength;
            file = location->FileObject;
            return complete(irp, result, information);
        };
        behaviour[IRP_MJ_CLEANUP] = [this](PDEVICE_OBJECT, PIRP irp) {
            note("cleanup");
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_CLOSE] = [this](PDEVICE_OBJECT, PIRP irp) {
            note("close");
            return complete(irp, STATUS_SUCCESS);
        };
    }
    void in_kernel(const std::function<void()>& body) { CHECK(machine.run_in_kernel(body).finished()); }
    Behaviour behaviour;
    NTSTATUS result = STATUS_SUCCESS;
    ULONG_PTR information = FILE_OPENED;
    unsigned creates = 0;
    ACCESS_MASK desired = 0;
    ACCESS_MASK original = 0;
    ACCESS_MASK remaining = 0;
    UCHAR flags = 0;
    ULONG ea_length = 0;
    PFILE_OBJECT file = nullptr;
};

using Journal = std::vector<std::string>;

} // namespace

TEST_CASE("a driver sees the rights of files, not generic ones, and none that nobody asked for") {
    CreateLab lab;
    lab.run([&](Process&) {
        Create both{.access = GENERIC_READ | GENERIC_WRITE};
        CHECK(both.nt() == STATUS_SUCCESS);
        constexpr ACCESS_MASK mapped = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
        CHECK(lab.desired == mapped);
        CHECK(lab.original == mapped);
        CHECK(lab.remaining == 0); // the device's descriptor has granted them
        Create least{.access = SYNCHRONIZE};
        CHECK(least.nt() == STATUS_SUCCESS);
        CHECK(lab.desired == SYNCHRONIZE);
        NtClose(both.handle);
        NtClose(least.handle);
    });
    // What CreateFile adds: a Win32 program can always ask for attributes and wait for its file.
    lab.run([&](Process& process) {
        CHECK(process.open("\\Device\\D", {.access = FILE_READ_DATA}));
        CHECK(lab.desired == (FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE));
    });
}

TEST_CASE("the case of a device's name never counts, and drivers are not told to mind it") {
    CreateLab lab;
    lab.run([&](Process&) {
        Create lower{.name = u"\\device\\d\\File", .attributes = 0};
        CHECK(lower.nt() == STATUS_SUCCESS);
        CHECK((lab.flags & SL_CASE_SENSITIVE) == 0);
        CHECK((lab.file->Flags & FO_OPENED_CASE_SENSITIVE) == 0);
        NtClose(lower.handle);
    });
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    lab.in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\device\\d");
        PFILE_OBJECT file = nullptr;
        PDEVICE_OBJECT device = nullptr;
        status = IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &device);
        if (NT_SUCCESS(status)) ObDereferenceObject(file);
    });
    CHECK(status == STATUS_SUCCESS);
}

TEST_CASE("an application's parameters are checked, a driver's are trusted") {
    CreateLab lab;
    lab.run([&](Process&) {
        Create create{.access = GENERIC_WRITE, .options = FILE_SYNCHRONOUS_IO_NONALERT};
        CHECK(create.nt() == STATUS_INVALID_PARAMETER); // GENERIC_WRITE comes to hold SYNCHRONIZE, and does not say so
    });
    CHECK(lab.creates == 0);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    lab.in_kernel([&] {
        Create create{
            .access = GENERIC_WRITE, .options = FILE_SYNCHRONOUS_IO_NONALERT, .attributes = OBJ_KERNEL_HANDLE};
        status = create.zw();
        if (NT_SUCCESS(status)) ZwClose(create.handle);
    });
    CHECK(status == STATUS_SUCCESS);
    CHECK(lab.creates == 1);
}

TEST_CASE("a directory is opened with the options that fit one; the two oplock options exclude each other") {
    CreateLab lab;
    lab.run([&](Process&) {
        const auto open = [](ULONG options) {
            Create create{.access = GENERIC_READ | SYNCHRONIZE | DELETE, .options = options};
            const NTSTATUS status = create.nt();
            if (NT_SUCCESS(status)) NtClose(create.handle);
            return status;
        };
        for (const ULONG fits :
             {FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT, FILE_WRITE_THROUGH, FILE_OPEN_FOR_BACKUP_INTENT,
              FILE_OPEN_BY_FILE_ID, FILE_DELETE_ON_CLOSE, FILE_OPEN_REPARSE_POINT}) {
            CHECK(open(FILE_DIRECTORY_FILE | fits) == STATUS_SUCCESS);
        }
        for (const ULONG wrong : {FILE_SEQUENTIAL_ONLY, FILE_RANDOM_ACCESS, FILE_NO_INTERMEDIATE_BUFFERING,
                                  FILE_NO_EA_KNOWLEDGE, FILE_RESERVE_OPFILTER}) {
            CHECK(open(FILE_DIRECTORY_FILE | wrong) == STATUS_INVALID_PARAMETER);
            CHECK(open(wrong) == STATUS_SUCCESS);
        }
        CHECK(open(FILE_COMPLETE_IF_OPLOCKED) == STATUS_SUCCESS);
        CHECK(open(FILE_COMPLETE_IF_OPLOCKED | FILE_RESERVE_OPFILTER) == STATUS_INVALID_PARAMETER);
    });
}

TEST_CASE(
    "a success of the driver's own is the service's too; a warning is written to the status block, an error is not") {
    CreateLab lab;
    lab.run([&](Process&) {
        lab.result = STATUS_OPLOCK_BREAK_IN_PROGRESS;
        Create success;
        CHECK(success.nt() == STATUS_OPLOCK_BREAK_IN_PROGRESS);
        CHECK(success.block.Status == STATUS_OPLOCK_BREAK_IN_PROGRESS);
        CHECK(NtClose(success.handle) == STATUS_SUCCESS);
        lab.result = STATUS_DEVICE_BUSY;
        lab.information = 77;
        Create warning;
        CHECK(warning.nt() == STATUS_DEVICE_BUSY);
        CHECK(warning.block.Status == STATUS_DEVICE_BUSY);
        CHECK(warning.block.Information == 77);
        lab.result = STATUS_SHARING_VIOLATION;
        Create error;
        error.block.Information = 5;
        CHECK(error.nt() == STATUS_SHARING_VIOLATION);
        CHECK(error.block.Information == 5);
    });
    CHECK(lab.journal == Journal{"cleanup", "close"});
}

namespace {

// One entry of a list of extended attributes; `next` as it stands in the list.
std::string entry(ULONG next, std::string_view name, std::string_view value) {
    FILE_FULL_EA_INFORMATION header{};
    header.NextEntryOffset = next;
    header.EaNameLength = static_cast<UCHAR>(name.size());
    header.EaValueLength = static_cast<USHORT>(value.size());
    std::string bytes(reinterpret_cast<const char*>(&header), offsetof(FILE_FULL_EA_INFORMATION, EaName));
    bytes.append(name).push_back('\0');
    return bytes.append(value);
}

std::string padded(std::string bytes) {
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
    return bytes;
}

} // namespace

TEST_CASE("extended attributes reach the driver when their list is right, and no length without a list") {
    const std::string one = entry(0, "A", "value");
    const std::string two = padded(entry(16, "A", "value")) + entry(0, "BC", "");
    std::string unended = one;
    unended[9] = 'x';
    const struct {
        std::string list;
        NTSTATUS status;
        ULONG offset;
    } cases[] = {
        {one, STATUS_SUCCESS, 0},
        {two, STATUS_SUCCESS, 0},
        {one.substr(0, one.size() - 1), STATUS_EA_LIST_INCONSISTENT, 0},
        {two.substr(0, two.size() - 1), STATUS_EA_LIST_INCONSISTENT, 16},
        {padded(entry(16, "A", "value")), STATUS_EA_LIST_INCONSISTENT, 16}, // the next one lies outside
        {padded(entry(20, "A", "value")) + entry(0, "BC", ""), STATUS_EA_LIST_INCONSISTENT, 0},
        {unended, STATUS_EA_LIST_INCONSISTENT, 0},
        {std::string(4, '\0'), STATUS_EA_LIST_INCONSISTENT, 0},
    };
    CreateLab lab;
    for (const auto& c : cases) {
        lab.ea_length = 0;
        lab.run([&](Process&) {
            char on_user_stack[64];
            std::memcpy(on_user_stack, c.list.data(), c.list.size());
            Create create{.ea = on_user_stack, .ea_length = static_cast<ULONG>(c.list.size())};
            CHECK(create.nt() == c.status);
            CHECK(create.block.Status == c.status);
            CHECK(create.block.Information == (NT_SUCCESS(c.status) ? FILE_OPENED : c.offset));
            NtClose(create.handle);
        });
        CHECK(lab.ea_length == (NT_SUCCESS(c.status) ? c.list.size() : 0));
        NTSTATUS checked = STATUS_UNSUCCESSFUL;
        ULONG offset = 0;
        std::string copy = c.list;
        lab.in_kernel([&] {
            checked = IoCheckEaBufferValidity(reinterpret_cast<PFILE_FULL_EA_INFORMATION>(copy.data()),
                                              static_cast<ULONG>(copy.size()), &offset);
        });
        CHECK(checked == c.status);
        if (!NT_SUCCESS(checked)) CHECK(offset == c.offset);
    }
    lab.run([&](Process&) {
        Create create{.ea_length = 40};
        CHECK(create.nt() == STATUS_SUCCESS);
        CHECK(lab.ea_length == 0);
        NtClose(create.handle);
    });
}

TEST_CASE("STATUS_REPARSE opens the name that the driver has put into the file object instead") {
    CreateLab lab;
    Behaviour other;
    std::string seen;
    other[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
        seen.assign(file->FileName.Length / sizeof(WCHAR), '?');
        for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = static_cast<char>(file->FileName.Buffer[i]);
        if (file->RelatedFileObject != nullptr) seen += " (related)";
        return complete(irp, STATUS_SUCCESS, FILE_OPENED);
    };
    lab.load("o", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Other", other); });
    std::u16string_view target = u"\\Device\\Other\\elsewhere";
    lab.behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
        if (file->FileName.Length == 0) return complete(irp, STATUS_SUCCESS);
        ExFreePool(file->FileName.Buffer);
        const auto bytes = static_cast<USHORT>(target.size() * sizeof(char16_t));
        file->FileName = {bytes, bytes, static_cast<PWSTR>(ExAllocatePoolZero(PagedPool, bytes, 0x656D614E))};
        std::memcpy(file->FileName.Buffer, target.data(), bytes);
        return complete(irp, STATUS_REPARSE, lab.information);
    };
    lab.information = IO_REPARSE;
    lab.run([&](Process&) {
        Create create{.name = u"\\Device\\D\\here"};
        CHECK(create.nt() == STATUS_SUCCESS);
        CHECK(seen == "\\elsewhere");
        NtClose(create.handle);
        Create root;
        CHECK(root.nt() == STATUS_SUCCESS);
        Create child{.name = u"below", .root = root.handle};
        CHECK(child.nt() == STATUS_SUCCESS);
        CHECK(seen == "\\elsewhere");
        NtClose(child.handle);
        NtClose(root.handle);
        target = u"\\Device\\D\\round and round";
        Create loop{.name = u"\\Device\\D\\here"};
        CHECK(loop.nt() == STATUS_OBJECT_NAME_NOT_FOUND);
        lab.information = 0xA000'000C; // a tag that nobody here knows
        Create tagged{.name = u"\\Device\\D\\here"};
        CHECK(tagged.nt() == STATUS_IO_REPARSE_TAG_NOT_HANDLED);
    });
    CHECK(lab.journal == Journal{"cleanup", "close"}); // of the root alone
}

TEST_CASE("a file knows that a handle was made for it; one whose handle could not be made is cleaned up all the same") {
    CreateLab lab;
    bool before = true;
    bool after = false;
    const Dispatch create = lab.behaviour[IRP_MJ_CREATE];
    lab.behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT device, PIRP irp) {
        before = (IoGetCurrentIrpStackLocation(irp)->FileObject->Flags & FO_HANDLE_CREATED) != 0;
        return create(device, irp);
    };
    lab.run([&](Process&) {
        Create good;
        CHECK(good.nt() == STATUS_SUCCESS);
        after = (lab.file->Flags & FO_HANDLE_CREATED) != 0;
        NtClose(good.handle);
        lab.journal.clear();
        Create exclusive{.attributes = OBJ_EXCLUSIVE};
        CHECK(exclusive.nt() == STATUS_INVALID_PARAMETER);
    });
    CHECK(!before);
    CHECK(after);
    CHECK(lab.creates == 2);
    CHECK(lab.journal == Journal{"cleanup", "close"});
}
