// What the section headers add: function names, hence DriverEntry and who the static constructors are.
#include "ldr/elf_parser.hpp"

#include <algorithm>

namespace dirql::ldr {

ElfParser::Checked ElfParser::read_sections() {
    if (header_.e_shnum == 0) return outcome::success();
    if (header_.e_shentsize != sizeof(Elf64_Shdr))
        return bad_image("section headers of {} bytes, not {}", header_.e_shentsize, sizeof(Elf64_Shdr));
    const auto table = bytes_.slice(header_.e_shoff, std::uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr));
    if (!table) return bad_image("truncated: the section headers lie outside the file");
    ByteView names;
    if (const auto section = table->entry<Elf64_Shdr>(header_.e_shstrndx))
        names = bytes_.slice(section->sh_offset, section->sh_size).value_or(ByteView{});
    for (std::uint64_t i = 0; i < header_.e_shnum; ++i) {
        const auto section = *table->entry<Elf64_Shdr>(i);
        BOOST_OUTCOME_TRYV(check_section_name(section, names));
        if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_SYMTAB) continue;
        BOOST_OUTCOME_TRYV(read_symbol_section(section));
    }
    return outcome::success();
}

// The old way of static constructors, which leaves no trace in the dynamic section.
ElfParser::Checked ElfParser::check_section_name(const Elf64_Shdr& section, const ByteView& names) const {
    const auto name = names.c_string(section.sh_name).value_or("");
    if ((name == ".ctors" || name == ".dtors") && section.sh_size != 0)
        return bad_image(
            "static constructors or destructors ({}); NT does not run them either: initialise in DriverEntry", name);
    return outcome::success();
}

ElfParser::Checked ElfParser::read_symbol_section(const Elf64_Shdr& section) {
    const auto symbols = bytes_.slice(section.sh_offset, section.sh_size);
    const auto link = bytes_.read<Elf64_Shdr>(header_.e_shoff + std::uint64_t{section.sh_link} * sizeof(Elf64_Shdr));
    const auto strings = link ? bytes_.slice(link->sh_offset, link->sh_size) : std::nullopt;
    if (!symbols || !strings || section.sh_link >= header_.e_shnum)
        return bad_image("truncated: a symbol table lies outside the file");
    symbol_tables_.push_back({*symbols, *strings});
    if (section.sh_type == SHT_SYMTAB) stripped_ = false;
    return outcome::success();
}

std::optional<std::uint64_t> ElfParser::find_function(std::string_view name) const {
    for (const auto& table : symbol_tables_) {
        for (std::uint64_t i = 0; i < table.symbols.count<Elf64_Sym>(); ++i) {
            const auto symbol = *table.symbols.entry<Elf64_Sym>(i);
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
            if (table.strings.c_string(symbol.st_name) == name) return symbol.st_value;
        }
    }
    return std::nullopt;
}

std::string_view ElfParser::function_at(std::uint64_t address) const {
    for (const auto& table : symbol_tables_) {
        for (std::uint64_t i = 0; i < table.symbols.count<Elf64_Sym>(); ++i) {
            const auto symbol = *table.symbols.entry<Elf64_Sym>(i);
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
            if (symbol.st_value == address) return table.strings.c_string(symbol.st_name).value_or("");
        }
    }
    return {};
}

// The full symbol table counts too: under -fvisibility=hidden a DriverEntry without declaration is not a dynamic symbol.
// A stripped plug-in still has the address that --entry=DriverEntry put into its header.
ElfParser::Checked ElfParser::find_entry() {
    const auto found = find_function("DriverEntry");
    if (!found && find_function("_Z11DriverEntryP14_DRIVER_OBJECTP15_UNICODE_STRING"))
        return bad_image("no DriverEntry: it is a C++ function here; declare it extern \"C\"");
    const auto entry = found.value_or(stripped_ ? header_.e_entry : 0);
    if (entry == 0) return bad_image("no DriverEntry function");
    if (!is_code(entry)) return bad_image("DriverEntry at {:#x} is not in an executable segment", entry);
    file_.entry_ = entry;
    return outcome::success();
}

// A symbol and no section: the linker alone makes it, a stripped plug-in keeps it, and no source can have it by accident.
bool ElfParser::defines_integrity() const {
    for (const auto& table : symbol_tables_) {
        for (std::uint64_t i = 0; i < table.symbols.count<Elf64_Sym>(); ++i) {
            const auto symbol = *table.symbols.entry<Elf64_Sym>(i);
            if (symbol.st_shndx == SHN_ABS && table.strings.c_string(symbol.st_name) == "dirql_force_integrity")
                return symbol.st_value != 0;
        }
    }
    return false;
}

namespace {

// How gcc (priority 99, which is the sanitizers' own) and clang name the functions that announce a module to a sanitizer.
bool is_sanitizer_registration(std::string_view name) {
    return name.starts_with("asan.module_") || name.starts_with("tsan.module_") || name.starts_with("_sub_I_00099_") ||
           name.starts_with("_sub_D_00099_");
}

} // namespace

ElfParser::Checked ElfParser::read_init_functions(const Table& table, std::string_view what,
                                                  std::vector<InitFunction>& functions) {
    if (table.size == 0) return outcome::success();
    if (!at(table.address, table.size)) return bad_image("the table of static {}s lies outside the file", what);
    for (std::uint64_t slot = 0; slot < table.size; slot += sizeof(std::uint64_t)) {
        const auto found = std::ranges::lower_bound(file_.relocations_, table.address + slot, {}, &Relocation::address);
        const bool filled = found != file_.relocations_.end() && found->address == table.address + slot;
        const auto target = filled && found->kind == Relocation::Kind::image ? found->value : 0;
        const auto name = target != 0 ? function_at(target) : std::string_view{};
        if (!is_sanitizer_registration(name) || !is_code(target))
            return bad_image("a static {} ({}); NT does not run them either: initialise in DriverEntry", what,
                             name.empty() ? "unnamed" : printable(name));
        functions.push_back({target, name});
    }
    return outcome::success();
}

} // namespace dirql::ldr
