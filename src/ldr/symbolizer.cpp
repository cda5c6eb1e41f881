#include "ldr/symbolizer.hpp"

#include "ldr/debug_info.hpp"
#include "ldr/host_object.hpp"

#include <fmt/format.h>

#include <string_view>

namespace dirql::ldr {

namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

} // namespace

std::string CodeLocation::describe() const {
    const auto place = image.empty() ? fmt::format("{:#x}", offset) : fmt::format("{}+{:#x}", image, offset);
    if (function.empty()) return place;
    if (line == 0) return fmt::format("{} ({})", function, place);
    return fmt::format("{} ({}:{}, {})", function, last_part(file), line, place);
}

class Symbolizer::Module {
public:
    Module(std::string name, AddressRange range, DebugInfo info)
        : name_(std::move(name)), range_(range), info_(std::move(info)) {}

    [[nodiscard]] bool contains(std::uintptr_t address) const { return range_.contains(address); }
    [[nodiscard]] CodeLocation locate(std::uintptr_t address) {
        CodeLocation location{.image = name_, .offset = address - range_.begin, .function = {}, .file = {}};
        info_.look_up(address, location);
        return location;
    }

private:
    std::string name_;
    AddressRange range_;
    DebugInfo info_;
};

Symbolizer::Symbolizer() = default;
Symbolizer::~Symbolizer() = default;
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;

void Symbolizer::add(const LoadedImage& image) {
    const auto base = reinterpret_cast<std::uintptr_t>(image.base);
    const auto& source = *image.source;
    modules_.push_back(std::make_unique<Module>(std::string(source.name()), AddressRange{base, base + image.size},
                                                DebugInfo::from_bytes(source.path(), source.file(), base)));
}

CodeLocation Symbolizer::locate(std::uintptr_t address) {
    auto* module = module_of(address);
    if (module == nullptr) module = add_host_module(address);
    if (module == nullptr) return CodeLocation{.image = {}, .offset = address, .function = {}, .file = {}};
    return module->locate(address);
}

CodeLocation Symbolizer::locate_caller(std::uintptr_t return_address) {
    auto location = locate(return_address - 1);
    ++location.offset; // what the stack holds
    return location;
}

Symbolizer::Module* Symbolizer::module_of(std::uintptr_t address) {
    for (const auto& module : modules_)
        if (module->contains(address)) return module.get();
    return nullptr;
}

Symbolizer::Module* Symbolizer::add_host_module(std::uintptr_t address) {
    const auto host = host_object_of(address);
    if (!host) return nullptr;
    auto info = DebugInfo::from_file(host->path, host->bias);
    return modules_.emplace_back(std::make_unique<Module>(host->name, host->memory, std::move(info))).get();
}

} // namespace dirql::ldr
