// The dynamic section: where the tables are, and the requests that a kernel image cannot make.
#include "ldr/elf_parser.hpp"

namespace dirql::ldr {

namespace {

constexpr Elf64_Sxword dt_relr = 36; // DT_RELR; older elf.h do not have it
constexpr auto static_constructor_advice = "NT does not run them either: initialise in DriverEntry";

} // namespace

ElfParser::Checked ElfParser::read_dynamic() {
    if (!dynamic_header_) return bad_image("no dynamic section: not linked as a shared object");
    const auto table = bytes_.slice(dynamic_header_->p_offset, dynamic_header_->p_filesz);
    if (!table) return bad_image("truncated: the dynamic section lies outside the file");
    for (std::uint64_t i = 0; i < table->count<Elf64_Dyn>(); ++i) {
        const auto entry = *table->entry<Elf64_Dyn>(i);
        if (entry.d_tag == DT_NULL) break;
        BOOST_OUTCOME_TRYV(read_dynamic_entry(entry));
    }
    return check_needed(needed_);
}

ElfParser::Checked ElfParser::read_dynamic_entry(const Elf64_Dyn& entry) {
    const auto value = entry.d_un.d_val;
    switch (entry.d_tag) {
    case DT_NEEDED: needed_.push_back(value); break;
    case DT_STRTAB: dynamic_.strings.address = value; break;
    case DT_STRSZ: dynamic_.strings.size = value; break;
    case DT_SYMTAB: dynamic_.symbols = value; break;
    case DT_RELA: dynamic_.rela.address = value; break;
    case DT_RELASZ: dynamic_.rela.size = value; break;
    case DT_JMPREL: dynamic_.plt_rela.address = value; break;
    case DT_PLTRELSZ: dynamic_.plt_rela.size = value; break;
    case DT_INIT_ARRAY: dynamic_.constructors.address = value; break;
    case DT_INIT_ARRAYSZ: dynamic_.constructors.size = value; break;
    case DT_FINI_ARRAY: dynamic_.destructors.address = value; break;
    case DT_FINI_ARRAYSZ: dynamic_.destructors.size = value; break;
    case DT_SYMENT:
        if (value != sizeof(Elf64_Sym)) return bad_image("symbols of {} bytes, not {}", value, sizeof(Elf64_Sym));
        break;
    case DT_RELAENT:
        if (value != sizeof(Elf64_Rela)) return bad_image("relocations of {} bytes, not {}", value, sizeof(Elf64_Rela));
        break;
    case DT_PLTREL:
        if (value != DT_RELA) return bad_image("relocations without addends, which x86-64 does not use");
        break;
    case DT_REL: return bad_image("relocations without addends, which x86-64 does not use");
    case dt_relr: return bad_image("packed relative relocations: link with -Wl,-z,nopack-relative-relocs");
    case DT_TEXTREL: return bad_image("text relocations: compile with -fPIC");
    case DT_FLAGS:
        if (value & DF_TEXTREL) return bad_image("text relocations: compile with -fPIC");
        if (value & DF_STATIC_TLS) return bad_image("thread-local variables: kernel code has no thread-local storage");
        break;
    case DT_PREINIT_ARRAYSZ:
        if (value != 0) return bad_image("static constructors (.preinit_array); {}", static_constructor_advice);
        break;
    case DT_INIT: return bad_image("an initialisation routine of the C run-time: link with -nostartfiles");
    case DT_FINI: return bad_image("a termination routine of the C run-time: link with -nostartfiles");
    default: break; // hash tables, versions, flags of the system's loader
    }
    return outcome::success();
}

// Linking against libdirql is harmless: those names are the kernel's own.
ElfParser::Checked ElfParser::check_needed(const std::vector<std::uint64_t>& names) const {
    const auto strings = at(dynamic_.strings.address, dynamic_.strings.size);
    for (const auto offset : names) {
        const auto name = strings ? strings->c_string(offset) : std::nullopt;
        if (!name) return bad_image("the name of a needed library lies outside the string table");
        if (!name->starts_with("libdirql.so"))
            return bad_image("needs the shared library {}: a driver uses the kernel alone (link with -nostdlib)",
                             printable(*name));
    }
    return outcome::success();
}

} // namespace dirql::ldr
