// Plug-ins in memory: parsed and bound once, placed as often as machines load them.
//
// An ImageTemplate is a plug-in whose imports are resolved: the bytes that every placed copy starts from, and the list of
// places that depend on the base. It never changes, so machines on several host threads share one. instantiate() is a copy
// and that list, a few microseconds for a small driver, and uses no heap; each copy has globals of its own.
//
// The caller owns memory and protections:
//
//     LoadedImage image = echo->instantiate(memory);           // memory: writable pages
//     for (const Region& r : echo->regions()) protect(image.base + r.offset, r.size, r.access);
//     image.run_constructors();                                // registers with a sanitizer; mostly there are none
#pragma once

#include "ldr/address_range.hpp"
#include "ldr/elf_file.hpp"
#include "ldr/result_fwd.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::ldr {

// Gives names their addresses; must answer the same for as long as templates made with it are in use.
class SymbolResolver {
public:
    // Null: nobody has the name.
    [[nodiscard]] virtual void* resolve(std::string_view name) const = 0;

protected:
    ~SymbolResolver() = default;
};

enum class Access : std::uint8_t { none, read, read_write, read_execute };

// Access as mmap and mprotect spell it.
[[nodiscard]] int protection_flags(Access access) noexcept;

// Whole pages of one protection. A template's regions cover the image without gaps, in order of address.
struct Region {
    std::size_t offset;
    std::size_t size;
    Access access;
};

class ImageTemplate;

// A placed copy. A plain value without ownership: it may be copied, and dies with its memory.
struct LoadedImage {
    const ImageTemplate* source = nullptr;
    std::byte* base = nullptr;
    std::size_t size = 0;
    void* entry = nullptr; // DriverEntry
    AddressRange text;     // all code
    AddressRange data;     // all that a driver may write

    template <class Function> [[nodiscard]] Function* entry_as() const noexcept {
        return reinterpret_cast<Function*>(entry);
    }
    [[nodiscard]] bool contains(const void* address) const noexcept {
        const auto begin = reinterpret_cast<std::uintptr_t>(base);
        return AddressRange{begin, begin + size}.contains(address);
    }

    // Announce the image's globals to a sanitizer, after protections are set, and withdraw them, before the memory serves
    // anything else. Nothing happens for images without instrumentation.
    void run_constructors() const;
    void run_destructors() const;
};

class ImageTemplate {
public:
    // Parses `file`, the content of the plug-in at `path` (kept for messages, debuggers and debug information), and resolves
    // its imports. Errors, each one line that begins with the file's name: ErrorCode::bad_image as ElfFile::parse gives it;
    // ErrorCode::unresolved_import with every name that lacks.
    [[nodiscard]] static Result<std::shared_ptr<const ImageTemplate>>
    create(std::string path, std::vector<std::byte> file, const SymbolResolver& resolver);
    // The same, with the file read here. Adds ErrorCode::bad_image when it cannot be.
    [[nodiscard]] static Result<std::shared_ptr<const ImageTemplate>> load(const std::string& path,
                                                                           const SymbolResolver& resolver);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string_view name() const noexcept; // the path's last part
    [[nodiscard]] std::span<const std::byte> file() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t image_size() const noexcept { return image_size_; }
    [[nodiscard]] std::size_t alignment() const noexcept { return alignment_; }
    [[nodiscard]] bool integrity() const noexcept { return integrity_; } // see ElfFile
    [[nodiscard]] std::span<const Region> regions() const noexcept { return regions_; }

    // Places a copy at memory.data(), which is aligned to alignment() and has image_size() writable bytes or more. What the
    // memory held before does not matter.
    [[nodiscard]] LoadedImage instantiate(std::span<std::byte> memory) const noexcept;

    // Gives a placed copy its first data again. Writes to nothing but read_write regions, so protections may stay.
    void restore_data(const LoadedImage& image) const;

private:
    friend struct LoadedImage;
    friend class TemplateBuilder;

    ImageTemplate() = default;

    // How a region begins its life: content_size bytes of content_, zeros, and relocations [first, last) on top.
    struct Pristine {
        std::size_t content_offset;
        std::size_t content_size;
        std::size_t first_relocation;
        std::size_t last_relocation;
    };
    void fill(std::byte* base, std::size_t region) const noexcept;

    std::string path_;
    std::vector<std::byte> bytes_;
    std::size_t image_size_ = 0;
    std::size_t alignment_ = 0;
    std::uint64_t entry_ = 0;
    bool integrity_ = false;
    AddressRange text_; // relative to the base, as is data_
    AddressRange data_;
    std::vector<Region> regions_;
    std::vector<Pristine> pristine_;     // one a region
    std::vector<std::byte> content_;     // imports and constants filled in
    std::vector<std::uint32_t> rebased_; // offsets of the 8-byte words that the base is added to
    std::vector<std::uint64_t> constructors_;
    std::vector<std::uint64_t> destructors_;
};

} // namespace dirql::ldr
