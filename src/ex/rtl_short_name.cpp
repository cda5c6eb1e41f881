// Short (8.3) file names.
#include "rtl/short_name.hpp"

#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/code_page.hpp"
#include "rtl/integer_text.hpp"
#include "rtl/letter_case.hpp"

#include <algorithm>

using namespace dirql;

namespace {

constexpr ULONG plain_names = 4;        // so many "~1" are tried before a checksum takes the place of the base's end
constexpr ULONG last_index = 1'000'000; // then there is no name
constexpr std::size_t checksum_digits = 4, kept_before_checksum = 2;

// The checksum behind what is left of the base.
void insert_checksum(PGENERATE_NAME_CONTEXT context) {
    const auto kept = std::min<std::size_t>(context->NameLength, kept_before_checksum);
    for (std::size_t i = 0; i < checksum_digits; ++i)
        context->NameBuffer[kept + i] = static_cast<WCHAR>("0123456789ABCDEF"[context->Checksum >> (12 - 4 * i) & 0xF]);
    context->NameLength = static_cast<UCHAR>(kept + checksum_digits);
    context->CheckSumInserted = TRUE;
    context->LastIndexValue = 1;
}

void begin(PGENERATE_NAME_CONTEXT context, PCUNICODE_STRING name, BOOLEAN extended) {
    const auto text = ex::view(name);
    const auto parts = rtl::shorten(text, extended ? rtl::Extended::kept : rtl::Extended::replaced);
    std::copy_n(parts.base, parts.base_length, context->NameBuffer);
    std::copy_n(parts.extension, parts.extension_length, context->ExtensionBuffer);
    context->NameLength = static_cast<UCHAR>(parts.base_length);
    context->ExtensionLength = static_cast<ULONG>(parts.extension_length);
    context->Checksum = rtl::short_name_checksum(text);
    context->LastIndexValue = 1;
    // So short a base would soon meet others'.
    if (parts.base_length <= kept_before_checksum) insert_checksum(context);
}

void write(const GENERATE_NAME_CONTEXT& context, PUNICODE_STRING name) {
    const rtl::Digits digits(context.LastIndexValue, 10);
    const std::size_t suffix = 1 + digits.view().size();
    const auto base = std::min<std::size_t>(context.NameLength, rtl::short_base_length - suffix);
    PWCH at = std::copy_n(context.NameBuffer, base, name->Buffer);
    *at++ = u'~';
    at = std::copy(digits.view().begin(), digits.view().end(), at);
    at = std::copy_n(context.ExtensionBuffer, context.ExtensionLength, at);
    name->Length = static_cast<USHORT>((at - name->Buffer) * static_cast<std::ptrdiff_t>(sizeof(WCHAR)));
}

} // namespace

extern "C" {

// `oem_name` receives the name in upper case; `spaces` is set for a legal name.
BOOLEAN NTAPI RtlIsNameLegalDOS8Dot3(PCUNICODE_STRING name, POEM_STRING oem_name, PBOOLEAN spaces) {
    DIRQL_DOOR(RtlIsNameLegalDOS8Dot3);
    const auto text = ex::view(name);
    if (text.size() > rtl::short_name_length) return FALSE;
    char oem[rtl::short_name_length];
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char16_t raised = rtl::upcase(text[i]);
        oem[i] = rtl::from_unicode(rtl::CodePage::oem, raised);
        if (oem[i] == rtl::unmappable && raised != rtl::unmappable) return FALSE;
    }
    const auto check = rtl::check_short_name({oem, text.size()});
    if (!check.legal) return FALSE;
    if (oem_name != nullptr) {
        if (oem_name->MaximumLength < text.size()) return FALSE;
        std::copy_n(oem, text.size(), oem_name->Buffer);
        oem_name->Length = static_cast<USHORT>(text.size());
    }
    if (spaces != nullptr) *spaces = check.spaces;
    return TRUE;
}

// Each call with the same context gives the next name: BASE~1.EXT to BASE~4.EXT, then BA1234~1.EXT and on.
// STATUS_FILE_SYSTEM_LIMITATION when a million have been tried.
NTSTATUS NTAPI RtlGenerate8dot3Name(PCUNICODE_STRING name, BOOLEAN extended, PGENERATE_NAME_CONTEXT context,
                                    PUNICODE_STRING short_name) {
    DIRQL_DOOR(RtlGenerate8dot3Name);
    if (context->LastIndexValue == 0) {
        begin(context, name, extended);
    } else if (++context->LastIndexValue > plain_names && !context->CheckSumInserted) {
        insert_checksum(context);
    } else if (context->LastIndexValue >= last_index) {
        return STATUS_FILE_SYSTEM_LIMITATION;
    }
    write(*context, short_name);
    return STATUS_SUCCESS;
}

} // extern "C"
