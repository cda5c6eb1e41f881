// How the tool's commands end: an exit status, and a failure's text as a value.
#pragma once

#include <string>

#include <boost/outcome/result.hpp>
#include <boost/outcome/try.hpp>

namespace dirql::cli {

// The exit statuses of every command.
enum ExitStatus : int {
    exit_fine = 0,
    exit_compile_error = 1, // the compiler or the linker said no; its own words are on stderr
    exit_usage = 2,
    exit_bug_check = 3,
    exit_stall = 4,
    exit_load_failure = 5, // the driver wants what dirql does not have, or is no driver
};

// Why a command cannot go on. `text` may have several lines; each is printed behind the command's name.
struct Failure {
    int status = exit_usage;
    std::string text;
};

template <class T>
using Outcome = BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Failure, BOOST_OUTCOME_V2_NAMESPACE::policy::all_narrow>;

inline Failure usage_error(std::string text) { return {exit_usage, std::move(text)}; }

} // namespace dirql::cli
