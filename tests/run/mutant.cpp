// Preloaded into a test program, makes one exported function useless: DIRQL_MUTANT=NAME:VALUE, and NAME returns VALUE (32 bits, zero
// extended) without doing anything, wherever it is linked into the program or its libraries.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Mutant {
    char name[256];
    std::uint32_t value;
    unsigned replaced;
};

void overwrite(void* function, std::uint32_t value) {
    unsigned char code[] = {0xB8, 0, 0, 0, 0, 0xC3}; // mov eax, value; ret
    std::memcpy(code + 1, &value, sizeof value);
    const auto page = reinterpret_cast<std::uintptr_t>(function) & ~std::uintptr_t{0xFFF};
    if (mprotect(reinterpret_cast<void*>(page), 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return;
    std::memcpy(function, code, sizeof code);
    mprotect(reinterpret_cast<void*>(page), 0x2000, PROT_READ | PROT_EXEC);
}

void look_through(const char* file, std::size_t size, std::uintptr_t base, Mutant& mutant) {
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file);
    if (size < sizeof *header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file + sections[i].sh_offset);
        const char* names = file + sections[sections[i].sh_link].sh_offset;
        for (std::size_t n = 0; n < sections[i].sh_size / sizeof *symbols; ++n) {
            const Elf64_Sym& symbol = symbols[n];
            if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
            if (std::strcmp(names + symbol.st_name, mutant.name) != 0) continue;
            overwrite(reinterpret_cast<void*>(base + symbol.st_value), mutant.value);
            ++mutant.replaced;
        }
    }
}

int visit(dl_phdr_info* object, std::size_t, void* context) {
    const char* path = object->dlpi_name[0] == '\0' ? "/proc/self/exe" : object->dlpi_name;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) return 0;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* file = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (file == MAP_FAILED) return 0;
    look_through(static_cast<const char*>(file), size, object->dlpi_addr, *static_cast<Mutant*>(context));
    munmap(file, size);
    return 0;
}

[[gnu::constructor]] void mutate() {
    const char* what = std::getenv("DIRQL_MUTANT");
    Mutant mutant{};
    if (what == nullptr || std::sscanf(what, "%255[^:]:%x", mutant.name, &mutant.value) != 2) return;
    dl_iterate_phdr(visit, &mutant);
    if (mutant.replaced == 0) std::fprintf(stderr, "mutant: %s is not linked here\n", mutant.name);
}

} // namespace
