// Which records belong to the journey of one IRP.
#pragma once

#include "diag/call_tree.hpp"

#include <cstdint>
#include <vector>

namespace dirql::diag {

class JourneyScope {
public:
    JourneyScope(const Records& records, const CallTree& calls, std::uint32_t irp);

    [[nodiscard]] bool has_record(std::size_t index) const { return records_in_[index]; }
    [[nodiscard]] bool has_call(std::size_t call) const { return call != CallTree::none && calls_in_[call]; }

private:
    void take_own();
    void take_calls_around(std::size_t index);
    void take_causes();
    void take_cause_of_dpc(std::size_t begin);
    void take_apc_before(std::size_t index);
    void take_circumstances();

    const Records& all_;
    const CallTree& calls_;
    std::uint32_t irp_;
    std::vector<bool> records_in_;
    std::vector<bool> calls_in_;
};

} // namespace dirql::diag
