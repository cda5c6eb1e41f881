#!/bin/sh
# The same lists of sizes and offsets, compiled with the DDK headers of mingw-w64. Exit status 77: not installed.
# usage: mingw.sh MINGW_COMPILER SOURCE_ROOT
set -eu
mingw=$1 root=$2
ddk=$("$root/tests/ddk/mingw_ddk.sh" "$mingw") || exit $?
for source in layouts.c mingw_differences.c; do
    "$mingw" -std=gnu11 -D_WIN32_WINNT=0x0A00 -DNTDDI_VERSION=0x0A000007 -isystem "$ddk" -DDIRQL_MINGW -fsyntax-only \
        "$root/tests/ddk/$source"
done
cat "$root"/tests/ddk/layouts_*.def | grep -c '^DIRQL_\(SIZE\|FIELD\)('
echo "sizes and offsets agree"
