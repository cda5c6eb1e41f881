#include "diag/blame.hpp"

#include "diag/bug_check_meaning.hpp"
#include "diag/irp_view.hpp"
#include "ke/stop.hpp"

#include <algorithm>

namespace dirql::diag {
namespace {

constexpr std::uint64_t irql_left_raised = 0x05; // of DRIVER_VERIFIER_IOMANAGER_VIOLATION
constexpr std::uint64_t pool_left_behind = 0x62; // of DRIVER_VERIFIER_DETECTED_VIOLATION

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

class Inquiry {
public:
    Inquiry(const MachineView& view, const Frames& frames) : view_(view), stop_(view.machine().stop), frames_(frames) {}

    [[nodiscard]] Blame answer() const {
        Blame blame;
        if (const std::uint64_t routine = culprit()) {
            blame = {view_.image_at(routine), routine, true, false, 0};
        } else if (leaves_no_routine()) {
            blame.image = image_of_rule();
        } else if (const std::size_t inner = innermost_driver_frame(view_, frames_); inner < frames_.size()) {
            blame = {view_.image_at(frames_[inner]), frames_[inner], false, is_return_address(view_, frames_, inner),
                     0};
        } else if (const std::uint64_t named = routine_among_parameters()) {
            blame = {view_.image_at(named), named, true, false, 0};
        }
        blame.device = device_in_question(blame);
        if (blame.image == nullptr) blame.image = view_.image_of_device(number(stop_.device));
        return blame;
    }

private:
    [[nodiscard]] bool is(std::uint32_t code, std::uint64_t rule) const noexcept {
        return stop_.code == code && stop_.parameters[0] == rule;
    }

    // Rules on what a routine left behind are checked after its return, when it is on no stack: parameter 2 names it, or
    // the device whose dispatch routine it was. Of a DPC that waits it is the DPC. 0 for all other rules.
    [[nodiscard]] std::uint64_t culprit() const {
        const auto& p = stop_.parameters;
        if (is_routine_at_fault(stop_.code, p[0])) return driver_code(p[1]);
        if (stop_.code == ATTEMPTED_SWITCH_FROM_DPC) return dpc_routine(p[1]);
        return is(DRIVER_VERIFIER_IOMANAGER_VIOLATION, irql_left_raised) ? dispatch_routine() : 0;
    }

    // The stack is then that of whoever called the driver, or unloaded it, unless it is the driver's all the same.
    [[nodiscard]] bool leaves_no_routine() const {
        const Image* image = image_of_rule();
        const std::size_t inner = innermost_driver_frame(view_, frames_);
        return image != nullptr && (inner == frames_.size() || view_.image_at(frames_[inner]) != image);
    }

    [[nodiscard]] const Image* image_of_rule() const {
        if (is(DRIVER_VERIFIER_IOMANAGER_VIOLATION, irql_left_raised))
            return view_.image_of_device(number(stop_.device));
        if (is(DRIVER_VERIFIER_DETECTED_VIOLATION, pool_left_behind))
            return view_.image_named(field_text(stop_.text, sizeof stop_.text));
        return nullptr;
    }

    [[nodiscard]] std::uint64_t driver_code(std::uint64_t address) const noexcept {
        return view_.image_at(address) != nullptr ? address : 0;
    }

    // What a driver left behind when it was unloaded, say.
    [[nodiscard]] std::uint64_t routine_among_parameters() const {
        const auto& p = stop_.parameters;
        const auto found = std::ranges::find_if(p, [&](std::uint64_t value) { return driver_code(value) != 0; });
        return found == std::end(p) ? 0 : *found;
    }

    [[nodiscard]] std::uint64_t dpc_routine(std::uint64_t address) const {
        const auto dpc = view_.object<KDPC>(address);
        return dpc ? driver_code(reinterpret_cast<std::uint64_t>(dpc->DeferredRoutine)) : 0;
    }

    // Of the device in question, for the IRP in question, as long as the IRP still knows.
    [[nodiscard]] std::uint64_t dispatch_routine() const {
        const auto irp = copy_irp(view_, number(stop_.irp));
        const auto device = view_.object<DEVICE_OBJECT>(number(stop_.device));
        const auto driver = device ? view_.object<DRIVER_OBJECT>(number(device->DriverObject)) : std::nullopt;
        if (!irp || !driver) return 0;
        const auto mine = std::ranges::find(irp->locations, stop_.device, &IO_STACK_LOCATION::DeviceObject);
        if (mine == irp->locations.end() || mine->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION) return 0;
        return driver_code(reinterpret_cast<std::uint64_t>(driver->MajorFunction[mine->MajorFunction]));
    }

    // Where the rule speaks of an IRP alone, it is the device whose driver is to blame, as the IRP still knows it. The
    // innermost of them: locations of lower drivers come first.
    [[nodiscard]] std::uint64_t device_in_question(const Blame& blame) const {
        if (stop_.device != nullptr) return number(stop_.device);
        const auto irp = copy_irp(view_, number(stop_.irp));
        if (!irp || blame.image == nullptr) return 0;
        const auto found = std::ranges::find_if(irp->locations, [&](const IO_STACK_LOCATION& location) {
            return view_.image_of_device(number(location.DeviceObject)) == blame.image;
        });
        return found == irp->locations.end() ? 0 : number(found->DeviceObject);
    }

    const MachineView& view_;
    const ke::Stop& stop_;
    const Frames& frames_;
};

} // namespace

Blame blame_for_stop(const MachineView& view, const Frames& frames) { return Inquiry(view, frames).answer(); }

std::string blamed_driver(const ke::Machine& machine, Symbolizer& symbolizer) {
    const MachineView view(machine, symbolizer);
    const Blame blame = blame_for_stop(view, frames_of_stop(view));
    return blame.image == nullptr ? std::string() : blame.image->name;
}

} // namespace dirql::diag
