// The walk along a name.
#include "ob/namespace.hpp"

#include "ob/capture.hpp"
#include "ob/directory.hpp"
#include "ob/handle_table.hpp"
#include "ob/security.hpp"
#include "ob/state.hpp"

#include <utility>

namespace dirql::ob {
namespace {

constexpr char16_t separator = u'\\';
constexpr unsigned most_reparses = 32; // names followed on the way to one object; more are a loop
constexpr std::u16string_view dos_prefix = u"\\??";

// A walk in progress. `rest_` is a view into the name that is followed now: the caller's, or one that a link gave.
class Walk {
public:
    explicit Walk(const NameLookup& lookup) noexcept
        : lookup_(lookup), attributes_(attributes_for(lookup)), complete_(lookup.name), rest_(view(lookup.name)) {}

    NTSTATUS run(void** found) noexcept {
        NTSTATUS status = begin(found);
        unsigned left = most_reparses;
        while (status == STATUS_REPARSE) {
            if (--left == 0) return STATUS_OBJECT_NAME_NOT_FOUND;
            status = follow_reparse(found);
        }
        return status;
    }

private:
    static ULONG attributes_for(const NameLookup& lookup) noexcept {
        const bool insensitive = lookup.type == nullptr || lookup.type->case_insensitive;
        return lookup.attributes | (insensitive ? OBJ_CASE_INSENSITIVE : 0);
    }

    NTSTATUS begin(void** found) noexcept {
        if (lookup_.root == nullptr) return from_root(found);
        const ObjectType& type = type_of(lookup_.root);
        if (rest_.starts_with(separator) && type.index != TypeIndex::file) return STATUS_OBJECT_PATH_SYNTAX_BAD;
        if (&type == &directory_type) {
            if (rest_.empty()) return found_existing(lookup_.root, found);
            return descend(*static_cast<Directory*>(lookup_.root), found);
        }
        return type.parse == nullptr ? STATUS_INVALID_HANDLE : parse(lookup_.root, found);
    }

    NTSTATUS from_root(void** found) noexcept {
        State& state = current_state();
        if (!rest_.starts_with(separator)) return STATUS_OBJECT_PATH_SYNTAX_BAD;
        if (rest_.size() == 1) return found_existing(state.root, found);
        Directory* start = state.root;
        if (rest_.starts_with(dos_prefix) &&
            (rest_.size() == dos_prefix.size() || rest_[dos_prefix.size()] == separator)) {
            start = state.dos_devices;
            rest_.remove_prefix(dos_prefix.size());
            if (rest_.empty()) return found_existing(start, found);
        }
        return descend(*start, found);
    }

    // A link's target is absolute; one that is not leads nowhere. An empty name with nothing behind it is the root.
    NTSTATUS follow_reparse(void** found) noexcept {
        if (rest_.empty()) return found_existing(current_state().root, found);
        return rest_.starts_with(separator) ? from_root(found) : STATUS_OBJECT_NAME_NOT_FOUND;
    }

    NTSTATUS descend(Directory& first, void** found) noexcept {
        Directory* directory = &first;
        for (;;) {
            const std::u16string_view component = next_component();
            if (component.empty()) return STATUS_OBJECT_NAME_INVALID;
            const NTSTATUS allowed = check_directory(*directory, DIRECTORY_TRAVERSE, mode());
            if (!NT_SUCCESS(allowed)) return allowed;
            ObjectHeader* object = find_entry(*directory, component, case_rule(attributes_));
            if (object == nullptr) return nothing_there(*directory, component, found);
            if (takes_over(*object->type)) return parse_referenced(object->body(), found);
            if (rest_.empty()) return found_existing(object->body(), found);
            if (object->type != &directory_type) return STATUS_OBJECT_TYPE_MISMATCH;
            directory = static_cast<Directory*>(object->body());
        }
    }

    [[nodiscard]] KPROCESSOR_MODE mode() const noexcept { return checked_mode(attributes_, lookup_.mode); }

    // A separator at the end leaves an empty component, which is no name.
    std::u16string_view next_component() noexcept {
        if (rest_.starts_with(separator)) rest_.remove_prefix(1);
        const std::u16string_view component = rest_.substr(0, rest_.find(separator));
        rest_.remove_prefix(component.size());
        return component;
    }

    // New objects are put behind links, not into devices.
    [[nodiscard]] bool takes_over(const ObjectType& type) const noexcept {
        return type.parse != nullptr && (lookup_.insert == nullptr || &type == &symbolic_link_type);
    }

    NTSTATUS nothing_there(Directory& directory, std::u16string_view component, void** found) const noexcept {
        if (!rest_.empty()) return STATUS_OBJECT_PATH_NOT_FOUND;
        if (lookup_.insert == nullptr) return STATUS_OBJECT_NAME_NOT_FOUND;
        const NTSTATUS allowed = check_directory(
            directory,
            lookup_.insert->type == &directory_type ? DIRECTORY_CREATE_SUBDIRECTORY : DIRECTORY_CREATE_OBJECT, mode());
        if (!NT_SUCCESS(allowed)) return allowed;
        if (!insert_entry(directory, component, *lookup_.insert)) return STATUS_INSUFFICIENT_RESOURCES;
        *found = lookup_.insert->body();
        reference(*found);
        return STATUS_SUCCESS;
    }

    // Whose type an insertion finds is for the inserter to judge.
    NTSTATUS found_existing(void* object, void** found) const noexcept {
        const bool any = lookup_.insert != nullptr || lookup_.type == nullptr;
        if (!any && lookup_.type != &type_of(object)) return STATUS_OBJECT_TYPE_MISMATCH;
        reference(object);
        *found = object;
        return STATUS_SUCCESS;
    }

    NTSTATUS parse_referenced(void* object, void** found) noexcept {
        reference(object); // the parse procedure may wait
        const NTSTATUS status = parse(object, found);
        dereference(object);
        return status;
    }

    NTSTATUS parse(void* object, void** found) noexcept {
        const auto bytes = static_cast<USHORT>(rest_.size() * sizeof(WCHAR));
        ParseRequest request{.object = object,
                             .type = lookup_.type,
                             .access = lookup_.access,
                             .mode = lookup_.mode,
                             .attributes = attributes_,
                             .complete = complete_,
                             .remaining = {bytes, bytes, const_cast<char16_t*>(rest_.data())},
                             .context = lookup_.parse_context,
                             .quality_of_service = lookup_.quality_of_service,
                             .reparse_name = {}};
        *found = nullptr;
        const NTSTATUS status = type_of(object).parse(request, found);
        if (status == STATUS_REPARSE) {
            link_name_.reset(request.reparse_name);
            complete_ = link_name_.get();
            rest_ = view(complete_);
        }
        if (NT_SUCCESS(status) && status != STATUS_REPARSE && *found == nullptr) return STATUS_OBJECT_NAME_NOT_FOUND;
        return status;
    }

    const NameLookup& lookup_;
    ULONG attributes_; // OBJ_*, with what the type adds
    UNICODE_STRING complete_;
    std::u16string_view rest_;
    CapturedName link_name_;
};

} // namespace

NTSTATUS look_up_name(const NameLookup& lookup, void** found) noexcept { return Walk(lookup).run(found); }

} // namespace dirql::ob
