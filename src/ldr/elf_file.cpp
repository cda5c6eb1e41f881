#include "ldr/elf_file.hpp"

#include "ldr/elf_parser.hpp"

#include <algorithm>
#include <bit>

namespace dirql::ldr {

Result<ElfFile> ElfFile::parse(std::span<const std::byte> bytes) { return ElfParser(bytes).parse(); }

Result<ElfFile> ElfParser::parse() {
    BOOST_OUTCOME_TRYV(read_header());
    BOOST_OUTCOME_TRYV(read_program_headers());
    BOOST_OUTCOME_TRYV(place_segments());
    BOOST_OUTCOME_TRYV(read_relro());
    BOOST_OUTCOME_TRYV(read_dynamic());
    BOOST_OUTCOME_TRYV(read_relocations());
    BOOST_OUTCOME_TRYV(read_sections());
    BOOST_OUTCOME_TRYV(find_entry());
    file_.integrity_ = defines_integrity();
    BOOST_OUTCOME_TRYV(read_init_functions(dynamic_.constructors, "constructor", file_.constructors_));
    BOOST_OUTCOME_TRYV(read_init_functions(dynamic_.destructors, "destructor", file_.destructors_));
    return std::move(file_);
}

namespace {

Error wrong_magic(ByteView bytes) {
    const auto first = bytes.read<std::uint16_t>(0);
    if (first == 0x5a4d) return bad_image("a Windows PE image; a plug-in is an ELF file that `dirql cc` builds");
    return bad_image("not an ELF file");
}

Error wrong_type(std::uint16_t type) {
    switch (type) {
    case ET_REL: return bad_image("a relocatable object, not linked yet; a plug-in is a shared object");
    case ET_EXEC: return bad_image("an executable program; a plug-in is a shared object");
    case ET_CORE: return bad_image("a core dump; a plug-in is a shared object");
    default: return bad_image("ELF type {}; a plug-in is a shared object", type);
    }
}

} // namespace

ElfParser::Checked ElfParser::read_header() {
    if (bytes_.size() == 0) return bad_image("an empty file");
    const auto magic = bytes_.slice(0, SELFMAG);
    if (!magic || std::memcmp(magic->bytes().data(), ELFMAG, SELFMAG) != 0) return wrong_magic(bytes_);
    const auto header = bytes_.read<Elf64_Ehdr>(0);
    if (!header) return bad_image("truncated: the file ends inside its ELF header");
    header_ = *header;
    if (header_.e_ident[EI_CLASS] != ELFCLASS64) return bad_image("not a 64-bit ELF file");
    if (header_.e_ident[EI_DATA] != ELFDATA2LSB) return bad_image("not a little-endian ELF file");
    if (header_.e_machine != EM_X86_64) return bad_image("built for ELF machine {}, not x86-64", header_.e_machine);
    if (header_.e_type != ET_DYN) return wrong_type(header_.e_type);
    if (header_.e_version != EV_CURRENT || header_.e_ident[EI_VERSION] != EV_CURRENT)
        return bad_image("ELF version {}, not 1", header_.e_version);
    return outcome::success();
}

ElfParser::Checked ElfParser::read_program_headers() {
    if (header_.e_phnum == 0) return bad_image("no program headers: nothing to load");
    if (header_.e_phentsize != sizeof(Elf64_Phdr))
        return bad_image("program headers of {} bytes, not {}", header_.e_phentsize, sizeof(Elf64_Phdr));
    const auto table = bytes_.slice(header_.e_phoff, std::uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr));
    if (!table) return bad_image("truncated: the program headers lie outside the file");
    for (std::uint64_t i = 0; i < header_.e_phnum; ++i) {
        const auto header = *table->entry<Elf64_Phdr>(i);
        if (header.p_type == PT_LOAD) {
            BOOST_OUTCOME_TRYV(add_segment(header));
        } else {
            BOOST_OUTCOME_TRYV(note_program_header(header));
        }
    }
    return outcome::success();
}

ElfParser::Checked ElfParser::note_program_header(const Elf64_Phdr& header) {
    switch (header.p_type) {
    case PT_DYNAMIC: dynamic_header_ = header; break;
    case PT_GNU_RELRO: relro_header_ = header; break;
    case PT_INTERP: return bad_image("an executable program (it names an interpreter); a plug-in is a shared object");
    case PT_TLS: return bad_image("thread-local variables: kernel code has no thread-local storage");
    default: break; // notes, unwind tables, stack flags: nothing to load
    }
    return outcome::success();
}

ElfParser::Checked ElfParser::add_segment(const Elf64_Phdr& header) {
    if (header.p_memsz == 0) return outcome::success();
    const auto content = bytes_.slice(header.p_offset, header.p_filesz);
    if (!content) return bad_image("truncated: the segment at {:#x} lies outside the file", header.p_vaddr);
    if (header.p_filesz > header.p_memsz)
        return bad_image("the segment at {:#x} has more bytes than memory", header.p_vaddr);
    if (header.p_vaddr > max_image_size || header.p_memsz > max_image_size - header.p_vaddr)
        return bad_image("the segment at {:#x} of {:#x} bytes exceeds an image's {} MB", header.p_vaddr, header.p_memsz,
                         max_image_size >> 20);
    const bool writable = (header.p_flags & PF_W) != 0;
    const bool executable = (header.p_flags & PF_X) != 0;
    if (writable && executable) return bad_image("the segment at {:#x} is writable and executable", header.p_vaddr);
    const auto alignment = std::max<std::uint64_t>(header.p_align, 1);
    if (!std::has_single_bit(alignment) || alignment > max_image_size)
        return bad_image("the segment at {:#x} has alignment {:#x}", header.p_vaddr, header.p_align);
    file_.alignment_ = std::max(file_.alignment_, alignment);
    file_.segments_.push_back({header.p_vaddr, header.p_memsz, content->bytes(), writable, executable});
    return outcome::success();
}

// Segments that share a page could not have protections of their own.
ElfParser::Checked ElfParser::place_segments() {
    if (file_.segments_.empty()) return bad_image("no segments to load");
    if (file_.segments_.front().first_page() != 0) return bad_image("the first segment does not begin at address 0");
    for (const auto& segment : file_.segments_) {
        if (segment.first_page() < file_.image_size_)
            return bad_image("the segment at {:#x} overlaps another", segment.address);
        file_.image_size_ = segment.page_end();
    }
    return outcome::success();
}

// Like the system's own loader: the part of the region that fills whole pages becomes read-only.
ElfParser::Checked ElfParser::read_relro() {
    if (!relro_header_) return outcome::success();
    const auto begin = relro_header_->p_vaddr;
    const auto size = relro_header_->p_memsz;
    const auto segment = std::ranges::find_if(file_.segments_, [&](const Segment& s) {
        return s.writable && begin >= s.address && begin < s.page_end() && size <= s.page_end() - begin;
    });
    if (segment == file_.segments_.end())
        return bad_image("the region to make read-only lies outside the writable segments");
    const AddressRange pages{begin & ~(page_size - 1), (begin + size) & ~(page_size - 1)};
    if (pages.begin < pages.end) file_.relro_ = pages;
    return outcome::success();
}

std::optional<ByteView> ElfParser::at(std::uint64_t address, std::uint64_t size) const noexcept {
    for (const auto& segment : file_.segments_)
        if (segment.holds(address, size)) return ByteView(segment.content).slice(address - segment.address, size);
    return std::nullopt;
}

bool ElfParser::is_code(std::uint64_t address) const noexcept {
    return std::ranges::any_of(file_.segments_, [&](const Segment& s) { return s.executable && s.holds(address, 1); });
}

std::vector<std::string_view> undefined_symbols(const ElfFile& file) {
    std::vector<std::string_view> names;
    for (const auto& import : file.imports())
        if (!import.weak) names.push_back(import.name);
    std::ranges::sort(names);
    return names;
}

std::string printable(std::string_view name) {
    constexpr std::size_t longest = 200;
    std::string text(name.substr(0, longest));
    std::ranges::replace_if(
        text, [](char c) { return c < ' ' || c > '~'; }, '?');
    if (name.size() > longest) text += "...";
    return text;
}

} // namespace dirql::ldr
