#include "ldr/exports.hpp"

#include "ke/export_rules.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

// Every export's symbol is taken by address under a name of our own, so no header with its prototype is needed and none
// can clash. A line without implementation is an undefined symbol of the build.
#define DIRQL_EXPORT(Name, Image, Min, Max, State, Note) extern "C" void dirql_export_##Name() asm(#Name);
#define DIRQL_DATA(Name, Note) extern "C" char dirql_export_##Name[] asm(#Name);
#define DIRQL_CRT(Name) extern "C" void dirql_export_##Name() asm("dirql_crt_" #Name);
#define DIRQL_CRT_SYNTHESISED(Name) DIRQL_CRT(Name)
#define DIRQL_COMPILER(Name) extern "C" void dirql_export_##Name() asm(#Name);
#define DIRQL_INLINE(Name, Note)
#include "ke/exports/all.def"
#include "ldr/compiler_support.def"
#undef DIRQL_EXPORT
#undef DIRQL_DATA
#undef DIRQL_CRT
#undef DIRQL_CRT_SYNTHESISED
#undef DIRQL_COMPILER
#undef DIRQL_INLINE

namespace dirql::ldr {

namespace {

// An export as the compiler can lay it out: a function's address is no constant as a void*.
struct Row {
    const char* name;
    const char* image;
    const char* note;
    void (*function)();
    char* data;
    ExportKind kind;
    ExportState state = ExportState::full;
    std::uint8_t irql_min = ke::export_irql::PASSIVE;
    std::uint8_t irql_max = ke::export_irql::ANY;
};

constexpr Row rows[] = {
// clang-format off
#define DIRQL_EXPORT(Name, Image, Min, Max, State, Note) \
    {#Name, #Image, Note, dirql_export_##Name, nullptr, ExportKind::function, ExportState::State, \
     ke::export_irql::Min, ke::export_irql::Max},
// clang-format on
#define DIRQL_DATA(Name, Note) {#Name, "ntoskrnl", Note, nullptr, dirql_export_##Name, ExportKind::data},
#define DIRQL_CRT(Name) {#Name, "ntoskrnl", "", dirql_export_##Name, nullptr, ExportKind::crt},
#define DIRQL_CRT_SYNTHESISED(Name) DIRQL_COMPILER(Name)
#define DIRQL_COMPILER(Name) {#Name, "", "", dirql_export_##Name, nullptr, ExportKind::compiler},
#define DIRQL_INLINE(Name, Note) {#Name, "", Note, nullptr, nullptr, ExportKind::inlined},
#include "ke/exports/all.def"
#include "ldr/compiler_support.def"
#undef DIRQL_EXPORT
#undef DIRQL_DATA
#undef DIRQL_CRT
#undef DIRQL_CRT_SYNTHESISED
#undef DIRQL_COMPILER
#undef DIRQL_INLINE
};

Export finished(const Row& row) {
    void* address = row.function != nullptr ? reinterpret_cast<void*>(row.function) : row.data;
    return {row.name, row.image, row.note, address, row.kind, row.state, row.irql_min, row.irql_max};
}

std::array<Export, std::size(rows)> sorted_table() {
    std::array<Export, std::size(rows)> table;
    std::ranges::transform(rows, table.begin(), finished);
    std::ranges::sort(table, {}, &Export::name);
    return table;
}

bool is_sanitizer_name(std::string_view name) {
    return std::ranges::any_of(std::array{"__asan_", "__ubsan_", "__tsan_", "__sanitizer_"},
                               [&](std::string_view prefix) { return name.starts_with(prefix); });
}

void* sanitizer_symbol(std::string_view name) {
    return is_sanitizer_name(name) ? dlsym(RTLD_DEFAULT, std::string(name).c_str()) : nullptr;
}

bool host_library_has(std::string_view name) {
    for (const auto* library : {"libc.so.6", "libm.so.6"}) {
        void* handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
        if (handle == nullptr) continue;
        const bool found = dlsym(handle, std::string(name).c_str()) != nullptr;
        dlclose(handle);
        if (found) return true;
    }
    return false;
}

class KernelExports final : public SymbolResolver {
public:
    void* resolve(std::string_view name) const override {
        const auto* found = find_export(name);
        return found != nullptr ? found->address : sanitizer_symbol(name);
    }
};

} // namespace

std::span<const Export> exports() {
    static const auto table = sorted_table();
    return table;
}

std::span<const void* const> export_addresses() {
    static const auto addresses = [] {
        std::array<const void*, std::size(rows)> all;
        std::ranges::transform(exports(), all.begin(), &Export::address);
        return all;
    }();
    return addresses;
}

const Export* find_export(std::string_view name) {
    const auto all = exports();
    const auto found = std::ranges::lower_bound(all, name, {}, &Export::name);
    return found != all.end() && found->name == name ? &*found : nullptr;
}

void* find_system_routine(std::string_view name) {
    const auto* found = find_export(name);
    return found != nullptr && !found->image.empty() ? found->address : nullptr;
}

ImportOrigin origin_of_import(std::string_view name) {
    const auto* found = find_export(name);
    if (found != nullptr && found->address != nullptr) return ImportOrigin::kernel;
    if (sanitizer_symbol(name) != nullptr) return ImportOrigin::sanitizer;
    return host_library_has(name) ? ImportOrigin::host : ImportOrigin::unknown;
}

const SymbolResolver& kernel_exports() {
    static const KernelExports resolver;
    return resolver;
}

} // namespace dirql::ldr
