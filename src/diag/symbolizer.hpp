// What a report asks of the layers above: names for addresses. Called on the host's stack, as host code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dirql::diag {

// What is known of a code address. Whatever is not known is empty or 0.
struct CodeName {
    std::string image = {};   // "echo.so"
    std::uint64_t offset = 0; // from the image's base
    std::string function = {};
    std::string file = {};
    int line = 0;
};

class Symbolizer {
public:
    virtual ~Symbolizer() = default;

    // Where an instruction is. `returned_to`: the address is one that a call returns to, and the call is what is asked
    // for.
    [[nodiscard]] virtual CodeName locate(std::uint64_t address, bool returned_to) = 0;
    // The export that begins at this address; empty when none does.
    [[nodiscard]] virtual std::string_view export_at(std::uint64_t address) = 0;
    // The name of a device object in the namespace; empty when it has none. Its memory may be corrupt.
    [[nodiscard]] virtual std::string device_name(std::uint64_t device) {
        (void)device;
        return {};
    }
};

} // namespace dirql::diag
