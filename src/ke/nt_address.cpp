#include "ke/nt_address.hpp"

#include "ke/call_site.hpp"
#include "ke/library_code.hpp"
#include "ke/user_copy.hpp"

#include <algorithm>
#include <dlfcn.h>
#include <link.h>
#include <span>

namespace dirql::ke {
namespace {

// 0: none begins there.
std::uint64_t export_at(const Machine& machine, std::uint64_t address) noexcept {
    if (address == 0) return 0;
    const auto all = machine.exports;
    const auto found = std::ranges::find(all, reinterpret_cast<const void*>(address));
    return found == all.end() ? 0 : nt_base + nt_export_size * static_cast<std::uint64_t>(1 + (found - all.begin()));
}

bool copy(void* to, std::uint64_t from, std::size_t bytes) noexcept {
    return copy_guarded(to, reinterpret_cast<const void*>(from), bytes);
}

// The export that the innermost frame of a driver has called.
std::uint64_t entered_by(const Machine& machine, const Stop& stop) noexcept {
    const std::span frames(stop.frames, stop.frame_count);
    const auto innermost = std::ranges::find_if(
        frames, [&](std::uint64_t address) { return find_code_range(machine, address) != nullptr; });
    if (innermost == frames.end() || (stop.faulted && innermost == frames.begin())) return nt_base;
    const CallTarget target = call_target(*innermost, copy);
    for (const std::uint64_t address : {target.direct, target.behind_stub}) {
        if (const std::uint64_t known = export_at(machine, address)) return known;
    }
    return nt_base;
}

// Code or data of the library, or of one that it uses: a fault in memcpy is the C library's. The program itself is the
// user's, with all that is linked into it.
bool in_a_library(std::uint64_t address) noexcept {
    if (is_library_code(address)) return true;
    dl_find_object object;
    if (_dl_find_object(reinterpret_cast<void*>(address), &object) != 0) return false;
    return object.dlfo_link_map->l_name != nullptr && object.dlfo_link_map->l_name[0] != '\0';
}

} // namespace

std::uint64_t reported_address(const Machine& machine, const Stop& stop, std::uint64_t value) noexcept {
    if (find_code_range(machine, value) != nullptr || !in_a_library(value)) return value;
    const std::uint64_t known = export_at(machine, value);
    return known != 0 ? known : entered_by(machine, stop);
}

std::optional<const void*> behind_reported_address(const Machine& machine, std::uint64_t value) noexcept {
    const std::uint64_t place = (value - nt_base) / nt_export_size;
    if (value < nt_base || place > machine.exports.size() || value % nt_export_size != 0) return std::nullopt;
    return place == 0 ? nullptr : machine.exports[place - 1];
}

} // namespace dirql::ke
