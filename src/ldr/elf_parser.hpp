// The stages of ElfFile::parse. Each trusts what the stages before it checked, and nothing else.
#pragma once

#include "ldr/byte_view.hpp"
#include "ldr/elf_file.hpp"

#include <boost/outcome/result.hpp>
#include <boost/outcome/try.hpp>
#include <elf.h>
#include <fmt/format.h>

#include <optional>
#include <unordered_map>
#include <utility>

namespace dirql::ldr {

namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;

template <class... Args> [[nodiscard]] Error bad_image(fmt::format_string<Args...> format, Args&&... args) {
    return Error{ErrorCode::bad_image, fmt::format(format, std::forward<Args>(args)...)};
}

class ElfParser {
public:
    explicit ElfParser(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] Result<ElfFile> parse();

private:
    struct Table {
        std::uint64_t address = 0;
        std::uint64_t size = 0;
    };
    // What the dynamic section says, as far as the loader needs it.
    struct Dynamic {
        Table rela, plt_rela, strings;
        Table constructors, destructors;
        std::uint64_t symbols = 0;
    };
    // A symbol table with its strings, found through the section headers.
    struct SymbolTable {
        ByteView symbols;
        ByteView strings;
    };
    using Checked = Result<void>;

    // elf_file.cpp: header and segments
    Checked read_header();
    Checked read_program_headers();
    Checked note_program_header(const Elf64_Phdr& header);
    Checked add_segment(const Elf64_Phdr& header);
    Checked place_segments();
    Checked read_relro();

    // elf_dynamic.cpp
    Checked read_dynamic();
    Checked read_dynamic_entry(const Elf64_Dyn& entry);
    Checked check_needed(const std::vector<std::uint64_t>& names) const;

    // elf_relocations.cpp
    Checked read_relocations();
    Checked read_relocation_table(const Table& table, std::string_view name);
    Checked read_relocation(const Elf64_Rela& relocation);
    Checked read_symbol_relocation(const Elf64_Rela& relocation);
    Result<Relocation> bind_symbol(const Elf64_Sym& symbol, std::uint64_t address, std::uint64_t addend);
    Result<std::string_view> symbol_name(const Elf64_Sym& symbol) const;
    std::uint32_t import_index(std::string_view name, bool weak);
    Checked order_relocations();

    // elf_symbols.cpp: what the section headers add
    Checked read_sections();
    Checked read_symbol_section(const Elf64_Shdr& section);
    Checked check_section_name(const Elf64_Shdr& section, const ByteView& names) const;
    [[nodiscard]] std::optional<std::uint64_t> find_function(std::string_view name) const;
    [[nodiscard]] std::string_view function_at(std::uint64_t address) const;
    Checked find_entry();
    [[nodiscard]] bool defines_integrity() const;
    Checked read_init_functions(const Table& table, std::string_view what, std::vector<InitFunction>& functions);

    // The file's bytes behind image addresses [address, address + size), or nothing.
    [[nodiscard]] std::optional<ByteView> at(std::uint64_t address, std::uint64_t size) const noexcept;
    [[nodiscard]] bool is_code(std::uint64_t address) const noexcept;

    ByteView bytes_;
    Elf64_Ehdr header_{};
    std::optional<Elf64_Phdr> dynamic_header_;
    std::optional<Elf64_Phdr> relro_header_;
    Dynamic dynamic_;
    std::vector<std::uint64_t> needed_;
    std::vector<SymbolTable> symbol_tables_;
    bool stripped_ = true; // of all but the dynamic symbols
    std::unordered_map<std::string_view, std::uint32_t> import_indices_;
    ElfFile file_;
};

} // namespace dirql::ldr
