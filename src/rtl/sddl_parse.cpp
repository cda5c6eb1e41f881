// Text to descriptor.
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/guid_text.hpp"
#include "rtl/integer_text.hpp"
#include "rtl/memory.hpp"
#include "rtl/sddl.hpp"

namespace dirql::rtl {
namespace {

// Where the descriptor grows. What does not fit is counted.
class Block {
public:
    Block(void* to, std::size_t room) noexcept : to_(static_cast<std::byte*>(to)), room_(room) {}

    void put(const void* from, std::size_t bytes) noexcept {
        write(used_, from, bytes);
        used_ += bytes;
    }
    // Over what was put before.
    void write(std::size_t at, const void* from, std::size_t bytes) noexcept {
        if (at + bytes <= room_) move_memory(to_ + at, from, bytes);
    }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] bool fits() const noexcept { return used_ <= room_; }

private:
    std::byte* to_;
    std::size_t room_;
    std::size_t used_ = 0;
};

struct ListKind {
    char16_t letter;
    bool is_dacl;
    USHORT present, protect, auto_inherited, auto_inherit_required;
};
constexpr ListKind dacl_kind{
    u'D', true, SE_DACL_PRESENT, SE_DACL_PROTECTED, SE_DACL_AUTO_INHERITED, SE_DACL_AUTO_INHERIT_REQ};
constexpr ListKind sacl_kind{
    u'S', false, SE_SACL_PRESENT, SE_SACL_PROTECTED, SE_SACL_AUTO_INHERITED, SE_SACL_AUTO_INHERIT_REQ};

bool is_audit_type(UCHAR type) noexcept {
    switch (type) {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_DENIED_ACE_TYPE:
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE: return false;
    default: return true;
    }
}

// Kinds of which only the name is known here.
bool is_unsupported(UCHAR type) noexcept {
    return type == SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE || type == SYSTEM_ACCESS_FILTER_ACE_TYPE;
}

class Parser {
public:
    Parser(std::u16string_view text, Sddl how, Block& out) noexcept : text_(text), how_(how), out_(out) {}

    NTSTATUS run() noexcept {
        out_.put(&header_, sizeof header_);
        header_.Revision = SECURITY_DESCRIPTOR_REVISION;
        header_.Control = SE_SELF_RELATIVE;
        skip_blanks();
        while (!text_.empty()) {
            if (text_.size() < 2 || text_[1] != u':') return STATUS_INVALID_PARAMETER;
            const char16_t part = text_[0];
            text_.remove_prefix(2);
            const NTSTATUS status = parse_part(part);
            if (!NT_SUCCESS(status)) return status;
            skip_blanks();
        }
        if (how_ == Sddl::device_object && (header_.Control & SE_DACL_PRESENT) == 0) return STATUS_INVALID_PARAMETER;
        out_.write(0, &header_, sizeof header_);
        return STATUS_SUCCESS;
    }

private:
    NTSTATUS parse_part(char16_t part) noexcept {
        if (how_ == Sddl::device_object && part != u'D') return STATUS_INVALID_PARAMETER;
        switch (part) {
        case u'O': return parse_account_part(header_.Owner);
        case u'G': return parse_account_part(header_.Group);
        case u'D': return parse_list(dacl_kind, header_.Dacl);
        case u'S': return parse_list(sacl_kind, header_.Sacl);
        default: return STATUS_INVALID_PARAMETER;
        }
    }

    void skip_blanks() noexcept {
        while (!text_.empty() && (text_[0] == u' ' || text_[0] == u'\t')) text_.remove_prefix(1);
    }

    static std::u16string_view trimmed(std::u16string_view text) noexcept {
        const auto blank = [](char16_t c) { return c == u' ' || c == u'\t'; };
        while (!text.empty() && blank(text.front())) text.remove_prefix(1);
        while (!text.empty() && blank(text.back())) text.remove_suffix(1);
        return text;
    }

    // S-1-... or two letters, off the front.
    NTSTATUS read_account(std::u16string_view& text, SidBuffer& sid) const noexcept {
        if (text.size() > 2 && text[1] == u'-') return read_sid(text, sid) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
        if (text.size() < 2) return STATUS_INVALID_PARAMETER;
        const auto found = sddl::find_account(text.substr(0, 2), sid);
        text.remove_prefix(2);
        if (found == sddl::Account::unmapped) return STATUS_NONE_MAPPED;
        return found == sddl::Account::known ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }

    NTSTATUS parse_account_part(ULONG& offset) noexcept {
        if (offset != 0) return STATUS_INVALID_PARAMETER;
        // Up to the letter of the next part, which could be a digit of this one.
        const std::size_t colon = text_.find(u':');
        const std::size_t length = colon == std::u16string_view::npos ? text_.size() : colon == 0 ? 0 : colon - 1;
        std::u16string_view account = trimmed(text_.substr(0, length));
        text_.remove_prefix(length);
        SidBuffer sid;
        const NTSTATUS status = read_account(account, sid);
        if (!NT_SUCCESS(status)) return status;
        if (!account.empty()) return STATUS_INVALID_PARAMETER;
        offset = static_cast<ULONG>(out_.used());
        out_.put(sid.get(), sid.size());
        return STATUS_SUCCESS;
    }

    NTSTATUS parse_list(const ListKind& kind, ULONG& offset) noexcept {
        if ((header_.Control & kind.present) != 0) return STATUS_INVALID_PARAMETER;
        header_.Control |= kind.present;
        bool null_list = false;
        if (const NTSTATUS status = parse_list_flags(kind, null_list); !NT_SUCCESS(status)) return status;
        if (null_list) return STATUS_SUCCESS;
        offset = static_cast<ULONG>(out_.used());
        ACL acl{ACL_REVISION, 0, 0, 0, 0};
        out_.put(&acl, sizeof acl);
        for (skip_blanks(); text_.starts_with(u'('); skip_blanks()) {
            text_.remove_prefix(1);
            if (const NTSTATUS status = parse_ace(kind, acl); !NT_SUCCESS(status)) return status;
            if (out_.used() - offset > MAXUSHORT) return STATUS_INVALID_PARAMETER;
        }
        acl.AclSize = static_cast<USHORT>(out_.used() - offset);
        out_.write(offset, &acl, sizeof acl);
        return STATUS_SUCCESS;
    }

    NTSTATUS parse_list_flags(const ListKind& kind, bool& null_list) noexcept {
        constexpr std::u16string_view no_list = u"NO_ACCESS_CONTROL";
        for (;;) {
            skip_blanks();
            if (text_.starts_with(u'P')) {
                header_.Control |= kind.protect;
                text_.remove_prefix(1);
            } else if (how_ == Sddl::full && text_.starts_with(u"AI")) {
                header_.Control |= kind.auto_inherited;
                text_.remove_prefix(2);
            } else if (how_ == Sddl::full && text_.starts_with(u"AR")) {
                header_.Control |= kind.auto_inherit_required;
                text_.remove_prefix(2);
            } else if (how_ == Sddl::full && text_.starts_with(no_list)) {
                null_list = true;
                text_.remove_prefix(no_list.size());
            } else {
                return STATUS_SUCCESS; // what follows is an entry, another part, or wrong
            }
        }
    }

    struct Fields {
        std::u16string_view type, flags, rights, object, inherited_object, account;
    };

    // Up to the parenthesis that closes. More than six fields: a condition or attribute.
    NTSTATUS split(Fields& fields) noexcept {
        std::u16string_view* const all[] = {
            &fields.type, &fields.flags, &fields.rights, &fields.object, &fields.inherited_object, &fields.account};
        for (unsigned i = 0; i < 6; ++i) {
            const std::size_t end = text_.find_first_of(u";()");
            if (end == std::u16string_view::npos || text_[end] == u'(') return STATUS_INVALID_PARAMETER;
            *all[i] = trimmed(text_.substr(0, end));
            const char16_t stop = text_[end];
            text_.remove_prefix(end + 1);
            if (i == 5 && stop == u';') return STATUS_NOT_SUPPORTED;
            if ((i == 5) != (stop == u')')) return STATUS_INVALID_PARAMETER;
        }
        return STATUS_SUCCESS;
    }

    NTSTATUS parse_ace(const ListKind& kind, ACL& acl) noexcept {
        Fields fields;
        NTSTATUS status = split(fields);
        if (status == STATUS_INVALID_PARAMETER) return status;
        const auto type = sddl::ace_type(fields.type);
        if (!type || is_audit_type(*type) == kind.is_dacl) return STATUS_INVALID_PARAMETER;
        if (!NT_SUCCESS(status) || is_unsupported(*type)) return STATUS_NOT_SUPPORTED;
        if (how_ == Sddl::device_object && (*type != ACCESS_ALLOWED_ACE_TYPE || !fields.flags.empty() ||
                                            !fields.object.empty() || !fields.inherited_object.empty())) {
            return STATUS_INVALID_PARAMETER;
        }
        ULONG flags = 0;
        ACCESS_MASK mask = 0;
        if (!parse_flags(fields.flags, flags) ||
            !parse_rights(fields.rights, *type == SYSTEM_MANDATORY_LABEL_ACE_TYPE, mask)) {
            return STATUS_INVALID_PARAMETER;
        }
        SidBuffer sid;
        status = read_account(fields.account, sid);
        if (!NT_SUCCESS(status)) return status;
        if (!fields.account.empty()) return STATUS_INVALID_PARAMETER;
        if (is_object_ace(*type)) acl.AclRevision = ACL_REVISION_DS;
        if (acl.AceCount == MAXUSHORT) return STATUS_INVALID_PARAMETER;
        ++acl.AceCount;
        return put_ace(*type, flags, mask, fields, sid);
    }

    NTSTATUS put_ace(UCHAR type, ULONG flags, ACCESS_MASK mask, const Fields& fields, SidBuffer& sid) noexcept {
        const std::size_t begin = out_.used();
        ACE_HEADER header{type, static_cast<UCHAR>(flags), 0};
        out_.put(&header, sizeof header);
        out_.put(&mask, sizeof mask);
        if (is_object_ace(type)) {
            GUID guids[2];
            ULONG present = 0;
            unsigned count = 0;
            for (const auto& [text, flag] :
                 {std::pair{fields.object, ULONG{ACE_OBJECT_TYPE_PRESENT}},
                  std::pair{fields.inherited_object, ULONG{ACE_INHERITED_OBJECT_TYPE_PRESENT}}}) {
                if (text.empty()) continue;
                if (!read_guid(text, guids[count++])) return STATUS_INVALID_PARAMETER;
                present |= flag;
            }
            out_.put(&present, sizeof present);
            out_.put(guids, count * sizeof(GUID));
        } else if (!fields.object.empty() || !fields.inherited_object.empty()) {
            return STATUS_INVALID_PARAMETER;
        }
        out_.put(sid.get(), sid.size());
        header.AceSize = static_cast<USHORT>(out_.used() - begin);
        out_.write(begin, &header, sizeof header);
        return STATUS_SUCCESS;
    }

    static bool read_guid(std::u16string_view text, GUID& guid) noexcept {
        char16_t braced[guid_text_length];
        if (text.size() != guid_text_length - 2) return false;
        braced[0] = u'{';
        text.copy(braced + 1, text.size());
        braced[guid_text_length - 1] = u'}';
        const auto parsed = parse_guid({braced, guid_text_length});
        if (parsed) guid = *parsed;
        return parsed.has_value();
    }

    static bool parse_flags(std::u16string_view text, ULONG& flags) noexcept {
        for (; !text.empty(); text = trimmed(text.substr(2))) {
            const auto flag = text.size() < 2 ? std::nullopt : sddl::ace_flag(text.substr(0, 2));
            if (!flag) return false;
            flags |= *flag;
        }
        return true;
    }

    // A number (0x hexadecimal, 0 octal, decimal), or names one after the other.
    static bool parse_rights(std::u16string_view text, bool label, ACCESS_MASK& mask) noexcept {
        if (!text.empty() && digit_value(text[0]) < 10) return parse_number(text, mask);
        for (; !text.empty(); text = trimmed(text.substr(2))) {
            const auto right = text.size() < 2 ? std::nullopt : sddl::right(text.substr(0, 2), label);
            if (!right) return false;
            mask |= *right;
        }
        return true;
    }

    static bool parse_number(std::u16string_view text, ACCESS_MASK& mask) noexcept {
        unsigned base = text[0] == u'0' ? 8 : 10;
        if (text.size() > 2 && text[0] == u'0' && (text[1] | 0x20) == u'x') {
            base = 16;
            text.remove_prefix(2);
        }
        std::uint64_t value = 0;
        for (const char16_t c : text) {
            if (digit_value(c) >= base) return false;
            value = value * base + digit_value(c);
            if (value > MAXULONG) return false;
        }
        mask = static_cast<ACCESS_MASK>(value);
        return true;
    }

    std::u16string_view text_;
    Sddl how_;
    Block& out_;
    SECURITY_DESCRIPTOR_RELATIVE header_{};
};

} // namespace

SddlResult parse_sddl(std::u16string_view text, Sddl how, void* to, std::size_t room) noexcept {
    Block block(to, room);
    const NTSTATUS status = Parser(text, how, block).run();
    if (!NT_SUCCESS(status)) return {status, 0};
    return {block.fits() ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL, block.used()};
}

} // namespace dirql::rtl
