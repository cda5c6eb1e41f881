// Process::open: from an application's name for a device to a handle.
#include "api/file_impl.hpp"
#include "api/process_impl.hpp"
#include "api/text.hpp"

#include <dirql/process.hpp>

#include <fmt/format.h>

#include <string>

namespace dirql {
namespace {

// `\\.\Echo` and `\\?\Echo` are what Win32 programs write for `\??\Echo`; a drive letter's path likewise.
std::u16string nt_name(std::string_view name) {
    const std::u16string wide = api::to_utf16(name);
    if (wide.starts_with(u"\\\\.\\") || wide.starts_with(u"\\\\?\\")) return u"\\??\\" + wide.substr(4);
    if (wide.size() > 1 && wide[1] == u':') return u"\\??\\" + wide;
    return wide;
}

constexpr std::size_t longest_name = UNICODE_STRING_MAX_CHARS;

Error cannot_open(std::string_view name, NTSTATUS status) {
    constexpr std::size_t told = 300; // of a name that is longer than any
    return {
        ErrorCode::request_failed,
        fmt::format("cannot open {}{}: {}", name.substr(0, told), name.size() > told ? "..." : "", status_name(status)),
        status};
}

} // namespace

Result<File> Process::open(std::string_view name, const OpenOptions& options) {
    const std::u16string wide = nt_name(name);
    if (wide.size() > longest_name) return cannot_open(name, STATUS_NAME_TOO_LONG);
    const auto length = static_cast<USHORT>(wide.size() * sizeof(char16_t));
    // The name lies in user memory, as an application's would.
    const api::UserBuffer text(impl_.owner(), wide.size() * sizeof(char16_t) + sizeof(char16_t),
                               std::as_bytes(std::span(wide)));
    UNICODE_STRING string{length, length, reinterpret_cast<PWSTR>(text.data())};
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    // What CreateFile adds to what its caller asks.
    constexpr ACCESS_MASK implied = SYNCHRONIZE | FILE_READ_ATTRIBUTES;
    const ULONG synchronous = options.overlapped ? 0 : FILE_SYNCHRONOUS_IO_NONALERT;
    HANDLE handle = nullptr;
    IO_STATUS_BLOCK status_block{};
    const NTSTATUS status =
        NtCreateFile(&handle, options.access | implied, &attributes, &status_block, nullptr, FILE_ATTRIBUTE_NORMAL,
                     options.share, options.disposition, options.create_options | synchronous, nullptr, 0);
    if (!NT_SUCCESS(status)) return cannot_open(name, status);
    return File(std::make_unique<api::FileState>(api::FileState{impl_.owner(), handle, options.overlapped}));
}

} // namespace dirql
