#include "cli/cc_plugin_check.hpp"

#include "ldr/elf_file.hpp"
#include "ldr/exports.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <span>

namespace dirql::cli {

namespace {

struct Family {
    std::string_view prefix;
    std::string_view what;
};

// Functions of kernel components that are not the kernel itself, and of a C++ compiler's run-time.
constexpr std::array families{
    Family{"Wdf", "function of the driver framework (KMDF), which dirql does not have"},
    Family{"Flt", "function of the filter manager, which dirql does not have"},
    Family{"Ndis", "function of NDIS, which dirql does not have"},
    Family{"StorPort", "function of Storport, which dirql does not have"},
    Family{"ScsiPort", "function of the SCSI port driver, which dirql does not have"},
    Family{"USBD_", "function of the USB stack, which dirql does not have"},
    Family{"HidRegister", "function of the HID class driver, which dirql does not have"},
    Family{"Fwp", "function of the filtering platform, which dirql does not have"},
    Family{"BCrypt", "function of kernel-mode cryptography, which dirql does not have"},
    Family{"_Znw", "operator new, which a driver has to define itself"},
    Family{"_Zna", "operator new[], which a driver has to define itself"},
    Family{"_Zdl", "operator delete, which a driver has to define itself"},
    Family{"_Zda", "operator delete[], which a driver has to define itself"},
    Family{"__cxa_", "function of the C++ run-time, which a kernel does not have"},
    Family{"__gxx_", "C++ exceptions, which a kernel does not have"},
    Family{"_Unwind_", "C++ exceptions, which a kernel does not have"},
    Family{"__asan_", "function of AddressSanitizer, which this dirql is built without"},
    Family{"__ubsan_", "function of UndefinedBehaviorSanitizer, which this dirql is built without"},
};

// The first words of the kernel's own function names.
constexpr std::string_view kernel_words = " Alpc Cc Clfs Cm Dbg Em Etw Ex FsRtl Hal Hvl Interlocked Io Iof Kd Ke Kf Ki "
                                          "Ldr Lpc Lsa Mm Nls Nt Ob Obf Pcw Pf Po Probe Ps "
                                          "Rtl Se Tm Vf Wmi Whea Zw ";

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// "IoCreateDevice" begins with the word "Io"; "FsRtlX" with "Fs" and "FsRtl".
bool has_kernel_word(std::string_view name) {
    for (std::size_t length = 2; length < name.size() && length <= 11; ++length) {
        const bool ends_word = is_lower(name[length - 1]) && is_upper(name[length]);
        if (ends_word && kernel_words.find(fmt::format(" {} ", name.substr(0, length))) != std::string_view::npos)
            return true;
    }
    return false;
}

Outcome<void> name_missing(const ldr::ElfFile& plugin) {
    std::string text;
    for (const auto name : ldr::undefined_symbols(plugin)) {
        const auto origin = ldr::origin_of_import(name);
        if (origin == ldr::ImportOrigin::kernel || origin == ldr::ImportOrigin::sanitizer) continue;
        if (!text.empty()) text += '\n';
        text += fmt::format("{}: {}", ldr::printable(name), describe_missing(name));
    }
    if (!text.empty()) return Failure{exit_load_failure, std::move(text)};
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

} // namespace

std::string describe_missing(std::string_view name) {
    if (const auto* entry = ldr::find_export(name); entry != nullptr && entry->kind == ldr::ExportKind::inlined)
        return "a macro or inline function: include the header that defines it";
    if (ldr::origin_of_import(name) == ldr::ImportOrigin::host)
        return "only the host's C library has it; a kernel does not";
    for (const auto& family : families)
        if (name.starts_with(family.prefix)) return std::string(family.what);
    if (has_kernel_word(name)) return "kernel function that dirql does not have";
    return "neither the sources nor dirql define it";
}

Outcome<void> check_plugin(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) return usage_error(fmt::format("{}: cannot be read", path));
    const auto plugin = ldr::ElfFile::parse(std::as_bytes(std::span(content)));
    if (!plugin) return Failure{exit_load_failure, plugin.error().text};
    return name_missing(plugin.value());
}

} // namespace dirql::cli
