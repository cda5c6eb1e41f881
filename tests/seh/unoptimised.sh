#!/bin/sh
# __try compiles without optimisation and says so with: a handler would see locals as they were long before the fault.
# usage: unoptimised.sh C_COMPILER CXX_COMPILER INCLUDE_DIRECTORY SCRATCH_DIRECTORY
set -u
include=$3 scratch=$4
mkdir -p "$scratch"
cat >"$scratch/guarded.c" <<'END'
#include <ntddk.h>
int guarded(int *address);
int guarded(int *address) {
    __try {
        return *address;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return 0;
    }
}
END
failures=0

# compile LANGUAGE COMPILER LEVEL
compile() {
    "$2" -x "$1" "$3" -fshort-wchar -fms-extensions -I"$include/km" -I"$include/km/crt" -I"$include/shared" \
        -fsyntax-only "$scratch/guarded.c" >"$scratch/messages" 2>&1
}

fail() {
    failures=$((failures + 1))
    echo "$1:"
    head -n 20 "$scratch/messages"
}

for pair in "c $1" "c++ $2"; do
    language=${pair%% *} compiler=${pair#* }
    compile "$language" "$compiler" -O0 || fail "$compiler -O0 does not compile __try"
    for level in -O1 -O2 -O3 -Os -Og; do
        if compile "$language" "$compiler" "$level"; then
            fail "$compiler $level compiles __try"
        elif ! grep -q 'a source that uses __try is compiled with -O0' "$scratch/messages"; then
            fail "$compiler $level does not say why"
        fi
    done
done
[ "$failures" -eq 0 ]
