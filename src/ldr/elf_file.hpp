// A driver plug-in as a file: an x86-64 ELF shared object, parsed and checked, nothing of it executed or placed yet.
//
// On NT the image loader refuses a file that breaks the format or asks for what a kernel cannot give; so here. What a
// plug-in may hold is little: loadable segments, relocations of the four kinds that position-independent code needs, and
// names to import. It may hold no thread-local variables, no static constructors, no references to shared libraries.
#pragma once

#include "ldr/address_range.hpp"
#include "ldr/result_fwd.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::ldr {

inline constexpr std::uint64_t page_size = 0x1000;
inline constexpr std::uint64_t max_image_size = 256u << 20;

// Addresses in an ElfFile are relative to the image's base.
struct Segment {
    std::uint64_t address;
    std::uint64_t memory_size;
    std::span<const std::byte> content; // the first bytes; the rest of memory_size is zero
    bool writable;
    bool executable;

    [[nodiscard]] std::uint64_t end() const noexcept { return address + memory_size; }
    [[nodiscard]] std::uint64_t first_page() const noexcept { return address & ~(page_size - 1); }
    [[nodiscard]] std::uint64_t page_end() const noexcept { return (end() + page_size - 1) & ~(page_size - 1); }
    [[nodiscard]] bool holds(std::uint64_t at, std::uint64_t size) const noexcept {
        return at >= address && at - address <= memory_size && size <= memory_size - (at - address);
    }
};

struct Import {
    std::string_view name;
    bool weak; // stays null when nobody has the name
};

// Eight bytes to fill in, in a writable segment.
struct Relocation {
    enum class Kind : std::uint8_t { image, import, constant };

    std::uint64_t address;
    std::uint64_t
        value; // image: offset from the base; import: added to the import's address; constant: the value itself
    std::uint32_t import; // index into imports(), for Kind::import
    Kind kind;

    friend bool operator==(const Relocation&, const Relocation&) = default;
};

// A constructor or destructor of a sanitizer's module registration. No other kind passes the parser.
struct InitFunction {
    std::uint64_t address;
    std::string_view name;
};

class ElfFile {
public:
    // Checks the whole file. The result refers to `bytes`, which must outlive it. Any input is allowed: nothing outside
    // `bytes` is read. Errors: ErrorCode::bad_image, one line saying what is wrong, without the file's name.
    [[nodiscard]] static Result<ElfFile> parse(std::span<const std::byte> bytes);

    [[nodiscard]] std::uint64_t image_size() const noexcept { return image_size_; } // whole pages
    [[nodiscard]] std::uint64_t alignment() const noexcept { return alignment_; }   // of the base; a page or more
    [[nodiscard]] std::uint64_t entry() const noexcept { return entry_; }           // DriverEntry
    // The plug-in's IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY: it defines the absolute symbol `dirql_force_integrity`, as
    // `dirql cc --integrity` makes the linker do.
    [[nodiscard]] bool integrity() const noexcept { return integrity_; }
    [[nodiscard]] AddressRange relro() const noexcept { return relro_; } // read-only once relocated

    [[nodiscard]] std::span<const Segment> segments() const noexcept { return segments_; }
    [[nodiscard]] std::span<const Import> imports() const noexcept { return imports_; }
    [[nodiscard]] std::span<const Relocation> relocations() const noexcept { return relocations_; } // by address
    [[nodiscard]] std::span<const InitFunction> constructors() const noexcept { return constructors_; }
    [[nodiscard]] std::span<const InitFunction> destructors() const noexcept { return destructors_; }

private:
    friend class ElfParser;

    std::uint64_t image_size_ = 0;
    std::uint64_t alignment_ = page_size;
    std::uint64_t entry_ = 0;
    bool integrity_ = false;
    AddressRange relro_;
    std::vector<Segment> segments_;
    std::vector<Import> imports_;
    std::vector<Relocation> relocations_;
    std::vector<InitFunction> constructors_;
    std::vector<InitFunction> destructors_;
};

// The names that the plug-in needs from the kernel, sorted, weak ones left out.
[[nodiscard]] std::vector<std::string_view> undefined_symbols(const ElfFile& file);

// A name out of a file, fit for one line of a message: cut to a sane length, control characters replaced.
[[nodiscard]] std::string printable(std::string_view name);

} // namespace dirql::ldr
