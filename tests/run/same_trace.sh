#!/usr/bin/env bash
# same_trace.sh BUILD OTHER_BUILD: a plug-in's run is the same, byte for byte, whichever compiler built dirql. A sanitizer's build has
# larger kernel stacks, so reports may differ in addresses of the system half.
set -u
build=$1
other_build=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# one_run BUILD NAME WORD...: output, errors and trace into files called NAME.
one_run() {
    local tool=$1/bin/dirql name=$scratch/$2
    shift 2
    "$tool" run "$@" --trace "$name.trace" >"$name.out" 2>"$name.err"
    echo "$?" >"$name.status"
    sed -i 's/0x7EC0[0-9A-F]\{8\}/0x7EC0xxxxxxxx/g' "$name.err"
}

compare() {
    local kind
    one_run "$build" one "$@"
    one_run "$other_build" other "$@"
    [[ -s $scratch/one.trace ]] || { echo "no trace: $*" && failures=$((failures + 1)); }
    for kind in status out err trace; do
        cmp "$scratch/one.$kind" "$scratch/other.$kind" && continue
        echo "differs ($kind): $*"
        failures=$((failures + 1))
    done
}

drivers=$build/tests/cli
for processors in 1 4; do
    for seed in 1 2 3; do
        for code in 0x222000 0x222004; do
            compare "$drivers/racers.so" --processors $processors --seed $seed --threads 3 --ioctl Race $code "" 8
        done
    done
    for code in 0x222000 0x222008 0x22200c 0x222010 0x22201c 0x222024 0x222028 0x22202c; do
        compare "$drivers/subject.so" --processors $processors --ioctl Subject $code 0102 8
    done
done
exit $((failures != 0))
