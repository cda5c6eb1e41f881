// What the loader's tests share: plug-ins from disk, memory to place them in, names to bind them to.
#pragma once

#include "ldr/elf_image.hpp"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace ldr_test {

using Bytes = std::vector<std::byte>;

inline std::vector<std::string> compilers() {
    std::istringstream names(LDR_COMPILER_NAMES);
    return {std::istream_iterator<std::string>(names), {}};
}

inline std::string plugin_path(const std::string& name) { return LDR_PLUGIN_DIR "/" + name + ".so"; }

inline Bytes read_plugin(const std::string& name) {
    std::ifstream stream(plugin_path(name), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

class Names final : public dirql::ldr::SymbolResolver {
public:
    explicit Names(std::map<std::string, void*, std::less<>> names) : names_(std::move(names)) {}

    void* resolve(std::string_view name) const override {
        const auto found = names_.find(name);
        return found == names_.end() ? nullptr : found->second;
    }

private:
    std::map<std::string, void*, std::less<>> names_;
};

// Pages filled with rubbish, as a recycled slot's are.
class Memory {
public:
    explicit Memory(const dirql::ldr::ImageTemplate& image)
        : pages_(static_cast<std::byte*>(
                     mmap(nullptr, image.image_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
                 image.image_size()) {
        std::fill(pages_.begin(), pages_.end(), std::byte{0xcc});
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { munmap(pages_.data(), pages_.size()); }

    [[nodiscard]] std::span<std::byte> pages() const { return pages_; }
    void protect(const dirql::ldr::ImageTemplate& image) const {
        for (const auto& region : image.regions())
            mprotect(pages_.data() + region.offset, region.size, dirql::ldr::protection_flags(region.access));
    }

private:
    std::span<std::byte> pages_;
};

} // namespace ldr_test
