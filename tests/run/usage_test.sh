#!/usr/bin/env bash
# usage_test.sh RUN: each wrong command line of ./run ends with status 2 and one line that names what is wrong.
set -u
run=$1
failures=0

# expect STATUS TEXT ARGUMENT...: TEXT is in the one line on stderr, or in stdout for status 0.
expect() {
    local status=$1 text=$2 output actual lines
    shift 2
    output=$("$run" "$@" 2>&1)
    actual=$?
    lines=$(printf '%s\n' "$output" | wc -l)
    if [[ $actual != "$status" || $output != *"$text"* ]] || ((status != 0 && lines != 1)); then
        printf './run %s: status %s, wanted %s and "%s"\n%s\n' "$*" "$actual" "$status" "$text" "$output"
        failures=$((failures + 1))
    fi
}

expect 2 "unknown verb 'tset'" tset
expect 2 "not '--most'" test --most
expect 2 "nothing more" test --all extra
expect 2 "no arguments" demo 02_echo
expect 2 "--json needs a file" bench --json
expect 2 "not 'fast'" bench fast
expect 0 "usage: ./run VERB" help
expect 0 "usage: ./run VERB" --help
echo "$failures failures"
exit $((failures != 0))
