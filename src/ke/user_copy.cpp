#include "ke/user_copy.hpp"

extern "C" {
extern char dirql_guarded_begin[] __attribute__((visibility("hidden")));
extern char dirql_guarded_end[] __attribute__((visibility("hidden")));
extern char dirql_guarded_failed[] __attribute__((visibility("hidden")));
}

namespace dirql::ke {

std::size_t guarded_fix_up(std::size_t rip) noexcept {
    const auto begin = reinterpret_cast<std::size_t>(dirql_guarded_begin);
    const auto end = reinterpret_cast<std::size_t>(dirql_guarded_end);
    return rip - begin < end - begin ? reinterpret_cast<std::size_t>(dirql_guarded_failed) : 0;
}

} // namespace dirql::ke
