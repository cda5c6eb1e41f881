#include "ldr/debug_info.hpp"

#include "ldr/symbolizer.hpp"

#include <elfutils/libdwfl.h>

#include <cxxabi.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace dirql::ldr {

namespace {

// Debug information that is not in the object itself is not looked for: libdw would ask servers on the network.
int no_debug_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
    return -1;
}

const Dwfl_Callbacks callbacks{
    .find_elf = nullptr, // each object is reported with its descriptor
    .find_debuginfo = no_debug_file,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = nullptr,
};

// An unnamed file with these bytes; -1 when the host has none to give.
int make_file(std::span<const std::byte> bytes) {
    const int descriptor = memfd_create("dirql-image", MFD_CLOEXEC);
    while (descriptor >= 0 && !bytes.empty()) {
        const auto written = write(descriptor, bytes.data(), bytes.size());
        if (written <= 0) break;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return descriptor;
}

} // namespace

void DebugInfo::Closer::operator()(Dwfl* session) const noexcept { dwfl_end(session); }

DebugInfo DebugInfo::from_bytes(const std::string& path, std::span<const std::byte> bytes, std::uintptr_t base) {
    return open(path, make_file(bytes), base);
}

DebugInfo DebugInfo::from_file(const std::string& path, std::uintptr_t base) {
    return open(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC), base);
}

DebugInfo DebugInfo::open(const std::string& path, int descriptor, std::uintptr_t base) {
    DebugInfo info;
    if (descriptor < 0) return info;
    info.session_.reset(dwfl_begin(&callbacks));
    if (info.session_ != nullptr) {
        dwfl_report_begin(info.session_.get());
        info.module_ = dwfl_report_elf(info.session_.get(), path.c_str(), path.c_str(), descriptor, base, false);
        dwfl_report_end(info.session_.get(), nullptr, nullptr);
    }
    if (info.module_ == nullptr) close(descriptor); // otherwise libdw owns it
    return info;
}

namespace {

std::string demangled(const char* name) {
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, nullptr),
                                                           &std::free);
    return text ? text.get() : name;
}

} // namespace

void DebugInfo::look_up(std::uintptr_t address, CodeLocation& location) const {
    if (module_ == nullptr) return;
    if (const char* function = dwfl_module_addrname(module_, address)) location.function = demangled(function);
    look_up_line(address, location);
}

// Unit by unit: the index by address, .debug_aranges, is one that clang does not write.
void DebugInfo::look_up_line(std::uintptr_t address, CodeLocation& location) const {
    Dwarf_Addr bias = 0;
    for (auto* unit = dwfl_module_nextcu(module_, nullptr, &bias); unit != nullptr;
         unit = dwfl_module_nextcu(module_, unit, &bias)) {
        if (dwarf_haspc(unit, address - bias) != 1) continue;
        Dwarf_Line* line = dwarf_getsrc_die(unit, address - bias);
        const char* file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
        if (file == nullptr || dwarf_lineno(line, &location.line) != 0) return;
        location.file = file;
        return;
    }
}

} // namespace dirql::ldr
