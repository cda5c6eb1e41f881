#!/bin/sh
# Prints where the DDK headers of a mingw-w64 compiler are. Exit status 77: it has none.
# usage: mingw_ddk.sh MINGW_COMPILER
windows=$(echo '#include <windows.h>' | "$1" -E - 2>/dev/null | sed -nE 's/^# 1 "(.*)\/windows\.h".*/\1/p' | head -n 1)
if [ -z "$windows" ] || [ ! -f "$windows/ddk/ntifs.h" ]; then
    echo "skipped: mingw-w64's DDK headers are not installed" >&2
    exit 77
fi
echo "$windows/ddk"
