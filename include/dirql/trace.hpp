// The event stream of a machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class MachineImpl;
}

/// Events are recorded while enabled, in the order in which they happen. Texts are the same bytes for the same run.
class Trace {
public:
    void enable(bool on) noexcept;
    [[nodiscard]] bool enabled() const noexcept;
    void clear();

    [[nodiscard]] std::size_t size() const noexcept;
    /// One line an event.
    [[nodiscard]] std::string text() const;
    /// The IRPs that were seen, by number, in the order of their first event.
    [[nodiscard]] std::vector<std::uint32_t> irps() const;
    /// What one IRP lived through, indented, for a reader who is learning.
    [[nodiscard]] std::string journey(std::uint32_t irp) const;

private:
    friend class api::MachineImpl;
    explicit Trace(api::MachineImpl& machine) : machine_(machine) {}
    api::MachineImpl& machine_;
};

} // namespace dirql

#pragma GCC visibility pop
