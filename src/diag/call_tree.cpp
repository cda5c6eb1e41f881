#include "diag/call_tree.hpp"

#include "diag/event_kinds.hpp"

#include <cstdint>
#include <unordered_map>

namespace dirql::diag {
namespace {

struct Flow {
    std::vector<std::size_t> open; // calls, innermost last
};

bool arbitrary_context(const Record& record) noexcept { return record.moment.in_dpc || record.moment.in_interrupt; }

} // namespace

CallTree::CallTree(const Records& records) {
    std::unordered_map<std::uint64_t, Flow> flows;
    std::unordered_map<std::uint32_t, std::size_t> by_number; // Record::call to the call's place here
    around_.reserve(records.size());
    // The innermost open call that a record can belong to.
    const auto innermost = [&](const Flow& flow, const Record& record) {
        if (flow.open.empty()) return none;
        const std::size_t last = flow.open.back();
        return arbitrary_context(record) == arbitrary_context(records[calls_[last].begin]) ? last : none;
    };
    for (std::size_t i = 0; i < records.size(); ++i) {
        const Record& record = records[i];
        Flow& flow = flows[record.moment.thread];
        if (begins_call(record.kind)) {
            calls_.push_back({.begin = i, .parent = innermost(flow, record)});
            by_number[record.call] = calls_.size() - 1;
            flow.open.push_back(calls_.size() - 1);
            around_.push_back(calls_.size() - 1);
        } else if (const auto ended = by_number.find(record.call); ends_call(record.kind) && ended != by_number.end()) {
            calls_[ended->second].end = i;
            while (!flow.open.empty() && flow.open.back() > ended->second) flow.open.pop_back();
            if (!flow.open.empty() && flow.open.back() == ended->second) flow.open.pop_back();
            around_.push_back(ended->second);
        } else {
            around_.push_back(innermost(flow, record));
        }
        if (record.kind == EventKind::thread_end) flow.open.clear();
    }
}

} // namespace dirql::diag
