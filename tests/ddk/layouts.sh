#!/bin/sh
# The layouts and the include orders that must compile, as driver code and as host code, in C and C++.
# usage: layouts.sh C_COMPILER CXX_COMPILER SOURCE_ROOT
set -eu
c=$1 cxx=$2 root=$3
tests=$root/tests/ddk
warnings="-Wall -Wextra -Wno-unknown-pragmas -Werror -fsyntax-only"
driver="-fshort-wchar -fms-extensions -fno-strict-aliasing -I$root/include/km -I$root/include/km/crt -I$root/include/shared"
host="-I$root/include/km -I$root/include/shared"

for kind in "$driver" "$host"; do
    for standard in gnu11 gnu17; do
        $c -std=$standard $warnings $kind "$tests/layouts.c"
        $c -std=$standard $warnings $kind "$tests/mingw_differences.c"
    done
    for standard in gnu++17 gnu++20; do
        $cxx -std=$standard $warnings $kind "$tests/layouts.cpp"
        $cxx -std=$standard $warnings $kind "$tests/within_extern_c.cpp"
    done
done
$c -std=gnu11 $warnings $driver -DDBG=1 "$tests/old_dialect.c"
$cxx -std=gnu++17 $warnings $driver -DDBG=1 -x c++ "$tests/old_dialect.c"
$c -std=gnu11 $warnings $driver "-I$root/src" "$tests/exports_declared.c"
