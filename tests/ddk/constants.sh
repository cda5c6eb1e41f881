#!/bin/sh
# Every constant macro that both our headers and mingw-w64's define, statuses and bug checks among them, has one value and
# one size.
# Exit status 77: mingw-w64's DDK headers are not installed.
# usage: constants.sh COMPILER MINGW_COMPILER SOURCE_ROOT SCRATCH_DIRECTORY
set -eu
compiler=$1 mingw=$2 root=$3 scratch=$4
ddk=$("$root/tests/ddk/mingw_ddk.sh" "$mingw") || exit $?
mkdir -p "$scratch"

# Lines "NAME number" of the macros that are a plain or a cast number; numbers in hexadecimal without leading zeros.
constants() {
    cast='(\((NTSTATUS|ULONG|DWORD|USHORT|ACCESS_MASK)\) ?)?'
    sed -nE "s/^#define ([A-Z]\w+) \(?$cast\(?(0[xX][0-9A-Fa-f]+|[0-9]+)[uUlL]*\)*\$/\1 \4/p" |
        awk '$2 ~ /^0[xX]/ { sub(/^0[xX]0*/, "", $2); print $1, tolower($2) == "" ? 0 : tolower($2); next }
             { print $1, sprintf("%x", $2) }' | sort -u
}

# Lines "NAME size" of the names on standard input, as the compiler given sees them in a file that includes the headers: each
# size is an element of an array, in the order of the names.
sizes() {
    names=$(cat)
    { cat "$scratch/unit.c"; echo 'const unsigned short dirql_sizes[] = {'; printf 'sizeof(%s),\n' $names; echo '};'; } \
        >"$scratch/sizes.c"
    "$@" -S -o - "$scratch/sizes.c" 2>/dev/null |
        sed -nE '/^dirql_sizes:/,$s/^\s*\.(value|short|word|2byte)\s+([0-9]+).*/\2/p' >"$scratch/sizes"
    printf '%s\n' $names | paste -d ' ' - "$scratch/sizes"
}

printf '#include <ntifs.h>\n#include <ntstatus.h>\n#include <bugcodes.h>\n#include <ntiologc.h>\n' >"$scratch/unit.c"
"$compiler" -E -dM -I"$root/include/km" -I"$root/include/shared" "$scratch/unit.c" | constants >"$scratch/ours"
"$mingw" -E -dM -D_WIN32_WINNT=0x0A00 -isystem "$ddk" "$scratch/unit.c" 2>/dev/null | constants >"$scratch/theirs"

# Known to differ. Theirs has two bug checks unlike the reference, and attributes, versions and kinds of ACEs of before
# Windows 10.
known=' BUGCODE_ID_DRIVER IMPERSONATING_WORKER_THREAD FILE_ATTRIBUTE_VALID_FLAGS FILE_ATTRIBUTE_VALID_SET_FLAGS '
known="$known CONNECT_CURRENT_VERSION NTDDI_VERSION ACCESS_MAX_MS_V5_ACE_TYPE "

join "$scratch/ours" "$scratch/theirs" >"$scratch/both"
awk -v known="$known" '{ all++ } $2 != $3 && !index(known, " " $1 " ") { print; different++ }
    END { if (all < 2000) { print "only " all " constants are in both; something was not read"; exit 1 }
          if (different) { print "^ name, ours, mingw-w64s"; exit 1 } print all " constants agree" }' "$scratch/both"

cut -d ' ' -f 1 "$scratch/both" >"$scratch/names"
sizes "$compiler" -w -fshort-wchar -I"$root/include/km" -I"$root/include/shared" <"$scratch/names" >"$scratch/our_sizes"
sizes "$mingw" -w -D_WIN32_WINNT=0x0A00 -isystem "$ddk" <"$scratch/names" >"$scratch/their_sizes"
join "$scratch/our_sizes" "$scratch/their_sizes" | awk '{ all++ } $2 != $3 || $2 !~ /^[1248]$/ { print; different++ }
    END { if (all < 2000) { print "only " all " sizes are in both; something was not read"; exit 1 }
          if (different) { print "^ name, our size, mingw-w64s"; exit 1 } print all " sizes agree" }'
