// main() of every test program. Linked only where the Catch2 at hand brings none of its own.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
