#!/usr/bin/env bash
# exports_called.sh TOOL CALLS: fails when an exported function was called by no test.
#
# TOOL    the dirql program, which knows what is exported
# CALLS   the directory into which the tests of a build with DIRQL_COUNT_EXPORTS wrote what they called
set -euo pipefail
tool=$1
calls=$2

# Where no calls can be counted: written in assembly language, and called by the tests of SEH.
uncounted='RtlCaptureContext'

exported=$("$tool" exports | awk '($2 == "full" || $2 == "partial") && ($3 == "ntoskrnl" || $3 == "hal") && $5 !~ /^(data|C)/ { print $1 }' |
    grep -vxE "$uncounted" | sort)
called=$(cat "$calls"/* | cut -d ' ' -f 1 | sort -u)
never=$(comm -23 <(echo "$exported") <(echo "$called"))
echo "$(wc -w <<<"$exported") exported functions, $(wc -w <<<"$called") of them called by tests"
if [[ -n $never ]]; then
    echo "never called by any test:"
    echo "$never"
    exit 1
fi
