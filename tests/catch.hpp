// Catch2, either generation: Debian 12 and Ubuntu 24.04 ship 2.13, later ones 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
