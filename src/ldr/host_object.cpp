#include "ldr/host_object.hpp"

#include <cerrno>
#include <link.h>

#include <algorithm>
#include <span>

namespace dirql::ldr {

namespace {

struct Search {
    std::uintptr_t address;
    HostObject found = {};
};

// Notes the object's extent; true when it holds the address.
bool measure(const dl_phdr_info& object, std::uintptr_t address, HostObject& found) {
    found.memory = {~std::uintptr_t{0}, 0};
    found.text = {};
    for (const auto& header : std::span(object.dlpi_phdr, object.dlpi_phnum)) {
        if (header.p_type != PT_LOAD) continue;
        const auto begin = object.dlpi_addr + header.p_vaddr;
        const AddressRange segment{begin, begin + header.p_memsz};
        found.memory.begin = std::min(found.memory.begin, segment.begin);
        found.memory.end = std::max(found.memory.end, segment.end);
        if ((header.p_flags & PF_X) != 0 && segment.contains(address)) found.text = segment;
    }
    return found.memory.begin < found.memory.end && found.memory.contains(address);
}

int visit(dl_phdr_info* object, std::size_t, void* context) {
    auto& [address, found] = *static_cast<Search*>(context);
    if (!measure(*object, address, found)) return 0;
    const std::string_view path = object->dlpi_name; // empty for the program itself
    found.bias = object->dlpi_addr;
    found.path = path.empty() ? "/proc/self/exe" : path;
    found.name = path.empty() ? std::string_view(program_invocation_short_name) : path.substr(path.rfind('/') + 1);
    return 1;
}

} // namespace

std::optional<HostObject> host_object_of(std::uintptr_t address) {
    Search search{.address = address};
    if (dl_iterate_phdr(visit, &search) == 0) return std::nullopt;
    return std::move(search.found);
}

} // namespace dirql::ldr
