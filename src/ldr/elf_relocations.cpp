// Relocations, reduced to three kinds: relative to the base, to an import, or plain values.
#include "ldr/elf_parser.hpp"

#include <algorithm>

namespace dirql::ldr {

namespace {

constexpr auto pointer_size = sizeof(std::uint64_t);

Error unsupported(const Elf64_Rela& relocation) {
    const auto type = ELF64_R_TYPE(relocation.r_info);
    switch (type) {
    case R_X86_64_COPY: return bad_image("a copy relocation at {:#x}: compile with -fPIC", relocation.r_offset);
    case R_X86_64_IRELATIVE:
        return bad_image("an indirect function (ifunc) at {:#x}: not in a driver", relocation.r_offset);
    case R_X86_64_DTPMOD64:
    case R_X86_64_DTPOFF64:
    case R_X86_64_TPOFF64:
    case R_X86_64_TLSDESC:
        return bad_image("a thread-local variable at {:#x}: kernel code has no thread-local storage",
                         relocation.r_offset);
    case R_X86_64_PC32:
    case R_X86_64_PLT32:
    case R_X86_64_32:
    case R_X86_64_32S:
        return bad_image("a 32-bit relocation (type {}) at {:#x}: compile with -fPIC", type, relocation.r_offset);
    default: return bad_image("relocation type {} at {:#x} is not supported", type, relocation.r_offset);
    }
}

} // namespace

ElfParser::Checked ElfParser::read_relocations() {
    BOOST_OUTCOME_TRYV(read_relocation_table(dynamic_.rela, "relocation"));
    BOOST_OUTCOME_TRYV(read_relocation_table(dynamic_.plt_rela, "procedure linkage relocation"));
    return order_relocations();
}

ElfParser::Checked ElfParser::read_relocation_table(const Table& table, std::string_view name) {
    if (table.size == 0) return outcome::success();
    const auto entries = at(table.address, table.size);
    if (!entries || table.size % sizeof(Elf64_Rela) != 0) return bad_image("the {} table lies outside the file", name);
    file_.relocations_.reserve(file_.relocations_.size() + entries->count<Elf64_Rela>());
    for (std::uint64_t i = 0; i < entries->count<Elf64_Rela>(); ++i) {
        BOOST_OUTCOME_TRYV(read_relocation(*entries->entry<Elf64_Rela>(i)));
    }
    return outcome::success();
}

ElfParser::Checked ElfParser::read_relocation(const Elf64_Rela& relocation) {
    const auto type = ELF64_R_TYPE(relocation.r_info);
    if (type == R_X86_64_NONE) return outcome::success();
    const bool known =
        type == R_X86_64_RELATIVE || type == R_X86_64_64 || type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT;
    if (!known) return unsupported(relocation);
    const auto segment = std::ranges::find_if(
        file_.segments_, [&](const Segment& s) { return s.holds(relocation.r_offset, pointer_size); });
    if (segment == file_.segments_.end())
        return bad_image("a relocation at {:#x}, outside the image", relocation.r_offset);
    if (!segment->writable)
        return bad_image("a relocation in read-only code or data at {:#x}: compile with -fPIC", relocation.r_offset);
    if (type != R_X86_64_RELATIVE) return read_symbol_relocation(relocation);
    const auto target = static_cast<std::uint64_t>(relocation.r_addend);
    file_.relocations_.push_back({relocation.r_offset, target, 0, Relocation::Kind::image});
    return outcome::success();
}

ElfParser::Checked ElfParser::read_symbol_relocation(const Elf64_Rela& relocation) {
    const std::uint64_t index = ELF64_R_SYM(relocation.r_info);
    // The dynamic symbol table has no length of its own; an entry must lie in the file's bytes. The index has 32 bits, so
    // the product cannot overflow, and a wild sum is outside every segment.
    const auto entry = at(dynamic_.symbols + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
    if (!entry || dynamic_.symbols == 0)
        return bad_image("relocation at {:#x}: symbol {} is outside the file", relocation.r_offset, index);
    const bool takes_addend = ELF64_R_TYPE(relocation.r_info) == R_X86_64_64;
    const auto addend = takes_addend ? static_cast<std::uint64_t>(relocation.r_addend) : 0;
    const auto bound = bind_symbol(*entry->read<Elf64_Sym>(0), relocation.r_offset, addend);
    if (!bound) return bound.error();
    file_.relocations_.push_back(bound.value());
    return outcome::success();
}

Result<Relocation> ElfParser::bind_symbol(const Elf64_Sym& symbol, std::uint64_t address, std::uint64_t addend) {
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    const auto found_name = symbol_name(symbol);
    if (!found_name) return found_name.error();
    const auto name = found_name.value();
    if (type == STT_GNU_IFUNC) return bad_image("{} is an indirect function (ifunc): not in a driver", printable(name));
    if (type == STT_TLS)
        return bad_image("{} is a thread-local variable: kernel code has no thread-local storage", printable(name));
    if (symbol.st_shndx == SHN_ABS) return Relocation{address, symbol.st_value + addend, 0, Relocation::Kind::constant};
    if (symbol.st_shndx != SHN_UNDEF) {
        if (symbol.st_value > file_.image_size_) return bad_image("{} is defined outside the image", printable(name));
        return Relocation{address, symbol.st_value + addend, 0, Relocation::Kind::image};
    }
    if (name.empty()) return Relocation{address, addend, 0, Relocation::Kind::constant};
    const bool weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK;
    return Relocation{address, addend, import_index(name, weak), Relocation::Kind::import};
}

Result<std::string_view> ElfParser::symbol_name(const Elf64_Sym& symbol) const {
    if (symbol.st_name == 0) return std::string_view{};
    const auto strings = at(dynamic_.strings.address, dynamic_.strings.size);
    const auto name = strings ? strings->c_string(symbol.st_name) : std::nullopt;
    if (!name) return bad_image("a symbol's name lies outside the string table");
    return *name;
}

std::uint32_t ElfParser::import_index(std::string_view name, bool weak) {
    const auto [found, inserted] = import_indices_.try_emplace(name, static_cast<std::uint32_t>(file_.imports_.size()));
    if (inserted) file_.imports_.push_back({name, weak});
    file_.imports_[found->second].weak &= weak;
    return found->second;
}

// Some linkers list the procedure linkage relocations in both tables; the same one twice counts once.
ElfParser::Checked ElfParser::order_relocations() {
    auto& all = file_.relocations_;
    std::ranges::stable_sort(all, {}, &Relocation::address);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    const auto clash = std::ranges::adjacent_find(
        all, [](const Relocation& a, const Relocation& b) { return b.address - a.address < pointer_size; });
    if (clash != all.end()) return bad_image("two relocations fill the same bytes at {:#x}", clash->address);
    return outcome::success();
}

} // namespace dirql::ldr
