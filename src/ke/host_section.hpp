// Marks kernel code that uses the host's heap or locks. While one lives, a fault is a host fault, never a driver's, and the
// flow is not abandoned. No driver code is called inside.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

extern "C" {
extern constinit thread_local unsigned dirql_host_sections
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
}

class HostSection {
public:
    HostSection() noexcept { ++dirql_host_sections; }
    ~HostSection() { --dirql_host_sections; }
    HostSection(const HostSection&) = delete;
    HostSection& operator=(const HostSection&) = delete;
    [[nodiscard]] static bool active() noexcept { return dirql_host_sections != 0; }
};

} // namespace dirql::ke
