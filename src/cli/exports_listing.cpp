#include "cli/exports_listing.hpp"

#include "ke/export_rules.hpp"
#include "ldr/documented.hpp"
#include "ldr/exports.hpp"

#include <fmt/format.h>

namespace dirql::cli {
namespace {

namespace level = ke::export_irql;

std::string level_name(std::uint8_t irql) {
    switch (irql) {
    case level::PASSIVE: return "PASSIVE";
    case level::APC: return "APC";
    case level::DISPATCH: return "DISPATCH";
    case level::DIRQL: return "DIRQL";
    case level::HIGH: return "HIGH";
    default: return "?"; // the document gives none
    }
}

std::string_view state_name(const ldr::Export& entry) {
    if (entry.kind == ldr::ExportKind::inlined) return "inline";
    return entry.state == ldr::ExportState::full ? "full" : "partial";
}

std::string_view image_of(const ldr::Export& entry) {
    if (!entry.image.empty()) return entry.image;
    return entry.kind == ldr::ExportKind::compiler ? "compiler" : "header";
}

std::string note_of(const ldr::Export& entry) {
    const std::string_view kind = entry.kind == ldr::ExportKind::data  ? "data"
                                  : entry.kind == ldr::ExportKind::crt ? "C run-time"
                                                                       : "";
    if (kind.empty() || entry.note.empty()) return std::string(kind.empty() ? entry.note : kind);
    return fmt::format("{}; {}", kind, entry.note);
}

Listing listing_of(const ldr::Export& entry) {
    Listing listing{entry.name, state_name(entry), image_of(entry), entry.irql_min, entry.irql_max, note_of(entry)};
    const auto* document = ldr::find_documented(entry.name);
    if (entry.kind == ldr::ExportKind::inlined && document != nullptr) {
        listing.irql_min = document->irql_min;
        listing.irql_max = document->irql_max;
    }
    return listing;
}

} // namespace

Listing listing_of(std::string_view name) {
    if (const auto* entry = ldr::find_export(name)) return listing_of(*entry);
    const auto* document = ldr::find_documented(name);
    if (document == nullptr) return {};
    return {document->name,     "absent",           document->image,
            document->irql_min, document->irql_max, fmt::format("documented in {}", document->header)};
}

std::string line_of(const Listing& listing) {
    return fmt::format("{} {} {} {}..{}{}{}\n", listing.name, listing.state, listing.image,
                       level_name(listing.irql_min), level_name(listing.irql_max), listing.note.empty() ? "" : " ",
                       listing.note);
}

} // namespace dirql::cli
