// Descriptor to text.
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/guid_text.hpp"
#include "rtl/integer_text.hpp"
#include "rtl/sddl.hpp"

namespace dirql::rtl {
namespace {

class Text {
public:
    Text(char16_t* to, std::size_t room) noexcept : to_(to), room_(room) {}

    void put(char16_t c) noexcept {
        if (used_ < room_) to_[used_] = c;
        ++used_;
    }
    void put(std::u16string_view text) noexcept {
        for (const char16_t c : text) put(c);
    }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] bool fits() const noexcept { return used_ <= room_; }

private:
    char16_t* to_;
    std::size_t room_;
    std::size_t used_ = 0;
};

void put_account(Text& text, const void* sid) noexcept {
    if (const char16_t* letters = sddl::letters_of(sid)) {
        text.put(std::u16string_view(letters));
        return;
    }
    char16_t written[max_sid_text];
    text.put({written, write_sid(sid, written)});
}

void put_rights(Text& text, ACCESS_MASK mask, bool label) noexcept {
    if (const auto name = label ? std::u16string_view{} : sddl::name_of_mask(mask); !name.empty()) {
        text.put(name);
        return;
    }
    bool all_named = true;
    for (ACCESS_MASK left = mask; left != 0; left &= left - 1)
        all_named = all_named && !sddl::name_of_right(left & -left, label).empty();
    if (!all_named) {
        text.put(u"0x");
        const Digits digits(mask, 16, LetterDigits::lower);
        for (const char c : digits.view()) text.put(static_cast<char16_t>(c));
        return;
    }
    for (ACCESS_MASK left = mask; left != 0; left &= left - 1) text.put(sddl::name_of_right(left & -left, label));
}

void put_guid(Text& text, const GUID* guid) noexcept {
    if (guid == nullptr) return;
    char16_t written[guid_text_length];
    write_guid(*guid, written);
    text.put({written + 1, guid_text_length - 2});
}

// Bits that have no name would be lost; so would a condition.
bool put_ace(Text& text, const ACE_HEADER& ace) noexcept {
    const AceView view = view_of(ace);
    const auto type = sddl::name_of_ace_type(ace.AceType);
    if (type.empty() || view.sid == nullptr || round_to_long(view.end_of_sid) != ace.AceSize) return false;
    if (ace.AceType == SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE || ace.AceType == SYSTEM_ACCESS_FILTER_ACE_TYPE) return false;
    text.put(u'(');
    text.put(type);
    text.put(u';');
    for (ULONG left = ace.AceFlags; left != 0; left &= left - 1) {
        const auto name = sddl::name_of_ace_flag(left & -left);
        if (name.empty()) return false;
        text.put(name);
    }
    text.put(u';');
    put_rights(text, view.mask, ace.AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE);
    text.put(u';');
    put_guid(text, view.object_type);
    text.put(u';');
    put_guid(text, view.inherited_object_type);
    text.put(u';');
    put_account(text, view.sid);
    text.put(u')');
    return true;
}

struct Flag {
    USHORT bit;
    std::u16string_view name;
};

bool put_list(Text& text, const ACL* acl, USHORT control, std::u16string_view head, const Flag (&flags)[3]) noexcept {
    text.put(head);
    for (const Flag& flag : flags) {
        if ((control & flag.bit) != 0) text.put(flag.name);
    }
    if (acl == nullptr) {
        text.put(u"NO_ACCESS_CONTROL");
        return true;
    }
    const ACE_HEADER* ace = first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = next_ace(ace)) {
        if (!put_ace(text, *ace)) return false;
    }
    return true;
}

} // namespace

SddlResult write_sddl(const void* descriptor, SECURITY_INFORMATION which, char16_t* to, std::size_t room) noexcept {
    const DescriptorParts parts = parts_of(descriptor);
    Text text(to, room);
    if ((which & OWNER_SECURITY_INFORMATION) != 0 && parts.owner != nullptr) {
        text.put(u"O:");
        put_account(text, parts.owner);
    }
    if ((which & GROUP_SECURITY_INFORMATION) != 0 && parts.group != nullptr) {
        text.put(u"G:");
        put_account(text, parts.group);
    }
    bool good = true;
    if ((which & DACL_SECURITY_INFORMATION) != 0 && parts.dacl_present()) {
        good =
            put_list(text, parts.dacl, parts.control, u"D:",
                     {{SE_DACL_PROTECTED, u"P"}, {SE_DACL_AUTO_INHERIT_REQ, u"AR"}, {SE_DACL_AUTO_INHERITED, u"AI"}});
    }
    if (good && (which & SACL_SECURITY_INFORMATION) != 0 && parts.sacl_present()) {
        good =
            put_list(text, parts.sacl, parts.control, u"S:",
                     {{SE_SACL_PROTECTED, u"P"}, {SE_SACL_AUTO_INHERIT_REQ, u"AR"}, {SE_SACL_AUTO_INHERITED, u"AI"}});
    }
    if (!good) return {STATUS_NOT_SUPPORTED, 0};
    return {text.fits() ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL, text.used()};
}

} // namespace dirql::rtl
