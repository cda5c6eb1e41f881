// What the parser accepts, and the one line it says about everything else.
#include "catch.hpp"
#include "plugin_files.hpp"

#include "ldr/elf_file.hpp"

#include <elf.h>

#include <cstring>
#include <functional>

using namespace ldr_test;
using namespace dirql::ldr;

namespace {

std::string error_of(const Bytes& bytes) {
    const auto file = ElfFile::parse(bytes);
    return file ? "accepted" : file.error().text;
}

std::string error_of_plugin(const std::string& name) {
    const auto bytes = read_plugin(name);
    REQUIRE(!bytes.empty());
    return error_of(bytes);
}

template <class T> T get(const Bytes& bytes, std::size_t offset) {
    T value;
    REQUIRE(offset + sizeof(T) <= bytes.size());
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

template <class T> void put(Bytes& bytes, std::size_t offset, const T& value) {
    REQUIRE(offset + sizeof(T) <= bytes.size());
    std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

Elf64_Ehdr header_of(const Bytes& bytes) { return get<Elf64_Ehdr>(bytes, 0); }

Bytes with_header(const std::function<void(Elf64_Ehdr&)>& change) {
    auto bytes = read_plugin("counter_gcc");
    auto header = header_of(bytes);
    change(header);
    put(bytes, 0, header);
    return bytes;
}

// Changes the program headers of a type.
Bytes with_segments(std::uint32_t type, const std::function<void(Elf64_Phdr&)>& change) {
    auto bytes = read_plugin("counter_gcc");
    const auto header = header_of(bytes);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        const auto offset = header.e_phoff + i * sizeof(Elf64_Phdr);
        auto segment = get<Elf64_Phdr>(bytes, offset);
        if (segment.p_type != type) continue;
        change(segment);
        put(bytes, offset, segment);
    }
    return bytes;
}

// Changes the entries of the dynamic section that have a tag.
Bytes with_dynamic(std::int64_t tag, const std::function<void(Elf64_Dyn&)>& change) {
    auto bytes = read_plugin("counter_gcc");
    const auto header = header_of(bytes);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        const auto segment = get<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr));
        if (segment.p_type != PT_DYNAMIC) continue;
        for (auto at = segment.p_offset; at < segment.p_offset + segment.p_filesz; at += sizeof(Elf64_Dyn)) {
            auto entry = get<Elf64_Dyn>(bytes, at);
            if (entry.d_tag != tag) continue;
            change(entry);
            put(bytes, at, entry);
        }
    }
    return bytes;
}

// Changes every relocation of the first table. It lies in the first segment, where addresses are file offsets.
Bytes with_relocations(const std::function<void(Elf64_Rela&)>& change) {
    std::uint64_t address = 0, size = 0;
    with_dynamic(DT_RELA, [&](Elf64_Dyn& entry) { address = entry.d_un.d_ptr; });
    auto bytes = with_dynamic(DT_RELASZ, [&](Elf64_Dyn& entry) { size = entry.d_un.d_val; });
    for (auto at = address; at < address + size; at += sizeof(Elf64_Rela)) {
        auto relocation = get<Elf64_Rela>(bytes, at);
        change(relocation);
        put(bytes, at, relocation);
    }
    return bytes;
}

// Changes every symbol of a section header's type.
Bytes with_symbols(const std::string& plugin, std::uint32_t table, const std::function<void(Elf64_Sym&)>& change) {
    auto bytes = read_plugin(plugin);
    const auto header = header_of(bytes);
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
        const auto section = get<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr));
        if (section.sh_type != table) continue;
        for (auto at = section.sh_offset; at < section.sh_offset + section.sh_size; at += sizeof(Elf64_Sym)) {
            auto symbol = get<Elf64_Sym>(bytes, at);
            change(symbol);
            put(bytes, at, symbol);
        }
    }
    return bytes;
}

} // namespace

TEST_CASE("a plug-in of either compiler parses") {
    for (const auto& compiler : compilers()) {
        CAPTURE(compiler);
        const auto bytes = read_plugin("counter_" + compiler);
        const auto file = ElfFile::parse(bytes);
        REQUIRE(file);
        const auto& elf = file.value();
        CHECK(elf.image_size() % page_size == 0);
        CHECK(elf.image_size() > 3000 * sizeof(int));
        CHECK(elf.entry() != 0);
        CHECK(elf.constructors().empty());
        CHECK(undefined_symbols(elf) == std::vector<std::string_view>{"DbgPrint", "KeFeatureBits"});
    }
}

TEST_CASE("a stripped plug-in keeps its entry point") {
    for (const auto& compiler : compilers()) {
        const auto bytes = read_plugin("stripped_" + compiler);
        const auto full = read_plugin("counter_" + compiler);
        REQUIRE(ElfFile::parse(bytes));
        CHECK(ElfFile::parse(bytes).value().entry() == ElfFile::parse(full).value().entry());
    }
}

TEST_CASE("undefined names are sorted, without weak ones") {
    const auto bytes = read_plugin("undefined_gcc");
    const auto file = ElfFile::parse(bytes);
    REQUIRE(file);
    CHECK(undefined_symbols(file.value()) ==
          std::vector<std::string_view>{"ExMissing", "IoNoSuchRoutine", "KeAbsentVariable", "printf"});
}

TEST_CASE("what a kernel image cannot ask for is refused") {
    const std::map<std::string, std::string> refusals{
        {"no_entry", "no DriverEntry function"},
        {"cpp_entry", "no DriverEntry: it is a C++ function here; declare it extern \"C\""},
        {"destructor", "a static destructor (at_exit); NT does not run them either: initialise in DriverEntry"},
        {"thread_local", "thread-local variables: kernel code has no thread-local storage"},
        {"text_relocation", "text relocations: compile with -fPIC"},
        {"init_routine", "an initialisation routine of the C run-time: link with -nostartfiles"},
        {"needs_library", "needs the shared library libm.so.6: a driver uses the kernel alone (link with -nostdlib)"},
    };
    for (const auto& compiler : compilers())
        for (const auto& [plugin, text] : refusals) CHECK(error_of_plugin(plugin + "_" + compiler) == text);
}

TEST_CASE("refusals name what they met") {
    using Catch::Matchers::Contains;
    for (const auto& compiler : compilers()) {
        CHECK_THAT(error_of_plugin("constructor_" + compiler), Contains("a static constructor (_GLOBAL__sub_I_"));
        CHECK_THAT(error_of_plugin("ifunc_" + compiler), Contains("an indirect function (ifunc)"));
    }
}

TEST_CASE("constructors of the old kind are known by their section") {
    auto bytes = read_plugin("counter_gcc");
    const std::string comment = ".comment", constructors(".ctors\0\0", 8);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const auto at = std::string_view(text, bytes.size()).find(comment);
    REQUIRE(at != std::string_view::npos);
    std::memcpy(bytes.data() + at, constructors.data(), constructors.size());
    CHECK(error_of(bytes) ==
          "static constructors or destructors (.ctors); NT does not run them either: initialise in DriverEntry");
}

TEST_CASE("files that are no plug-ins are told apart") {
    CHECK(error_of({}) == "an empty file");
    CHECK(error_of(Bytes(100, std::byte{'x'})) == "not an ELF file");
    CHECK(error_of({std::byte{'M'}, std::byte{'Z'}}) ==
          "a Windows PE image; a plug-in is an ELF file that `dirql cc` builds");
    CHECK(error_of(with_header([](auto& h) { h.e_ident[EI_CLASS] = ELFCLASS32; })) == "not a 64-bit ELF file");
    CHECK(error_of(with_header([](auto& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; })) == "not a little-endian ELF file");
    CHECK(error_of(with_header([](auto& h) { h.e_machine = EM_AARCH64; })) == "built for ELF machine 183, not x86-64");
    CHECK(error_of(with_header([](auto& h) { h.e_type = ET_REL; })) ==
          "a relocatable object, not linked yet; a plug-in is a shared object");
    CHECK(error_of(with_header([](auto& h) { h.e_type = ET_EXEC; })) ==
          "an executable program; a plug-in is a shared object");
    CHECK(error_of(with_segments(PT_GNU_STACK, [](auto& s) { s.p_type = PT_INTERP; })) ==
          "an executable program (it names an interpreter); a plug-in is a shared object");
}

TEST_CASE("every truncation is an error") {
    const auto whole = read_plugin("counter_gcc");
    REQUIRE(error_of(whole) == "accepted");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)); // its own block, for ASan
        const auto text = error_of(part);
        if (text == "accepted" || text.find('\n') != std::string::npos) FAIL("at " << size << ": " << text);
    }
}

TEST_CASE("offsets outside the file are errors") {
    const auto far = ~std::uint64_t{0} - 8;
    CHECK(error_of(with_header([&](auto& h) { h.e_phoff = far; })) ==
          "truncated: the program headers lie outside the file");
    CHECK(error_of(with_header([&](auto& h) { h.e_shoff = far; })) ==
          "truncated: the section headers lie outside the file");
    CHECK(error_of(with_header([](auto& h) { h.e_phnum = 0; })) == "no program headers: nothing to load");
    CHECK(error_of(with_segments(PT_LOAD, [&](auto& s) { s.p_offset = far; })) ==
          "truncated: the segment at 0x0 lies outside the file");
    CHECK(error_of(with_segments(PT_DYNAMIC, [&](auto& s) { s.p_offset = far; })) ==
          "truncated: the dynamic section lies outside the file");
    CHECK(error_of(with_dynamic(DT_RELA, [&](auto& d) { d.d_un.d_ptr = far; })) ==
          "the relocation table lies outside the file");
    CHECK(error_of(with_dynamic(DT_RELASZ, [&](auto& d) { d.d_un.d_val = far; })) ==
          "the relocation table lies outside the file");
    CHECK(error_of(with_dynamic(DT_STRTAB, [&](auto& d) { d.d_un.d_ptr = far; })) ==
          "a symbol's name lies outside the string table");
}

TEST_CASE("segments that cannot be placed are errors") {
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_vaddr += 0x10000; })) ==
          "the first segment does not begin at address 0");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_vaddr = 0; })) == "the segment at 0x0 overlaps another");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) {
              s.p_filesz = s.p_memsz + 1;
              s.p_offset = 0;
          })) == "the segment at 0x0 has more bytes than memory");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_memsz = std::uint64_t{1} << 40; })) ==
          "the segment at 0x0 of 0x10000000000 bytes exceeds an image's 256 MB");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_flags = PF_R | PF_W | PF_X; })) ==
          "the segment at 0x0 is writable and executable");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_align = 3; })) == "the segment at 0x0 has alignment 0x3");
    CHECK(error_of(with_segments(PT_LOAD, [](auto& s) { s.p_type = PT_NULL; })) == "no segments to load");
    CHECK(error_of(with_segments(PT_DYNAMIC, [](auto& s) { s.p_type = PT_NULL; })) ==
          "no dynamic section: not linked as a shared object");
    CHECK(error_of(with_segments(PT_GNU_RELRO, [](auto& s) { s.p_vaddr = 0; })) ==
          "the region to make read-only lies outside the writable segments");
}

TEST_CASE("relocations outside the rules are errors") {
    using Catch::Matchers::Contains;
    using Catch::Matchers::StartsWith;
    const auto typed = [](std::uint32_t type) {
        return error_of(with_relocations([=](auto& r) { r.r_info = ELF64_R_INFO(ELF64_R_SYM(r.r_info), type); }));
    };
    CHECK_THAT(typed(R_X86_64_COPY), StartsWith("a copy relocation at "));
    CHECK_THAT(typed(R_X86_64_DTPMOD64), StartsWith("a thread-local variable at "));
    CHECK_THAT(typed(R_X86_64_TPOFF64), StartsWith("a thread-local variable at "));
    CHECK_THAT(typed(R_X86_64_IRELATIVE), StartsWith("an indirect function (ifunc) at "));
    CHECK_THAT(typed(R_X86_64_PC32), StartsWith("a 32-bit relocation (type 2) at "));
    CHECK_THAT(typed(99), Contains("relocation type 99 at ") && Contains("is not supported"));
    CHECK_THAT(error_of(with_relocations([](auto& r) { r.r_offset = 0x1000; })),
               StartsWith("a relocation in read-only code or data at 0x1000"));
    CHECK_THAT(error_of(with_relocations([](auto& r) { r.r_offset = 0x7fffffff; })),
               StartsWith("a relocation at 0x7fffffff, outside the image"));
    std::uint64_t first = 0;
    CHECK_THAT(error_of(with_relocations([&](auto& r) {
                   if (first == 0) first = r.r_offset;
                   r.r_offset = first;
               })),
               StartsWith("two relocations fill the same bytes at "));
    CHECK_THAT(error_of(with_relocations([](auto& r) { r.r_info = ELF64_R_INFO(0xffffffffu, R_X86_64_64); })),
               Contains("symbol 4294967295 is outside the file"));
}

TEST_CASE("symbols outside the rules are errors") {
    using Catch::Matchers::Contains;
    const auto of_type = [](std::uint8_t type) {
        return error_of(with_symbols("counter_gcc", SHT_DYNSYM, [=](auto& s) {
            if (s.st_name != 0) s.st_info = ELF64_ST_INFO(ELF64_ST_BIND(s.st_info), type);
        }));
    };
    CHECK_THAT(of_type(STT_GNU_IFUNC), Contains("is an indirect function (ifunc)"));
    CHECK_THAT(of_type(STT_TLS), Contains("is a thread-local variable"));
    CHECK(error_of(with_symbols("counter_gcc", SHT_DYNSYM, [](auto& s) { s.st_name = 0xfffffff0; })) ==
          "a symbol's name lies outside the string table");
    CHECK(error_of(with_symbols("counter_gcc", SHT_SYMTAB, [](auto& s) {
              if (ELF64_ST_TYPE(s.st_info) == STT_FUNC) s.st_value = 0x3fff000;
          })) == "DriverEntry at 0x3fff000 is not in an executable segment");
}

TEST_CASE("names in messages are one clean line") {
    CHECK(printable("IoCreateDevice") == "IoCreateDevice");
    CHECK(printable("a\nb\x1b[2J\xff") == "a?b?[2J?");
    CHECK(printable(std::string(5000, 'n')).size() < 210);
}
