# dirql_add_test, dirql_add_check, dirql_add_example: helpers of this source tree only.
include_guard(GLOBAL)

set(DIRQL_TEST_SET "full" CACHE STRING "Which tests: full, suite (without those labelled all) or threads")
set_property(CACHE DIRQL_TEST_SET PROPERTY STRINGS full suite threads)
set(DIRQL_TEST_PREFIX "" CACHE STRING "Put before each test's name, so that one run can hold several builds")

find_package(Catch2 QUIET)
if(DIRQL_BUILD_TESTS AND NOT Catch2_FOUND)
    message(FATAL_ERROR "The tests need Catch2 (2 or 3). Configure with -DDIRQL_BUILD_TESTS=OFF to go without.")
endif()
add_library(dirql_catch INTERFACE)
target_include_directories(dirql_catch INTERFACE "${PROJECT_SOURCE_DIR}/tests")
# Tests take longer to compile than to run: under a sanitizer, which slows them, they are optimised a little,
# else not at all; and a debugger is told their lines, not their types.
if(DIRQL_SANITIZE)
    set(DIRQL_TEST_OPTIMISATION $<$<CONFIG:RelWithDebInfo>:-O1>)
else()
    set(DIRQL_TEST_OPTIMISATION $<$<CONFIG:RelWithDebInfo>:-O0> $<$<CONFIG:RelWithDebInfo>:-g1>)
endif()
target_compile_options(dirql_catch INTERFACE ${DIRQL_TEST_OPTIMISATION})
if(TARGET Catch2::Catch2WithMain)
    target_link_libraries(dirql_catch INTERFACE Catch2::Catch2WithMain)
elseif(TARGET Catch2::Catch2)
    add_library(dirql_catch_main STATIC "${PROJECT_SOURCE_DIR}/tests/catch_main.cpp")
    target_link_libraries(dirql_catch_main PRIVATE Catch2::Catch2)
    target_compile_options(dirql_catch_main PRIVATE ${DIRQL_TEST_OPTIMISATION})
    target_link_libraries(dirql_catch INTERFACE dirql_catch_main Catch2::Catch2)
endif()

# Half of what is left goes into reading Catch2 and the standard library, which gcc's builds do once. The builds with clang read
# them in every test: there an #include that lacks is found.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT DIRQL_SANITIZE)
    set(DIRQL_TEST_PRECOMPILED "${PROJECT_SOURCE_DIR}/tests/catch.hpp" <algorithm> <cstdint> <functional> <map> <memory> <set> <string> <vector>)
endif()

# dirql_reuse_precompiled(TARGET KIND LIBRARY...): of all targets of a kind, which the same libraries give the same macros.
function(dirql_reuse_precompiled target kind)
    if(NOT DIRQL_TEST_PRECOMPILED)
        return()
    endif()
    set(holder dirql_test_precompiled_${kind})
    if(NOT TARGET ${holder})
        add_library(${holder} OBJECT "${PROJECT_SOURCE_DIR}/tests/precompiled.cpp")
        target_link_libraries(${holder} PRIVATE dirql_build_options dirql_catch ${ARGN})
        target_precompile_headers(${holder} PRIVATE ${DIRQL_TEST_PRECOMPILED})
    endif()
    target_precompile_headers(${target} REUSE_FROM ${holder})
endfunction()

# What a target gets that looks inside the library: the objects of `layer` and of all below it, and nothing above, so
# that a test of ke builds while io is being changed.
function(dirql_link_layer target layer)
    if(NOT TARGET dirql_${layer})
        message(FATAL_ERROR "${target}: there is no layer '${layer}' (have: ${DIRQL_LAYERS})")
    endif()
    foreach(lower IN LISTS DIRQL_UPTO_${layer})
        target_link_libraries(${target} PRIVATE dirql_${lower})
    endforeach()
endfunction()

# Where the checks that look at dirql from outside have it installed (fixture dirql_prefix).
set(DIRQL_TEST_INSTALL_PREFIX "${PROJECT_BINARY_DIR}/prefix")

# Sets `result` to whether a test with these labels belongs to this build's set.
function(_dirql_test_wanted result)
    set(wanted TRUE)
    if(DIRQL_TEST_SET STREQUAL "suite" AND "all" IN_LIST ARGN)
        set(wanted FALSE)
    elseif(DIRQL_TEST_SET STREQUAL "threads" AND NOT "threads" IN_LIST ARGN)
        set(wanted FALSE)
    endif()
    set(${result} ${wanted} PARENT_SCOPE)
endfunction()

# dirql_add_check(NAME COMMAND command arg... [LABELS label...] [TIMEOUT seconds] [PROPERTIES name value...])
#
# A ctest that is a command rather than a Catch2 program. Exit status 77 means skipped, for want of a tool.
# LABELS    `all`: only `./run test --all` runs it;  `threads`: uses several host threads
function(dirql_add_check name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND;LABELS;PROPERTIES")
    _dirql_test_wanted(wanted ${arg_LABELS})
    if(NOT wanted)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    set(test "${DIRQL_TEST_PREFIX}${name}")
    add_test(NAME "${test}" COMMAND ${arg_COMMAND})
    set_tests_properties(
        "${test}" PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" SKIP_RETURN_CODE 77 ENVIRONMENT
                             "${DIRQL_TEST_ENVIRONMENT}" ${arg_PROPERTIES}
    )
endfunction()

# What the sanitizers' run-times are told in every test: report with a stack, and leave stacks alone, for fibers switch
# them.
set(DIRQL_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=0:allow_user_segv_handler=1:detect_leaks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"
)

# dirql_link_alone(NAME LAYER REGEX): the static library NAME, of those objects of the layer whose paths match.
function(dirql_link_alone name layer regex)
    add_library(${name} STATIC $<FILTER:$<TARGET_OBJECTS:dirql_${layer}>,INCLUDE,${regex}>)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
    target_link_libraries(${name} PUBLIC dirql_layer_options)
endfunction()

# dirql_add_test(NAME SOURCES... [LAYER layer] [DRIVERS driver...] [LABELS label...] [TIMEOUT seconds] [ARGS arg...])
#
# A Catch2 program (#include "catch.hpp"; main is supplied) and the ctest of the same name.
# LAYER     link the objects of that layer and those below, with src/ to include from; default: dirql::dirql
# DRIVERS   drivers of dirql_add_driver, linked in as drivers::<driver>; DRIVER_PATH_<driver> names the plug-in
# LABELS    `threads`: uses several host threads, so ThreadSanitizer runs it too
function(dirql_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LAYER;TIMEOUT" "SOURCES;DRIVERS;LABELS;ARGS")
    add_executable(${name} ${arg_SOURCES} ${arg_UNPARSED_ARGUMENTS})
    _dirql_test_wanted(wanted ${arg_LABELS})
    if(NOT wanted)
        set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
    target_link_libraries(${name} PRIVATE dirql_build_options dirql_catch)
    _dirql_link_drivers(${name} ${arg_DRIVERS})
    if(arg_LAYER)
        dirql_link_layer(${name} ${arg_LAYER})
        dirql_reuse_precompiled(${name} layer dirql_layer_options)
    else()
        target_link_libraries(${name} PRIVATE dirql::dirql)
        dirql_reuse_precompiled(${name} api)
    endif()
    dirql_add_check(${name} COMMAND ${name} ${arg_ARGS} LABELS ${arg_LABELS} TIMEOUT ${arg_TIMEOUT})
endfunction()

# dirql_add_example(NN_name [ABOVE NN_other...]): examples/NN_name/driver.c (or .cpp) as the plug-in name.so, and app.cpp
# with the same driver linked in as the program NN_name, which ctest runs.
# ABOVE     examples added before, whose drivers the program loads too
function(dirql_add_example example)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ABOVE")
    string(REGEX REPLACE "^[0-9]+_" "" short "${example}")
    set(directory "${CMAKE_CURRENT_SOURCE_DIR}/${example}")
    file(GLOB driver_sources CONFIGURE_DEPENDS "${directory}/driver*.c" "${directory}/driver*.cpp")
    if(NOT driver_sources OR NOT EXISTS "${directory}/app.cpp")
        message(FATAL_ERROR "example ${example} needs driver.c or driver.cpp, and app.cpp")
    endif()
    dirql_add_driver(example_${short} SOURCES ${driver_sources} OUTPUT_NAME ${short})
    list(TRANSFORM arg_ABOVE REPLACE "^[0-9]+_" "example_" OUTPUT_VARIABLE lower_drivers)
    dirql_add_app(example_${short}_app SOURCES "${directory}/app.cpp" DRIVERS example_${short} ${lower_drivers})
    set_target_properties(example_${short} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples/${example}")
    set_target_properties(
        example_${short}_app PROPERTIES OUTPUT_NAME ${example} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples/${example}"
    )
    target_link_libraries(example_${short}_app PRIVATE dirql_build_options)
    dirql_add_check(example_${example} COMMAND example_${short}_app LABELS examples TIMEOUT 60)
endfunction()
