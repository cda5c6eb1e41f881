#!/usr/bin/env bash
# pkg_config.sh PREFIX SOURCES SCRATCH COMPILER: no CMake; the driver by `dirql cc`, the program by one compiler command.
set -euo pipefail
prefix=$1 sources=$2 scratch=$3 compiler=$4

mkdir -p "$scratch"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name dirql.pc)")
export PKG_CONFIG_PATH
"$prefix/bin/dirql" cc -o "$scratch/answer.so" "$sources/driver.c"
# shellcheck disable=SC2046 # words are what pkg-config gives
"$compiler" -std=c++20 -Wall -DPLUGIN_ONLY "-DDRIVER_PATH_answer=\"$scratch/answer.so\"" "$sources/program.cpp" \
    -o "$scratch/program" $(pkg-config --cflags --libs dirql) "-Wl,-rpath,$(pkg-config --variable=libdir dirql)"
"$scratch/program"
