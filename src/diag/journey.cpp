#include "diag/journey.hpp"

#include "diag/event_kinds.hpp"
#include "diag/journey_scope.hpp"
#include "diag/journey_words.hpp"
#include "diag/names.hpp"
#include "diag/text.hpp"
#include "diag/unicode.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

constexpr unsigned narrowest = 60;
constexpr unsigned deepest = 12; // levels of indentation; deeper calls stay there
constexpr std::string_view off = "\x1b[0m";
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view dim = "\x1b[2m";

std::string_view colour_of(KIRQL irql) noexcept {
    return irql == PASSIVE_LEVEL ? "\x1b[32m" : irql == APC_LEVEL ? "\x1b[33m" : "\x1b[31m";
}

// Lines of a table: time, IRQL, an indented sentence that may take several lines.
class Page {
public:
    explicit Page(const JourneyOptions& options)
        : colour_(options.colour), columns_(std::max(options.columns, narrowest)) {}

    void line(std::string_view text) { (text_ += text) += '\n'; }
    void bold_line(std::string_view text) { line(painted(bold, text)); }

    void heading(std::string_view text) {
        std::string rule = fmt::format("-- {} ", text);
        if (rule.size() < columns_) rule.append(columns_ - rule.size(), '-');
        bold_line(rule);
    }

    void row(const Moment& moment, unsigned depth, std::string_view sentence) {
        const std::string time = fmt::format("{:>11}", microseconds(moment.time));
        const std::string irql = fmt::format("{:<14}", irql_text(moment.irql));
        const std::string indent(2 * std::min(depth, deepest), ' ');
        text_ += fmt::format("{}  {}  {}", painted(dim, time), painted(colour_of(moment.irql), irql), indent);
        const std::size_t margin = time.size() + irql.size() + 4 + indent.size();
        wrapped(sentence, margin);
    }

    // Breaks at blanks; continuation lines stand a little deeper.
    void wrapped(std::string_view text, std::size_t margin) {
        const std::size_t room = columns_ > margin + 24 ? columns_ - margin : 24;
        std::size_t left = room;
        while (text.size() > left) {
            std::size_t end = text.rfind(' ', left);
            if (end == std::string_view::npos || end == 0) end = text.find(' ', left);
            if (end == std::string_view::npos) break;
            line(text.substr(0, end));
            text.remove_prefix(end + 1);
            text_.append(margin + 4, ' ');
            left = room - 4;
        }
        line(text);
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    [[nodiscard]] std::string painted(std::string_view paint, std::string_view text) const {
        return colour_ ? fmt::format("{}{}{}", paint, text, off) : std::string(text);
    }

    bool colour_;
    unsigned columns_;
    std::string text_;
};

std::string thread_text(const Record& record) {
    return record.thread_name.empty()
               ? fmt::format("thread {}", record.moment.thread)
               : fmt::format("thread {} {}", record.moment.thread, diag::quoted(record.thread_name));
}

std::string flow_text(const Record& record) {
    const Moment& moment = record.moment;
    if (!moment.in_dpc && !moment.in_interrupt)
        return fmt::format("on {}, processor {}", thread_text(record), moment.processor);
    return fmt::format("in {} on processor {}, which interrupted {}", moment.in_interrupt ? "an ISR" : "a DPC",
                       moment.processor, thread_text(record));
}

bool same_flow(const Moment& a, const Moment& b) noexcept {
    return a.thread == b.thread && a.processor == b.processor && a.in_dpc == b.in_dpc &&
           a.in_interrupt == b.in_interrupt;
}

class Journey {
public:
    Journey(const Records& records, std::uint32_t irp, const JourneyOptions& options)
        : all_(records), irp_(irp), calls_(records), scope_(records, calls_, irp), page_(options) {
        for (const Record& record : all_) {
            if (record.irp != irp_ || record.kind != EventKind::irp_call) continue;
            first_call_ = &record;
            break;
        }
    }

    [[nodiscard]] std::string text() {
        title();
        for (std::size_t i = 0; i < all_.size(); ++i) {
            if (scope_.has_record(i)) event(i);
        }
        ending();
        return page_.take();
    }

private:
    void title() {
        page_.bold_line(first_call_ == nullptr
                            ? fmt::format("The journey of irp#{}", irp_)
                            : fmt::format("The journey of irp#{}: {}", irp_, request_text(*first_call_)));
        if (first_call_ != nullptr && has_control_code(first_call_->major) && first_call_->code != 0) {
            page_.wrapped(
                fmt::format("Control code 0x{:X}: {}", first_call_->code, control_code_text(first_call_->code)), 0);
        }
        if (begins_earlier()) page_.line(dropped_text(all_));
        page_.line("");
        page_.line(fmt::format("{:>11}  {:<14}  {}", "time, us", "IRQL", "what happens"));
    }

    // May the IRP have been on its way before the first event that is kept?
    [[nodiscard]] bool begins_earlier() const {
        const auto first = std::ranges::find(all_, irp_, &Record::irp);
        return all_.dropped != 0 && (first == all_.end() || !begins_life(first->kind));
    }

    // Calls of the journey that are under way around this one.
    [[nodiscard]] unsigned depth_of(std::size_t call) const {
        unsigned depth = 0;
        for (std::size_t c = call; c != CallTree::none; c = calls_.parent(c)) {
            if (scope_.has_call(c)) depth += all_[calls_.call(c).begin].kind == EventKind::irp_completion ? 2 : 1;
        }
        return depth;
    }

    [[nodiscard]] unsigned depth_at(std::size_t index) const {
        const Record& record = all_[index];
        const std::size_t around = calls_.around(index);
        const bool edge = begins_call(record.kind) || ends_call(record.kind);
        const unsigned depth = depth_of(edge && around != CallTree::none ? calls_.parent(around) : around);
        // Completion routines are called from within IofCompleteRequest.
        const bool completion =
            record.kind == EventKind::irp_completion || record.kind == EventKind::irp_completion_return;
        return completion ? depth + 1 : depth;
    }

    void event(std::size_t index) {
        const Record& record = all_[index];
        const std::size_t around = calls_.around(index);
        const Circumstances where{around == CallTree::none ? nullptr : &all_[calls_.call(around).begin], first_call_};
        const std::string sentence = in_words(record, where);
        if (sentence.empty()) return;
        if (last_ == nullptr || !same_flow(last_->moment, record.moment)) page_.heading(flow_text(record));
        page_.row(record.moment, depth_at(index), sentence);
        last_ = &record;
    }

    void ending() {
        const Record* holder = nullptr; // the last driver called, while nobody has completed the IRP
        bool known = false;
        for (const Record& record : all_) {
            if (record.irp != irp_) continue;
            known = true;
            if (record.kind == EventKind::irp_call) holder = &record;
            if (record.kind == EventKind::irp_complete || record.kind == EventKind::irp_freed) holder = nullptr;
        }
        if (!known) page_.line(fmt::format("irp#{} does not occur in this trace.", irp_));
        if (holder == nullptr) return;
        page_.line("");
        page_.wrapped(fmt::format("Here the trace ends. {} has irp#{} and has not completed it.",
                                  holder->driver.empty() ? "A driver" : one_line(holder->driver), irp_),
                      0);
    }

    const Records& all_;
    std::uint32_t irp_;
    CallTree calls_;
    JourneyScope scope_;
    Page page_;
    const Record* first_call_ = nullptr;
    const Record* last_ = nullptr;
};

} // namespace

std::string journey(const Records& records, std::uint32_t irp, const JourneyOptions& options) {
    return Journey(records, irp, options).text();
}

std::optional<std::uint32_t> find_irp(const Records& records, std::uint8_t major, unsigned nth) {
    std::vector<std::uint32_t> seen;
    for (const Record& record : records) {
        if (record.kind != EventKind::irp_call || record.major != major ||
            std::ranges::find(seen, record.irp) != seen.end())
            continue;
        if (seen.size() == nth) return record.irp;
        seen.push_back(record.irp);
    }
    return std::nullopt;
}

} // namespace dirql::diag
