// memcpy and its family.
#include "rtl/crt.hpp"
#include "rtl/letter_case.hpp"
#include "rtl/memory.hpp"

using namespace dirql::rtl;

DIRQL_CRT_FUNCTION void* dirql_crt_memmove(void* to, const void* from, std::size_t size) {
    move_memory(to, from, size);
    return to;
}

// On x64 NT memcpy is memmove: overlap is a driver's bug that Windows does not punish.
DIRQL_CRT_FUNCTION void* dirql_crt_memcpy(void* to, const void* from, std::size_t size) {
    move_memory(to, from, size);
    return to;
}

DIRQL_CRT_FUNCTION void* dirql_crt_memset(void* at, int value, std::size_t size) {
    fill_memory(at, static_cast<unsigned char>(value), size);
    return at;
}

DIRQL_CRT_FUNCTION int dirql_crt_memcmp(const void* left, const void* right, std::size_t size) {
    const std::size_t same = equal_bytes(left, right, size);
    if (same == size) return 0;
    return static_cast<const unsigned char*>(left)[same] < static_cast<const unsigned char*>(right)[same] ? -1 : 1;
}

// Not NT's: compilers make it of memcmp where only equality is asked.
DIRQL_CRT_FUNCTION int dirql_crt_bcmp(const void* left, const void* right, std::size_t size) {
    return equal_bytes(left, right, size) != size;
}

// Letters A to Z compare as lower case.
DIRQL_CRT_FUNCTION int dirql_crt__memicmp(const void* left, const void* right, std::size_t size) {
    const auto* first = static_cast<const unsigned char*>(left);
    const auto* second = static_cast<const unsigned char*>(right);
    for (; size != 0; --size, ++first, ++second)
        if (const int difference = ascii_lower<int>(*first) - ascii_lower<int>(*second)) return difference;
    return 0;
}

DIRQL_CRT_FUNCTION const void* dirql_crt_memchr(const void* at, int value, std::size_t size) {
    const auto* byte = static_cast<const unsigned char*>(at);
    for (; size != 0; --size, ++byte)
        if (*byte == static_cast<unsigned char>(value)) return byte;
    return nullptr;
}

// A source that does not fit leaves the target zeroed: no half copy is taken for a whole one.
DIRQL_CRT_FUNCTION errno_t dirql_crt_memcpy_s(void* to, std::size_t room, const void* from, std::size_t size) {
    if (size == 0) return no_error;
    if (to == nullptr) return e_inval;
    if (from == nullptr || size > room) {
        fill_memory(to, 0, room);
        return from == nullptr ? e_inval : e_range;
    }
    move_memory(to, from, size);
    return no_error;
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_memmove_s(void* to, std::size_t room, const void* from, std::size_t size) {
    if (size == 0) return no_error;
    if (to == nullptr || from == nullptr) return e_inval;
    if (size > room) return e_range;
    move_memory(to, from, size);
    return no_error;
}
