# cmake -DSOURCE_DIR=... [-DFIX=ON] -P check_format.cmake
cmake_policy(SET CMP0057 NEW)

find_program(clang_format NAMES clang-format-14 clang-format)
if(clang_format)
    execute_process(COMMAND "${clang_format}" --version OUTPUT_VARIABLE version)
endif()
if(NOT version MATCHES "version 14\\.")
    message(STATUS "skipped: clang-format 14 is not installed")
    return()
endif()

set(files "")
foreach(directory IN ITEMS include src tests examples benchmarks)
    file(
        GLOB_RECURSE found
        "${SOURCE_DIR}/${directory}/*.c" "${SOURCE_DIR}/${directory}/*.h" "${SOURCE_DIR}/${directory}/*.cpp"
        "${SOURCE_DIR}/${directory}/*.hpp"
    )
    list(APPEND files ${found})
endforeach()

if(FIX)
    execute_process(COMMAND "${clang_format}" -i ${files} COMMAND_ERROR_IS_FATAL ANY)
    return()
endif()
execute_process(COMMAND "${clang_format}" --dry-run --Werror ${files} RESULT_VARIABLE result ERROR_VARIABLE text)
if(NOT result EQUAL 0)
    string(REGEX MATCHALL "[^\n]*error:[^\n]*" places "${text}")
    list(LENGTH places count)
    list(JOIN places "\n" places)
    message(NOTICE "${places}\nto format: cmake -DSOURCE_DIR=. -DFIX=ON -P tests/format/check_format.cmake")
    message(FATAL_ERROR "${count} places are not formatted")
endif()
list(LENGTH files count)
message(STATUS "${count} files are formatted")
