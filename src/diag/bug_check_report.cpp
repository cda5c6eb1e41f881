#include "diag/blame.hpp"
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

    void circumstances() {
        const Blame blame = blame_for_stop(view_, frames_);
        if (blame.image != nullptr) field("Driver", driver_line(*blame.image, blame.device));
        if (blame.code != 0)
            field(blame.is_routine ? "Routine" : "Where", view_.code_text(blame.code, blame.is_return_address));
        if (blame.device != 0) field("Device", view_.device_text(blame.device));
        const ProcessorCopy* processor = find_processor();
        const bool in_dpc = processor != nullptr && processor->processor.in_dpc != 0;
        field("Processor",
              fmt::format("{}, at {}{}", stop_.processor, irql_text(stop_.irql), in_dpc ? ", in a DPC" : ""));
        field("Thread", view_.thread_label(number(stop_.thread)));
        field("Time", fmt::format("{} us", microseconds(view_.machine().now)));
    }

    // The image, and its driver object where the request leads to it.
    [[nodiscard]] std::string driver_line(const Image& image, std::uint64_t device) const {
        return view_.image_of_device(device) == &image
                   ? fmt::format("{} ({})", view_.driver_of_device(device), image.name)
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
