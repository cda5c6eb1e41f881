// Controllers: one device's at a time.
#include "closure_driver.hpp"

#include <cstring>
#include <utility>

using namespace dirql;
using namespace dirql::test;
using Journal = std::vector<std::string>;

namespace {

// Three devices that share a controller. Each device's number is in its extension's place of the IRP: CurrentIrp.
struct ControllerLab : Lab {
    ControllerLab() {
        instance = this;
        load("c", [this](PDRIVER_OBJECT driver) {
            for (PDEVICE_OBJECT& device : devices) {
                create_device(driver, nullptr, behaviour, 0, &device);
                device->CurrentIrp = reinterpret_cast<PIRP>(&device);
            }
            driver->DriverUnload = [](PDRIVER_OBJECT object) {
                IoDeleteController(instance->controller);
                delete_all_devices(object);
            };
            return STATUS_SUCCESS;
        });
        machine.run_in_kernel([this] { controller = IoCreateController(40); });
    }
    void allocate(int which) { IoAllocateController(controller, devices[which], control, &answers[which]); }
    static IO_ALLOCATION_ACTION NTAPI control(PDEVICE_OBJECT device, PIRP irp, PVOID base, PVOID context) {
        const auto which = reinterpret_cast<PDEVICE_OBJECT*>(irp) - instance->devices;
        instance->arguments_right &= instance->devices[which] == device && base == nullptr &&
                                     context == &instance->answers[which] && KeGetCurrentIrql() == DISPATCH_LEVEL;
        instance->note(std::to_string(which));
        return *static_cast<IO_ALLOCATION_ACTION*>(context);
    }
    static inline ControllerLab* instance;
    Behaviour behaviour;
    PCONTROLLER_OBJECT controller = nullptr;
    PDEVICE_OBJECT devices[3] = {};
    IO_ALLOCATION_ACTION answers[3] = {KeepObject, KeepObject, KeepObject};
    bool arguments_right = true;
};

} // namespace

TEST_CASE("a controller is one device's at a time, in the order of asking") {
    ControllerLab lab;
    lab.machine.run_in_kernel([&] {
        CHECK(lab.controller->Type == IO_TYPE_CONTROLLER);
        for (int i = 0; i < 40; ++i) CHECK(static_cast<char*>(lab.controller->ControllerExtension)[i] == 0);
        const AtDispatch raised;
        lab.allocate(1);
        CHECK(lab.journal == Journal{"1"});
        lab.allocate(0);
        lab.allocate(2);
        CHECK(lab.journal == Journal{"1"});
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"1", "0"});
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"1", "0", "2"});
        IoFreeController(lab.controller);
        lab.allocate(0); // it was free
        CHECK(lab.journal == Journal{"1", "0", "2", "0"});
        IoFreeController(lab.controller);
    });
    CHECK(lab.arguments_right);
    CHECK(lab.machine.outcome().finished());
}

TEST_CASE("a routine that answers DeallocateObject passes the controller on at once") {
    ControllerLab lab;
    lab.machine.run_in_kernel([&] {
        const AtDispatch raised;
        lab.answers[0] = lab.answers[1] = DeallocateObject;
        lab.allocate(0);
        lab.allocate(1);
        CHECK(lab.journal == Journal{"0", "1"});
        lab.allocate(2);
        lab.allocate(0);
        lab.allocate(1);
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"0", "1", "2", "0", "1"});
        lab.allocate(2);
        CHECK(lab.journal.size() == 6);
    });
}
