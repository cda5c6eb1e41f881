#include "ldr/elf_image.hpp"

#include "ldr/elf_parser.hpp"
#include "ldr/template_builder.hpp"

#include <fmt/format.h>

#include <sys/mman.h>

#include <cassert>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace dirql::ldr {

namespace {

constexpr std::uintmax_t max_file_size = std::uintmax_t{1} << 30; // debug information included

} // namespace

int protection_flags(Access access) noexcept {
    switch (access) {
    case Access::none: return PROT_NONE;
    case Access::read: return PROT_READ;
    case Access::read_write: return PROT_READ | PROT_WRITE;
    case Access::read_execute: return PROT_READ | PROT_EXEC;
    }
    return PROT_NONE;
}

void LoadedImage::run_constructors() const {
    for (const auto offset : source->constructors_) reinterpret_cast<void (*)()>(base + offset)();
}

void LoadedImage::run_destructors() const {
    for (const auto offset : source->destructors_) reinterpret_cast<void (*)()>(base + offset)();
}

Result<std::shared_ptr<const ImageTemplate>> ImageTemplate::create(std::string path, std::vector<std::byte> file,
                                                                   const SymbolResolver& resolver) {
    std::shared_ptr<ImageTemplate> result(new ImageTemplate);
    result->path_ = std::move(path);
    result->bytes_ = std::move(file);
    if (auto error = TemplateBuilder(*result, resolver).build()) {
        error->text = fmt::format("{}: {}", printable(result->name()), error->text);
        return std::move(*error);
    }
    return std::shared_ptr<const ImageTemplate>(std::move(result));
}

Result<std::shared_ptr<const ImageTemplate>> ImageTemplate::load(const std::string& path,
                                                                 const SymbolResolver& resolver) {
    std::error_code failed;
    const auto size = std::filesystem::file_size(path, failed);
    if (failed) return bad_image("{}: cannot be read: {}", printable(path), failed.message());
    if (size > max_file_size) return bad_image("{}: too large for a driver: {} bytes", printable(path), size);
    std::vector<std::byte> file(size);
    std::ifstream stream(path, std::ios::binary);
    if (!stream.read(reinterpret_cast<char*>(file.data()), static_cast<std::streamsize>(size)))
        return bad_image("{}: cannot be read", printable(path));
    return create(path, std::move(file), resolver);
}

std::string_view ImageTemplate::name() const noexcept { return std::string_view(path_).substr(path_.rfind('/') + 1); }

LoadedImage ImageTemplate::instantiate(std::span<std::byte> memory) const noexcept {
    auto* base = memory.data();
    const auto address = reinterpret_cast<std::uintptr_t>(base);
    assert(memory.size() >= image_size_ && address % alignment_ == 0);
    for (std::size_t region = 0; region < regions_.size(); ++region) fill(base, region);
    return LoadedImage{
        .source = this,
        .base = base,
        .size = image_size_,
        .entry = base + entry_,
        .text = {address + text_.begin, address + text_.end},
        .data = {address + data_.begin, address + data_.end},
    };
}

void ImageTemplate::restore_data(const LoadedImage& image) const {
    assert(image.source == this);
    image.run_destructors(); // a sanitizer watches the space between globals, which is about to be written
    for (std::size_t region = 0; region < regions_.size(); ++region)
        if (regions_[region].access == Access::read_write) fill(image.base, region);
    image.run_constructors();
}

void ImageTemplate::fill(std::byte* base, std::size_t region) const noexcept {
    const auto& target = regions_[region];
    const auto& pristine = pristine_[region];
    std::memcpy(base + target.offset, content_.data() + pristine.content_offset, pristine.content_size);
    std::memset(base + target.offset + pristine.content_size, 0, target.size - pristine.content_size);
    for (std::size_t i = pristine.first_relocation; i < pristine.last_relocation; ++i) {
        std::uint64_t value; // a word of a packed structure may lie at any address
        std::memcpy(&value, base + rebased_[i], sizeof(value));
        value += reinterpret_cast<std::uintptr_t>(base);
        std::memcpy(base + rebased_[i], &value, sizeof(value));
    }
}

} // namespace dirql::ldr
