#include "diag/irp_view.hpp"

#include "diag/names.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

constexpr int most_locations = 32;

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

// "success error cancel": when its completion routine is to be called.
std::string control_text(UCHAR control) {
    std::string text;
    const auto add = [&](UCHAR bit, std::string_view name) {
        if ((control & bit) != 0) (text += text.empty() ? "" : " ") += name;
    };
    add(SL_PENDING_RETURNED, "pending");
    add(SL_INVOKE_ON_SUCCESS, "success");
    add(SL_INVOKE_ON_ERROR, "error");
    add(SL_INVOKE_ON_CANCEL, "cancel");
    return text;
}

bool unused(const IO_STACK_LOCATION& location) noexcept { return location.DeviceObject == nullptr; }

std::string state_text(const IRP& irp) {
    if (irp.CurrentLocation > irp.StackCount + 1) return "completed";
    if (irp.CurrentLocation == irp.StackCount + 1) return "not with any driver";
    return fmt::format("at location {} of {}", int{irp.CurrentLocation}, int{irp.StackCount});
}

std::string location_line(const MachineView& view, const IrpCopy& copy, std::size_t index) {
    const IO_STACK_LOCATION& location = copy.locations[index];
    const char mark = &location == current_location(copy) ? '>' : ' ';
    if (unused(location)) return fmt::format("  {} {:>2}  (not in use)\n", mark, index + 1);
    const std::uint64_t device = number(location.DeviceObject);
    const std::string routine =
        location.CompletionRoutine == nullptr
            ? std::string{}
            : ", completion " + view.code_text(reinterpret_cast<std::uint64_t>(location.CompletionRoutine), false);
    const std::string control = control_text(location.Control);
    return fmt::format("  {} {:>2}  {} at {}{}{}\n", mark, index + 1, request_text(location),
                       view.device_and_driver(device), control.empty() ? "" : ", " + control, routine);
}

} // namespace

std::optional<IrpCopy> copy_irp(const MachineView& view, std::uint64_t address) {
    const auto irp = view.object<IRP>(address);
    if (!irp || irp->Type != IO_TYPE_IRP) return std::nullopt;
    IrpCopy copy{address, *irp, {}};
    const int count = std::clamp(int{irp->StackCount}, 0, most_locations);
    for (int i = 0; i < count; ++i) {
        const auto location = view.object<IO_STACK_LOCATION>(address + sizeof(IRP) +
                                                             static_cast<std::size_t>(i) * sizeof(IO_STACK_LOCATION));
        if (!location) break;
        copy.locations.push_back(*location);
    }
    return copy;
}

const IO_STACK_LOCATION* current_location(const IrpCopy& copy) noexcept {
    const int current = copy.irp.CurrentLocation;
    return current >= 1 && static_cast<std::size_t>(current) <= copy.locations.size()
               ? &copy.locations[static_cast<std::size_t>(current) - 1]
               : nullptr;
}

std::string request_text(const IO_STACK_LOCATION& location) {
    const std::string function = function_text(location.MajorFunction, location.MinorFunction);
    const ULONG code = location.Parameters.DeviceIoControl.IoControlCode; // completion clears it
    return has_control_code(location.MajorFunction, location.MinorFunction) && code != 0
               ? fmt::format("{} 0x{:X}", function, code)
               : function;
}

std::string irp_summary(const MachineView& view, const IrpCopy& copy) {
    const IO_STACK_LOCATION* location = current_location(copy);
    if (location == nullptr || unused(*location))
        return fmt::format("IRP 0x{:X}, {}", copy.address, state_text(copy.irp));
    const std::uint64_t device = number(location->DeviceObject);
    const bool pending = (location->Control & SL_PENDING_RETURNED) != 0;
    return fmt::format("IRP 0x{:X} {} at {}, in the hands of {}{}{}", copy.address, request_text(*location),
                       view.device_text(device), view.driver_of_device(device), pending ? ", marked pending" : "",
                       copy.irp.Cancel ? ", cancelled" : "");
}

std::string irp_text(const MachineView& view, std::uint64_t address) {
    const auto copy = copy_irp(view, address);
    if (!copy) return fmt::format("IRP 0x{:X}: its memory holds no IRP any more\n", address);
    const IRP& irp = copy->irp;
    std::string text = fmt::format("IRP 0x{:X}, {}: {}, information 0x{:X}{}{}\n", address, state_text(irp),
                                   status_text(irp.IoStatus.Status), irp.IoStatus.Information,
                                   irp.PendingReturned ? ", pending returned" : "", irp.Cancel ? ", cancelled" : "");
    for (std::size_t i = copy->locations.size(); i-- != 0;) text += location_line(view, *copy, i);
    return text;
}

} // namespace dirql::diag
