#include "diag/bug_check_meaning.hpp"
#include "diag/irp_view.hpp"
#include "diag/machine_view.hpp"
#include "diag/names.hpp"
#include "diag/report.hpp"
#include "diag/stack_view.hpp"
#include "diag/text.hpp"
#include "diag/unicode.hpp"
#include "ke/nt_address.hpp"
#include "ke/stop.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

// "an IRP was completed" as a sentence.
std::string sentence(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    if (!text.empty() && text.back() != '.') text += '.';
    return text;
}

class BugCheckReport {
public:
    BugCheckReport(const ke::Machine& machine, Symbolizer& symbolizer)
        : view_(machine, symbolizer), stop_(machine.stop), meaning_(bug_check_meaning(stop_.code)),
          frames_(frames_of_stop(view_)) {}

    [[nodiscard]] std::string text() {
        headline();
        rule();
        circumstances();
        irp();
        parameters();
        stack();
        return std::move(text_);
    }

private:
    void field(std::string_view label, std::string_view value) {
        if (!value.empty()) text_ += fmt::format("{:<11}{}\n", label, value);
    }

    void headline() {
        const std::string_view name = bug_check_name(stop_.code);
        const auto& p = stop_.parameters;
        text_ += fmt::format("*** STOP: 0x{:08X} {}{}(0x{:X}, 0x{:X}, 0x{:X}, 0x{:X})\n", stop_.code, name,
                             name.empty() ? "" : " ", p[0], p[1], p[2], p[3]);
    }

    void rule() {
        std::string broken = view_.memory().text(stop_.rule);
        if (broken.empty()) broken = meaning_ != nullptr ? meaning_->rule : "a driver stopped the system";
        text_ += fmt::format("\n{}\n\n", sentence(broken));
        const std::string document = view_.memory().text(stop_.document);
        field("Document", !document.empty() ? document
                          : meaning_ == nullptr
                              ? ""
                              : fmt::format("Bug Check 0x{:X}: {}", stop_.code, bug_check_name(stop_.code)));
        const std::string detail = field_text(stop_.text, sizeof stop_.text);
        if (detail != document) field("Concerns", detail.substr(detail.rfind('/') + 1));
    }

    // Rules on what a routine left behind are checked after its return, when it is on no stack: parameter 2 names it, or
    // the device whose dispatch routine it was. Of a DPC that waits it is the DPC. 0 for all other rules.
    [[nodiscard]] std::uint64_t blamed_routine() const {
        const auto& p = stop_.parameters;
        if (stop_.code == DRIVER_VERIFIER_DETECTED_VIOLATION) return view_.image_at(p[1]) != nullptr ? p[1] : 0;
        if (stop_.code == ATTEMPTED_SWITCH_FROM_DPC) return dpc_routine(p[1]);
        if (stop_.code != DRIVER_VERIFIER_IOMANAGER_VIOLATION) return 0;
        constexpr std::uint64_t irql_left_raised = 0x05;
        constexpr std::array<std::uint64_t, 4> returned_wrongly = {0x225, 0x226, 0x23D, 0x23E};
        if (p[0] == irql_left_raised) return dispatch_routine();
        return std::ranges::find(returned_wrongly, p[0]) != returned_wrongly.end() ? p[1] : 0;
    }

    // What a driver left behind when it was unloaded, say.
    [[nodiscard]] std::uint64_t routine_among_parameters() const {
        const auto& p = stop_.parameters;
        const auto found =
            std::ranges::find_if(p, [&](std::uint64_t value) { return view_.image_at(value) != nullptr; });
        return found == std::end(p) ? 0 : *found;
    }

    [[nodiscard]] std::uint64_t dpc_routine(std::uint64_t address) const {
        const auto dpc = view_.object<KDPC>(address);
        const auto routine = dpc ? reinterpret_cast<std::uint64_t>(dpc->DeferredRoutine) : 0;
        return view_.image_at(routine) != nullptr ? routine : 0;
    }

    // Of the device in question, for the IRP in question, as long as the IRP still knows.
    [[nodiscard]] std::uint64_t dispatch_routine() const {
        const auto irp = copy_irp(view_, number(stop_.irp));
        const auto device = view_.object<DEVICE_OBJECT>(number(stop_.device));
        const auto driver = device ? view_.object<DRIVER_OBJECT>(number(device->DriverObject)) : std::nullopt;
        if (!irp || !driver) return 0;
        const auto mine = std::ranges::find(irp->locations, stop_.device, &IO_STACK_LOCATION::DeviceObject);
        if (mine == irp->locations.end() || mine->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION) return 0;
        const auto routine = reinterpret_cast<std::uint64_t>(driver->MajorFunction[mine->MajorFunction]);
        return view_.image_at(routine) != nullptr ? routine : 0;
    }

    void circumstances() {
        const std::size_t inner = innermost_driver_frame(view_, frames_);
        const bool on_stack = inner < frames_.size();
        const std::uint64_t blamed = blamed_routine();
        const std::uint64_t routine = blamed == 0 && !on_stack ? routine_among_parameters() : blamed;
        const std::uint64_t code = routine != 0 ? routine : on_stack ? frames_[inner] : 0;
        const std::uint64_t device = device_in_question(code);
        if (const Image* image = view_.image_at(code)) field("Driver", driver_line(*image, device));
        if (code != 0)
            field(routine != 0 ? "Routine" : "Where",
                  view_.code_text(code, routine == 0 && is_return_address(view_, frames_, inner)));
        if (device != 0) field("Device", view_.device_text(device));
        const ProcessorCopy* processor = find_processor();
        const bool in_dpc = processor != nullptr && processor->processor.in_dpc != 0;
        field("Processor",
              fmt::format("{}, at {}{}", stop_.processor, irql_text(stop_.irql), in_dpc ? ", in a DPC" : ""));
        field("Thread", view_.thread_label(number(stop_.thread)));
        field("Time", fmt::format("{} us", microseconds(view_.machine().now)));
    }

    // Where the rule speaks of an IRP alone, it is the device whose driver the code belongs to, as the IRP still knows
    // it. The innermost of them: locations of lower drivers come first.
    [[nodiscard]] std::uint64_t device_in_question(std::uint64_t code) const {
        if (stop_.device != nullptr) return number(stop_.device);
        const auto irp = copy_irp(view_, number(stop_.irp));
        const Image* image = view_.image_at(code);
        if (!irp || image == nullptr) return 0;
        const auto found = std::ranges::find_if(irp->locations, [&](const IO_STACK_LOCATION& location) {
            return image_of_device(number(location.DeviceObject)) == image;
        });
        return found == irp->locations.end() ? 0 : number(found->DeviceObject);
    }

    // That of its driver's DriverEntry.
    [[nodiscard]] const Image* image_of_device(std::uint64_t address) const {
        const auto device = view_.object<DEVICE_OBJECT>(address);
        const auto driver = device ? view_.object<DRIVER_OBJECT>(number(device->DriverObject)) : std::nullopt;
        return driver ? view_.image_at(reinterpret_cast<std::uint64_t>(driver->DriverInit)) : nullptr;
    }

    // The image, and its driver object where the request leads to it.
    [[nodiscard]] std::string driver_line(const Image& image, std::uint64_t device) const {
        return image_of_device(device) == &image ? fmt::format("{} ({})", view_.driver_of_device(device), image.name)
                                                 : image.name;
    }

    [[nodiscard]] const ProcessorCopy* find_processor() const {
        const auto& all = view_.processors();
        return stop_.processor < all.size() ? &all[stop_.processor] : nullptr;
    }

    void irp() {
        if (stop_.irp != nullptr) text_ += '\n' + irp_text(view_, number(stop_.irp));
    }

    void parameters() {
        text_ += "\nParameters\n";
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint64_t value = stop_.parameters[i];
            const std::string_view known = meaning_ != nullptr ? meaning_->parameters[i] : std::string_view{};
            const std::string what = view_.image_at(value) != nullptr ? view_.code_text(value, false)
                                     : i == 0                         ? status_of_exception()
                                                                      : kernel_code_text(value);
            const std::string_view comma = known.empty() || what.empty() ? "" : ": ";
            std::string line = fmt::format("  {}  0x{:<14X}  {}{}{}", i + 1, value, known, comma, what);
            line.erase(line.find_last_not_of(' ') + 1);
            text_ += line + '\n';
        }
    }

    // "nt!KeSetEvent", or nothing.
    [[nodiscard]] std::string kernel_code_text(std::uint64_t value) const {
        const auto code = ke::behind_reported_address(view_.machine(), value);
        if (!code) return {};
        const std::string_view name = view_.symbolizer().export_at(number(*code));
        return name.empty() ? "nt" : fmt::format("nt!{}", name);
    }

    [[nodiscard]] std::string status_of_exception() const {
        const bool exception = stop_.code == KMODE_EXCEPTION_NOT_HANDLED || stop_.code == SYSTEM_SERVICE_EXCEPTION ||
                               stop_.code == SYSTEM_THREAD_EXCEPTION_NOT_HANDLED;
        return exception ? status_text(static_cast<NTSTATUS>(stop_.parameters[0])) : std::string{};
    }

    void stack() {
        const std::string lines = stack_text(view_, frames_);
        if (!lines.empty()) text_ += "\nStack of the drivers' code, innermost first\n" + lines;
    }

    MachineView view_;
    const ke::Stop& stop_;
    const BugCheckMeaning* meaning_;
    Frames frames_;
    std::string text_;
};

} // namespace

std::string bug_check_report(const ke::Machine& machine, Symbolizer& symbolizer) {
    return BugCheckReport(machine, symbolizer).text();
}

std::string stop_report(const ke::Machine& machine, Symbolizer& symbolizer) {
    switch (machine.stop.kind) {
    case ke::StopKind::bug_check: return bug_check_report(machine, symbolizer);
    case ke::StopKind::stall: return stall_report(machine, symbolizer);
    default: return {};
    }
}

} // namespace dirql::diag
