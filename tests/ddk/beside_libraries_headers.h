/* The libraries that host code uses in the same translation unit as the drivers' headers. */
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <codecvt>
#include <functional>
#include <iostream>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <boost/container/small_vector.hpp>
#include <boost/context/detail/fcontext.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catch.hpp"
