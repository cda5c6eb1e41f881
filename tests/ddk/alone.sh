#!/bin/sh
# Compiles each public header alone, as a driver's and as a host program's first include.
# usage: alone.sh C_COMPILER CXX_COMPILER INCLUDE_DIRECTORY SCRATCH_DIRECTORY
set -u
c=$1 cxx=$2 include=$3 scratch=$4
mkdir -p "$scratch"
failures=0
compiled=0

# Not the top: without the system_header pragma our own warnings show.
# A run-time function whose widths are Windows' (towupper) is not what the compiler knows by that name.
warnings="-Wall -Wextra -Wno-unknown-pragmas -Wno-unknown-warning-option -Wno-builtin-declaration-mismatch"
warnings="$warnings -Wno-incompatible-library-redeclaration -DDIRQL_HEADER_TEST -Werror"
driver="-fshort-wchar -fms-extensions -fno-strict-aliasing -I$include/km -I$include/km/crt -I$include/shared"
host="-I$include/km -I$include/shared -I$include"

# attempt HEADER LABEL COMPILER FLAGS... : one translation unit that includes the header twice
attempt() {
    header=$1 label=$2
    shift 2
    unit="$scratch/unit.c"
    printf '#include <%s>\n#include <%s>\nint dirql_alone;\n' "$header" "$header" >"$unit"
    if "$@" -fsyntax-only "$unit" >"$scratch/messages" 2>&1; then
        compiled=$((compiled + 1))
    else
        failures=$((failures + 1))
        echo "<$header> does not compile alone as $label ($1):"
        head -n 20 "$scratch/messages"
    fi
}

drivers_header() {
    attempt "$1" "C of a driver" $c -x c -std=gnu11 $warnings $driver
    attempt "$1" "C17 of a driver" $c -x c -std=gnu17 $warnings $driver
    attempt "$1" "C++17 of a driver" $cxx -x c++ -std=gnu++17 $warnings $driver
    attempt "$1" "C++20 of a driver" $cxx -x c++ -std=gnu++20 $warnings $driver
}

host_header() {
    attempt "$1" "C of the host" $c -x c -std=gnu11 $warnings $host
    attempt "$1" "C++17 of the host" $cxx -x c++ -std=gnu++17 $warnings $host
    attempt "$1" "C++20 of the host" $cxx -x c++ -std=gnu++20 $warnings $host
}

headers_in() {
    (cd "$1" && find . -name "$2" -not -path './crt/*' | sed 's|^\./||' | sort)
}

for header in $(headers_in "$include/km" '*.h') $(headers_in "$include/shared" '*.h'); do
    case $header in
    dirql_km/strsafe_family.h | dirql_km/strsafe_unicode.h) continue ;; # parts of ntstrsafe.h
    pshpack?.h | poppack.h) continue ;;                                  # halves of a pair
    esac
    drivers_header "$header"
    host_header "$header"
done
for header in $(cd "$include/km/crt" && ls); do
    drivers_header "$header"
done
for header in $(cd "$include" && find dirql -name '*.hpp' 2>/dev/null | sort); do
    attempt "$header" "C++20 of the host" $cxx -x c++ -std=c++20 $warnings $host
done
for header in $(cd "$include" && find dirql -name '*.h' 2>/dev/null | sort); do
    host_header "$header"
done

echo "$compiled translation units compiled, $failures failed"
[ "$failures" -eq 0 ] && [ "$compiled" -gt 0 ]
