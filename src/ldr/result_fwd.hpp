// The loader's view of the project's error value.
#pragma once

#if __has_include("dirql/result.hpp")
#include "dirql/result.hpp"
#else
#include <boost/outcome.hpp>

#include <string>

namespace dirql {

enum class ErrorCode { bad_image, unresolved_import };

struct Error {
    ErrorCode code;
    std::string text;
};

template <class T> using Result = BOOST_OUTCOME_V2_NAMESPACE::unchecked<T, Error>;

} // namespace dirql
#endif
