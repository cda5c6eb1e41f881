#!/bin/sh
# Every STATUS_ constant and bug check code of ours that mingw-w64's headers know has the same value there.
# usage: status_codes.sh COMPILER MINGW_COMPILER INCLUDE_DIRECTORY SCRATCH_DIRECTORY
set -eu
compiler=$1 mingw=$2 include=$3 scratch=$4
mkdir -p "$scratch"

# Lines "NAME value" of the constants that are a cast number, hexadecimal in lower case without leading zeros.
constants() {
    sed -nE 's/^#define ([A-Z][A-Z0-9_]+) \(\((NTSTATUS|ULONG|DWORD)\) ?0[xX]0*([0-9A-Fa-f]+)L?\)$/\1 \3/p' |
        awk '{ print $1, tolower($2) }' | sort -u
}

printf '#include <ntdef.h>\n#include <ntstatus.h>\n#include <bugcodes.h>\n' >"$scratch/codes.c"
"$compiler" -E -dM -I"$include/km" -I"$include/shared" "$scratch/codes.c" | constants >"$scratch/ours"
"$mingw" -E -dM "$scratch/codes.c" | constants >"$scratch/theirs"

join "$scratch/ours" "$scratch/theirs" >"$scratch/both"
common=$(wc -l <"$scratch/both")
if [ "$common" -lt 1000 ]; then
    echo "only $common constants are in both headers; something was not read"
    exit 1
fi

# mingw-w64 gives these two other values than the bug check reference does.
different=$(awk '$2 != $3 && $1 != "BUGCODE_ID_DRIVER" && $1 != "IMPERSONATING_WORKER_THREAD"' "$scratch/both")
if [ -n "$different" ]; then
    echo "name, ours, mingw-w64's:"
    echo "$different"
    exit 1
fi
echo "$common constants agree"
