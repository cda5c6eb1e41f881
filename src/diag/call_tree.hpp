// The calls in a stretch of records, as a tree: a call's parent is the one that was under way on its thread.
#pragma once

#include "diag/recorder.hpp"

#include <cstddef>
#include <vector>

namespace dirql::diag {

class CallTree {
public:
    static constexpr std::size_t none = ~std::size_t{0};

    struct Call {
        std::size_t begin;      // index of the record
        std::size_t end = none; // none: it had not ended
        std::size_t parent = none;
    };

    explicit CallTree(const Records& records);

    [[nodiscard]] const Call& call(std::size_t number) const { return calls_[number]; }
    [[nodiscard]] std::size_t size() const noexcept { return calls_.size(); }
    // The call inside which a record happened; for one that begins or ends a call, that call.
    [[nodiscard]] std::size_t around(std::size_t record) const { return around_[record]; }
    // A DPC's work has nothing to do with the calls of the thread that it interrupted: its calls have no parent there.
    [[nodiscard]] std::size_t parent(std::size_t number) const { return calls_[number].parent; }

private:
    std::vector<Call> calls_;
    std::vector<std::size_t> around_;
};

} // namespace dirql::diag
