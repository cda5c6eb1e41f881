// Requests whose thread ends before them: cancelled and waited for, but for those whose end a completion port tells.
#include "closure_driver.hpp"

#include "../../src/io/services.hpp"

#include <cstring>
#include <optional>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr ULONG finish_one = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS);

// Reads are pended until a control request, a cancel or a cleanup completes them.
struct LeftLab : Lab {
    static LeftLab* current;
    static constexpr char text[] = "left";

    explicit LeftLab(ULONG device_flags = DO_BUFFERED_IO) {
        current = this;
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) {
            IoMarkIrpPending(irp);
            pended.push_back(irp);
            IoSetCancelRoutine(irp, [](PDEVICE_OBJECT, PIRP cancelled) {
                IoReleaseCancelSpinLock(cancelled->CancelIrql);
                current->note("cancel");
                std::erase(current->pended, cancelled);
                complete(cancelled, STATUS_CANCELLED);
            });
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_DEVICE_CONTROL] = [this](PDEVICE_OBJECT, PIRP irp) {
            if (!pended.empty()) finish(pended.front());
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_CREATE] = [this](PDEVICE_OBJECT, PIRP irp) {
            IoGetCurrentIrpStackLocation(irp)->FileObject->Flags |= file_flags;
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_CLEANUP] = [this](PDEVICE_OBJECT, PIRP irp) {
            note("cleanup");
            if (cleans_up) {
                while (!pended.empty()) finish(pended.front());
            }
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_CLOSE] = [this](PDEVICE_OBJECT, PIRP irp) {
            note("close");
            return complete(irp, STATUS_SUCCESS);
        };
        driver = load("left", [this, device_flags](PDRIVER_OBJECT loaded) {
            return create_device(loaded, u"\\Device\\Left", behaviour, device_flags);
        });
    }
    void finish(PIRP irp) {
        std::erase(pended, irp);
        IoSetCancelRoutine(irp, nullptr);
        owner = IoGetRequestorProcess(irp);
        void* to = irp->MdlAddress != nullptr ? MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority)
                                              : irp->AssociatedIrp.SystemBuffer;
        std::memcpy(to, text, sizeof text);
        complete(irp, STATUS_SUCCESS, sizeof text);
    }
    Behaviour behaviour;
    std::vector<PIRP> pended;
    ULONG file_flags = 0;
    bool cleans_up = false;
    PEPROCESS owner = nullptr;
    std::optional<Driver> driver;
};
LeftLab* LeftLab::current = nullptr;

// What a request needs for as long as it lasts: in the application's memory, not on a thread's stack.
struct Place {
    IO_STATUS_BLOCK block;
    char buffer[16];
};
Place* make_place() {
    PVOID base = nullptr;
    SIZE_T size = sizeof(Place);
    CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) ==
          STATUS_SUCCESS);
    return static_cast<Place*>(base);
}

HANDLE open_left() {
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name = unicode(u"\\Device\\Left");
    InitializeObjectAttributes(&attributes, &name, 0, nullptr, nullptr);
    HANDLE file = nullptr;
    IO_STATUS_BLOCK block{};
    CHECK(NtCreateFile(&file, GENERIC_READ | GENERIC_WRITE, &attributes, &block, nullptr, 0, 7, FILE_OPEN, 0, nullptr,
                       0) == STATUS_SUCCESS);
    return file;
}
HANDLE make_port(HANDLE file) {
    HANDLE port = nullptr;
    CHECK(NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, nullptr, 0) == STATUS_SUCCESS);
    FILE_COMPLETION_INFORMATION information{port, reinterpret_cast<PVOID>(std::uintptr_t{7})};
    IO_STATUS_BLOCK block{};
    CHECK(NtSetInformationFile(file, &block, &information, sizeof information, FileCompletionInformation) ==
          STATUS_SUCCESS);
    return port;
}
void read_in_a_thread(Process& process, HANDLE file, Place& place, PIO_APC_ROUTINE routine = nullptr) {
    Thread thread = process.start_thread([&] {
        LARGE_INTEGER at{};
        CHECK(NtReadFile(file, nullptr, routine, routine == nullptr ? &place : nullptr, &place.block, place.buffer,
                         sizeof place.buffer, &at, nullptr) == STATUS_PENDING);
    });
    thread.join();
}
NTSTATUS take(HANDLE port, Place*& place, IO_STATUS_BLOCK& block) {
    PVOID key = nullptr;
    LARGE_INTEGER soon{.QuadPart = -10'000};
    const NTSTATUS status = NtRemoveIoCompletion(port, &key, reinterpret_cast<PVOID*>(&place), &block, &soon);
    if (status == STATUS_SUCCESS) CHECK(key == reinterpret_cast<PVOID>(std::uintptr_t{7}));
    return status;
}
void control(HANDLE file) {
    IO_STATUS_BLOCK block{};
    CHECK(NtDeviceIoControlFile(file, nullptr, nullptr, nullptr, &block, finish_one, nullptr, 0, nullptr, 0) ==
          STATUS_SUCCESS);
}

const std::vector<std::string> closed{"cleanup", "close"};

void check_gone(LeftLab& lab, const Outcome& outcome) {
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(lab.pended.empty());
    CHECK(lab.machine.unload(*lab.driver).value() == Unload::unloaded);
}

} // namespace

TEST_CASE("a request on a file with a completion port outlives its thread") {
    LeftLab lab;
    const Outcome outcome = lab.run([&](Process& process) {
        HANDLE file = open_left();
        HANDLE port = make_port(file);
        Place* places[3];
        for (Place*& place : places) read_in_a_thread(process, file, *(place = make_place()));
        CHECK(lab.pended.size() == 3);
        CHECK(lab.journal.empty());
        for (Place* expected : places) {
            CHECK(expected->block.Information == 0);
            control(file);
            Place* place = nullptr;
            IO_STATUS_BLOCK block{};
            CHECK(take(port, place, block) == STATUS_SUCCESS);
            CHECK(place == expected);
            CHECK(block.Status == STATUS_SUCCESS);
            CHECK(block.Information == sizeof LeftLab::text);
            CHECK(std::strcmp(expected->buffer, LeftLab::text) == 0); // copied back in the process of the issuer
            CHECK(expected->block.Information == sizeof LeftLab::text);
        }
        CHECK(lab.owner != nullptr);
        CHECK(lab.journal.empty());
        NtClose(file);
        CHECK(lab.journal == closed);
        NtClose(port);
    });
    check_gone(lab, outcome);
}

TEST_CASE("a left request may be completed in another process, and reaches its own") {
    LeftLab lab;
    const Outcome outcome = lab.run([&](Process& process) {
        HANDLE file = open_left();
        HANDLE port = make_port(file);
        Place* place = make_place();
        read_in_a_thread(process, file, *place);
        (void)process.start_process([&](Process&) {
            HANDLE own = open_left();
            control(own);
            NtClose(own);
        });
        Place* taken = nullptr;
        IO_STATUS_BLOCK block{};
        CHECK(take(port, taken, block) == STATUS_SUCCESS);
        CHECK(taken == place);
        CHECK(std::strcmp(place->buffer, LeftLab::text) == 0);
        NtClose(file);
        NtClose(port);
    });
    check_gone(lab, outcome);
}

TEST_CASE("other requests are cancelled when their thread ends") {
    LeftLab lab;
    const auto cancelled_once = [&](Process& process, HANDLE file, PIO_APC_ROUTINE routine) {
        lab.journal.clear();
        Place* place = make_place();
        read_in_a_thread(process, file, *place, routine);
        CHECK(lab.pended.empty());
        CHECK(lab.journal == std::vector<std::string>{"cancel"});
        CHECK(place->block.Status == STATUS_CANCELLED);
    };
    const Outcome outcome = lab.run([&](Process& process) {
        HANDLE file = open_left();
        cancelled_once(process, file, nullptr); // no port
        const PIO_APC_ROUTINE routine = [](PVOID, PIO_STATUS_BLOCK, ULONG) {};
        cancelled_once(process, file, routine);
        NtClose(file);
        lab.file_flags = FO_QUEUE_IRP_TO_THREAD; // a driver may say so
        file = open_left();
        HANDLE port = make_port(file);
        cancelled_once(process, file, nullptr);
        Place* place = nullptr;
        IO_STATUS_BLOCK block{};
        CHECK(take(port, place, block) == STATUS_SUCCESS); // of the end there is word all the same
        CHECK(block.Status == STATUS_CANCELLED);
        NtClose(file);
        NtClose(port);
    });
    check_gone(lab, outcome);
}

TEST_CASE("NtCancelIoFileEx finds what ended threads have left, NtCancelIoFile does not") {
    LeftLab lab;
    const Outcome outcome = lab.run([&](Process& process) {
        HANDLE file = open_left();
        HANDLE port = make_port(file);
        Place* first = make_place();
        Place* second = make_place();
        read_in_a_thread(process, file, *first);
        read_in_a_thread(process, file, *second);
        IO_STATUS_BLOCK block{};
        CHECK(NtCancelIoFile(file, &block) == STATUS_SUCCESS);
        CHECK(lab.pended.size() == 2);
        CHECK(NtCancelIoFileEx(file, &second->block, &block) == STATUS_SUCCESS);
        Place* place = nullptr;
        CHECK(take(port, place, block) == STATUS_SUCCESS);
        CHECK(place == second);
        CHECK(block.Status == STATUS_CANCELLED);
        CHECK(NtCancelIoFileEx(file, &second->block, &block) == STATUS_NOT_FOUND);
        CHECK(NtCancelIoFileEx(file, nullptr, &block) == STATUS_SUCCESS);
        CHECK(take(port, place, block) == STATUS_SUCCESS);
        CHECK(place == first);
        NtClose(file);
        NtClose(port);
    });
    check_gone(lab, outcome);
    CHECK(lab.journal == std::vector<std::string>{"cancel", "cancel", "cleanup", "close"});
}

TEST_CASE("what is left when a process ends is cleaned up by its driver, or cancelled") {
    for (const bool cleans_up : {true, false}) {
        for (const bool direct : {false, true}) {
            LeftLab lab(direct ? DO_DIRECT_IO : DO_BUFFERED_IO);
            lab.cleans_up = cleans_up;
            const Outcome outcome = lab.run([&](Process& process) {
                HANDLE file = open_left();
                make_port(file);
                read_in_a_thread(process, file, *make_place());
                LARGE_INTEGER at{};
                Place* own = make_place(); // and by the last thread itself
                CHECK(NtReadFile(file, nullptr, nullptr, own, &own->block, own->buffer, sizeof own->buffer, &at,
                                 nullptr) == STATUS_PENDING);
            });
            check_gone(lab, outcome);
            CHECK(lab.journal ==
                  (cleans_up ? closed : std::vector<std::string>{"cleanup", "cancel", "cancel", "close"}));
        }
    }
}

TEST_CASE("a driver that neither cleans up nor cancels holds a process's end up for five minutes") {
    LeftLab lab;
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        lab.pended.push_back(irp);
        return pend(irp);
    };
    const Outcome outcome = lab.run([&](Process& process) {
        HANDLE file = open_left();
        make_port(file);
        read_in_a_thread(process, file, *make_place());
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    REQUIRE(lab.pended.size() == 1);
    CHECK(lab.pended[0]->Cancel);
    lab.machine.run_in_kernel([&] { complete(lab.pended[0], STATUS_SUCCESS, 1); }); // nobody hears of it
    CHECK(lab.journal == closed);
    CHECK(lab.machine.unload(*lab.driver).value() == Unload::unloaded);
}
