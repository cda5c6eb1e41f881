// What a token says of itself.
#pragma once

#include "se/token.hpp"

#include <cstddef>

namespace dirql::se {

// Writes the information of one class, as SIDs, arrays and pointers into `buffer` itself; where `address` is the address that the
// buffer's contents will have (a user's buffer is filled by way of the kernel's). STATUS_INVALID_INFO_CLASS,
// STATUS_BUFFER_TOO_SMALL with *needed set, STATUS_INVALID_PARAMETER (the level of a primary token).
[[nodiscard]] NTSTATUS query_token(const Token& token, TOKEN_INFORMATION_CLASS which, void* buffer, const void* address,
                                   std::size_t room, std::size_t* needed) noexcept;

} // namespace dirql::se
