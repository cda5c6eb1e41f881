#include "ldr/template_builder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace dirql::ldr {

std::optional<Error> TemplateBuilder::build() {
    auto file = ElfFile::parse(result_.bytes_);
    if (!file) return std::move(file).error();
    file_ = std::move(file).value();
    if (auto error = resolve_imports()) return error;
    plan_regions();
    if (auto error = apply_relocations()) return error;
    flatten();
    describe();
    return std::nullopt;
}

namespace {

bool is_sanitizer_name(std::string_view name) {
    return name.starts_with("__asan_") || name.starts_with("__tsan_") || name.starts_with("__ubsan_");
}

Error missing_imports(std::vector<std::string> names, bool sanitizer) {
    std::ranges::sort(names);
    auto text = fmt::format("undefined in the kernel: {}", fmt::join(names, ", "));
    if (sanitizer) text += " (built with a sanitizer that this process is not built with)";
    return Error{ErrorCode::unresolved_import, std::move(text)};
}

} // namespace

std::optional<Error> TemplateBuilder::resolve_imports() {
    std::vector<std::string> missing;
    bool sanitizer = false;
    for (const auto& import : file_.imports()) {
        void* address = resolver_.resolve(import.name);
        addresses_.push_back(reinterpret_cast<std::uintptr_t>(address));
        if (address != nullptr || import.weak) continue;
        missing.push_back(printable(import.name));
        sanitizer |= is_sanitizer_name(import.name);
    }
    if (missing.empty()) return std::nullopt;
    return missing_imports(std::move(missing), sanitizer);
}

void TemplateBuilder::plan_regions() {
    std::uint64_t end = 0;
    for (const auto& segment : file_.segments()) {
        plan_region(segment, end, segment.first_page(), Access::none);
        plan_segment(segment);
        end = segment.page_end();
    }
}

void TemplateBuilder::plan_segment(const Segment& segment) {
    const auto begin = segment.first_page();
    const auto end = segment.page_end();
    if (!segment.writable)
        return plan_region(segment, begin, end, segment.executable ? Access::read_execute : Access::read);
    const auto sealed_begin = std::clamp<std::uint64_t>(file_.relro().begin, begin, end);
    const auto sealed_end = std::clamp<std::uint64_t>(file_.relro().end, begin, end);
    plan_region(segment, begin, sealed_begin, Access::read_write);
    plan_region(segment, sealed_begin, sealed_end, Access::read);
    plan_region(segment, sealed_end, end, Access::read_write);
}

// Copies the segment's bytes that fall into [begin, end), behind zeros where the segment begins inside a page.
void TemplateBuilder::plan_region(const Segment& segment, std::uint64_t begin, std::uint64_t end, Access access) {
    if (begin == end) return;
    auto& plan = plans_.emplace_back(Plan{{begin, end - begin, access}, {}, {}});
    const auto from = std::clamp(segment.address, begin, end);
    const auto to = std::clamp(segment.address + segment.content.size(), from, end);
    if (from == to) return;
    const auto bytes = segment.content.subspan(from - segment.address, to - from);
    plan.content.resize(from - begin);
    plan.content.insert(plan.content.end(), bytes.begin(), bytes.end());
}

TemplateBuilder::Plan& TemplateBuilder::plan_holding(std::uint64_t address) {
    const auto after =
        std::ranges::upper_bound(plans_, address, {}, [](const Plan& plan) { return plan.region.offset; });
    return *std::prev(after);
}

std::optional<Error> TemplateBuilder::apply_relocations() {
    for (const auto& relocation : file_.relocations()) {
        auto& plan = plan_holding(relocation.address);
        const auto end = plan.region.offset + plan.region.size;
        if (end - relocation.address < sizeof(std::uint64_t))
            return Error{ErrorCode::bad_image,
                         fmt::format("a relocation at {:#x} crosses into other protection", relocation.address)};
        apply(relocation, plan);
    }
    return std::nullopt;
}

// Whatever does not depend on the base is final here; the rest waits in `rebased` with the offset in place.
void TemplateBuilder::apply(const Relocation& relocation, Plan& plan) const {
    const auto offset = relocation.address - plan.region.offset;
    auto value = relocation.value;
    if (relocation.kind == Relocation::Kind::import) {
        const auto address = addresses_[relocation.import];
        value = address == 0 ? 0 : address + relocation.value; // a weak name that lacks is null, whatever the addend
    }
    plan.content.resize(std::max(plan.content.size(), offset + sizeof(value)));
    std::memcpy(plan.content.data() + offset, &value, sizeof(value));
    if (relocation.kind == Relocation::Kind::image)
        plan.rebased.push_back(static_cast<std::uint32_t>(relocation.address));
}

void TemplateBuilder::flatten() {
    auto& content = result_.content_;
    auto& rebased = result_.rebased_;
    for (const auto& plan : plans_) {
        result_.regions_.push_back(plan.region);
        result_.pristine_.push_back(
            {content.size(), plan.content.size(), rebased.size(), rebased.size() + plan.rebased.size()});
        content.insert(content.end(), plan.content.begin(), plan.content.end());
        rebased.insert(rebased.end(), plan.rebased.begin(), plan.rebased.end());
    }
}

namespace {

void extend(AddressRange& range, const Region& region) {
    if (range.empty()) range.begin = region.offset;
    range.end = region.offset + region.size;
}

} // namespace

void TemplateBuilder::describe() {
    result_.image_size_ = file_.image_size();
    result_.alignment_ = file_.alignment();
    result_.entry_ = file_.entry();
    result_.integrity_ = file_.integrity();
    for (const auto& region : result_.regions_) {
        if (region.access == Access::read_execute) extend(result_.text_, region);
        if (region.access == Access::read_write) extend(result_.data_, region);
    }
    for (const auto& function : file_.constructors()) result_.constructors_.push_back(function.address);
    for (const auto& function : file_.destructors()) result_.destructors_.push_back(function.address);
}

} // namespace dirql::ldr
