#include <dirql/result.hpp>

#include "diag/names.hpp"

namespace dirql {

std::string status_name(Status status) { return diag::status_text(status); }

} // namespace dirql
