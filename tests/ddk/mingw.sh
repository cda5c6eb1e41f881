#!/bin/sh
# The same lists of sizes and offsets, compiled with the DDK headers of mingw-w64. Exit status 77: not installed.
# usage: mingw.sh MINGW_COMPILER SOURCE_ROOT
set -eu
mingw=$1 root=$2
ddk=$(dirname "$(echo '#include <windows.h>' | "$mingw" -E - 2>/dev/null | sed -nE 's/^# 1 "(.*\/windows.h)".*/\1/p' | head -n 1)")/ddk
if [ ! -f "$ddk/ntifs.h" ]; then
    echo "skipped: mingw-w64's DDK headers are not installed"
    exit 77
fi
for source in layouts.c mingw_differences.c; do
    "$mingw" -std=gnu11 -D_WIN32_WINNT=0x0A00 -DNTDDI_VERSION=0x0A000007 -isystem "$ddk" -DDIRQL_MINGW -fsyntax-only \
        "$root/tests/ddk/$source"
done
grep -hc '^DIRQL_\(SIZE\|FIELD\)(' "$root"/tests/ddk/layouts_*.def | awk '{ n += $1 } END { print n " sizes and offsets agree" }'
