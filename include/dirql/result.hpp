// Errors as values.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/try.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)

namespace dirql {

/// An NT status code. Negative values are errors.
using Status = std::int32_t;

[[nodiscard]] constexpr bool succeeded(Status status) noexcept { return status >= 0; }

/// The status's name in the headers, "STATUS_INVALID_PARAMETER", or its value in hexadecimal where it has none.
[[nodiscard]] std::string status_name(Status status);

enum class ErrorCode {
    bad_image,         ///< a plug-in that is no driver: unreadable, damaged, without DriverEntry
    unresolved_import, ///< a plug-in that needs what dirql does not have
    driver_failed,     ///< DriverEntry returned an error; Error::status is it
    driver_busy,       ///< a linked driver is loaded already, here or in another machine
    request_failed,    ///< a system service returned an error; Error::status is it
    stopped,           ///< the machine has stopped: see Machine::outcome
    out_of_memory,     ///< the machine's physical memory is exhausted
    invalid_argument,
};

struct Error {
    ErrorCode code;
    std::string text; ///< one line
    Status status = 0;
};

/// What Result::value throws when there is an error instead.
class BadResult : public std::runtime_error {
public:
    explicit BadResult(const Error& error) : std::runtime_error(error.text), code(error.code), status(error.status) {}
    ErrorCode code;
    Status status;
};

namespace detail {

struct ThrowBadResult : BOOST_OUTCOME_V2_NAMESPACE::policy::base {
    template <class Impl> static constexpr void wide_value_check(Impl&& self) {
        if (!base::_has_value(std::forward<Impl>(self))) throw BadResult(base::_error(std::forward<Impl>(self)));
    }
    template <class Impl> static constexpr void wide_error_check(Impl&& self) {
        if (!base::_has_error(std::forward<Impl>(self))) throw std::logic_error("Result::error of a success");
    }
};

} // namespace detail

/// A value, or the error that kept it from being. Tests as true when it holds a value.
template <class T> using Result = BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Error, detail::ThrowBadResult>;

} // namespace dirql

#pragma GCC visibility pop
