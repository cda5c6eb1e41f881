// The host program and its shared libraries, as the system's dynamic linker placed them.
#pragma once

#include "ldr/address_range.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dirql::ldr {

struct HostObject {
    std::string name;        // the file's last part
    std::string path;        // to open it by
    std::uintptr_t bias = 0; // what its own addresses were moved by
    AddressRange memory;     // all of it
    AddressRange text;       // the executable segment around the address asked for; empty for an address in data
};

// The object whose memory holds `address`.
[[nodiscard]] std::optional<HostObject> host_object_of(std::uintptr_t address);

} // namespace dirql::ldr
