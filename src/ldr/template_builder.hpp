// The making of an ImageTemplate, which is constant afterwards.
#pragma once

#include "ldr/elf_image.hpp"

#include <optional>
#include <vector>

namespace dirql::ldr {

class TemplateBuilder {
public:
    TemplateBuilder(ImageTemplate& result, const SymbolResolver& resolver) : result_(result), resolver_(resolver) {}

    // Fills the template from its bytes_; says what is wrong if that fails.
    [[nodiscard]] std::optional<Error> build();

private:
    struct Plan {
        Region region;
        std::vector<std::byte> content;
        std::vector<std::uint32_t> rebased;
    };

    [[nodiscard]] std::optional<Error> resolve_imports();
    void plan_regions();
    void plan_segment(const Segment& segment);
    void plan_region(const Segment& segment, std::uint64_t begin, std::uint64_t end, Access access);
    [[nodiscard]] std::optional<Error> apply_relocations();
    void apply(const Relocation& relocation, Plan& plan) const;
    [[nodiscard]] Plan& plan_holding(std::uint64_t address);
    void flatten();
    void describe();

    ImageTemplate& result_;
    const SymbolResolver& resolver_;
    ElfFile file_;
    std::vector<std::uint64_t> addresses_; // one an import
    std::vector<Plan> plans_;
};

} // namespace dirql::ldr
