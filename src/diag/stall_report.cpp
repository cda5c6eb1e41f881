#include "diag/machine_view.hpp"
#include "diag/names.hpp"
#include "diag/report.hpp"
#include "diag/stack_view.hpp"
#include "diag/text.hpp"
#include "diag/wait_view.hpp"
#include "ke/stop.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

std::string indented(const std::string& lines, std::string_view indent) {
    std::string text;
    for (std::size_t begin = 0; begin < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', begin), lines.size());
        text += fmt::format("{}{}\n", indent, std::string_view(lines).substr(begin, end - begin));
        begin = end + 1;
    }
    return text;
}

class StallReport {
public:
    StallReport(const ke::Machine& machine, Symbolizer& symbolizer) : view_(machine, symbolizer), stop_(machine.stop) {}

    [[nodiscard]] std::string text() {
        const std::string why = view_.memory().text(stop_.rule);
        text_ = fmt::format("*** STALL: {}\n", why.empty() ? "the machine cannot go on" : why);
        text_ += fmt::format("\nAt {} us of virtual time.\n", microseconds(view_.machine().now));
        if (const std::string circles = deadlocks_text(view_); !circles.empty()) text_ += '\n' + circles;
        threads();
        processors();
        return std::move(text_);
    }

private:
    void threads() {
        text_ += "\nThreads\n";
        bool any = false;
        for (const ThreadCopy& thread : view_.threads()) {
            if (view_.is_idle(thread) || thread.thread.state == ke::ThreadState::terminated) continue;
            one_thread(thread);
            any = true;
        }
        if (!any) text_ += "  none\n";
    }

    void one_thread(const ThreadCopy& thread) {
        const std::vector<IrpCopy> requests = requests_of(view_, thread);
        text_ += fmt::format("  {}: {}\n", view_.thread_text(thread.address), state_text(thread, requests));
        for (const IrpCopy& request : requests) text_ += fmt::format("    request: {}\n", irp_summary(view_, request));
        text_ += indented(stack_text(view_, frames_of_thread(thread)), "    ");
    }

    [[nodiscard]] std::string state_text(const ThreadCopy& thread, const std::vector<IrpCopy>& requests) const {
        switch (thread.thread.state) {
        case ke::ThreadState::waiting: return wait_text(view_, thread, requests);
        case ke::ThreadState::ready: return "is ready to run";
        case ke::ThreadState::running: return "runs";
        default: return "has not started";
        }
    }

    // A DPC runs on a stack of its own: what the stop has recorded is then not the thread's.
    [[nodiscard]] Frames frames_of_thread(const ThreadCopy& thread) const {
        const bool stopped_here = number(stop_.thread) == thread.address && stop_.frame_count != 0;
        return stopped_here ? frames_of_stop(view_) : frames_of(view_, thread.thread);
    }

    void processors() {
        text_ += "\nProcessors\n";
        for (const ProcessorCopy& copy : view_.processors()) {
            const ke::Processor& processor = copy.processor;
            const ThreadCopy* thread = view_.thread_at(number(processor.current));
            const bool idle = thread != nullptr && view_.is_idle(*thread);
            text_ += fmt::format("  {}: {}, {}{}{}\n", processor.number, irql_text(processor.irql),
                                 idle ? "idle" : fmt::format("runs {}", view_.thread_text(number(processor.current))),
                                 processor.in_dpc != 0 ? ", in a DPC" : "",
                                 thread != nullptr ? spin_text(thread->thread.awaited_lock) : "");
            spin_locks(processor);
            if (idle && processor.in_dpc != 0) text_ += indented(stack_text(view_, frames_of_thread(*thread)), "    ");
        }
    }

    [[nodiscard]] std::string spin_text(PKSPIN_LOCK lock) const {
        if (lock == nullptr) return {};
        std::string text = fmt::format(", spins for spin lock 0x{:X}", number(lock));
        for (const ProcessorCopy& copy : view_.processors()) {
            const std::span held(copy.processor.held.lock, locks_known(copy.processor));
            if (std::ranges::find(held, lock) != held.end())
                text += fmt::format(", which processor {} holds", copy.processor.number);
        }
        return text;
    }

    [[nodiscard]] static unsigned locks_known(const ke::Processor& processor) noexcept {
        return std::min<unsigned>(processor.held.count, ke::HeldLocks::capacity);
    }

    void spin_locks(const ke::Processor& processor) {
        for (unsigned i = 0; i < locks_known(processor); ++i)
            text_ += fmt::format("    holds spin lock 0x{:X}\n", number(processor.held.lock[i]));
    }

    MachineView view_;
    const ke::Stop& stop_;
    std::string text_;
};

} // namespace

std::string stall_report(const ke::Machine& machine, Symbolizer& symbolizer) {
    return StallReport(machine, symbolizer).text();
}

} // namespace dirql::diag
