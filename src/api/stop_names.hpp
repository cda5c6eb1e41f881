// Names for a stop's report: code by debug information, exports by the export table, devices by the namespace.
#pragma once

#include "diag/guarded_memory.hpp"
#include "diag/symbolizer.hpp"
#include "ldr/symbolizer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace dirql::api {

class StopNames final : public diag::Symbolizer {
public:
    StopNames();
    void add(const ldr::LoadedImage& image) { symbolizer_.add(image); }

    [[nodiscard]] diag::CodeName locate(std::uint64_t address, bool returned_to) override;
    [[nodiscard]] std::string_view export_at(std::uint64_t address) override;
    [[nodiscard]] std::string device_name(std::uint64_t device) override;

private:
    ldr::Symbolizer symbolizer_;
    diag::GuardedMemory memory_;
    std::unordered_map<std::uint64_t, std::string_view> exports_;
};

} // namespace dirql::api
