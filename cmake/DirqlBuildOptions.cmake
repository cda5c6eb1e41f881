# How dirql's own host code is compiled: `dirql_build_options` carries language level, warnings and sanitizers.
# Drivers never link it; theirs is DirqlDrivers.cmake.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

add_library(dirql_build_options INTERFACE)
target_compile_features(dirql_build_options INTERFACE cxx_std_20)
target_compile_options(
    dirql_build_options
    INTERFACE
        -Wall
        -Wextra
        -Wshadow
        -Wvla
        -Wcast-qual
        -fno-omit-frame-pointer
        $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
        $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
        $<$<COMPILE_LANGUAGE:CXX>:-Wextra-semi>
        $<$<BOOL:${DIRQL_WERROR}>:-Werror>
)

# A sanitizer instruments the whole program or none of it, so it is a directory property: executables, libraries and
# tests alike. dirql_add_driver takes it away again from driver code, which runs on stacks and memory of its own.
if(DIRQL_SANITIZE)
    # An enumeration's value that comes from a driver or an application may be any: it is the service's to refuse.
    add_compile_options("-fsanitize=${DIRQL_SANITIZE}" -fno-sanitize-recover=undefined -fno-sanitize=enum)
    add_link_options("-fsanitize=${DIRQL_SANITIZE}")
endif()

find_program(DIRQL_CCACHE ccache)
if(DIRQL_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${DIRQL_CCACHE}")
    # Or it would not keep what precompiled headers are used for.
    set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "${DIRQL_CCACHE}")
endif()
