#!/usr/bin/env python3
"""mutants.py BUILD CALLS HEADERS LIBRARY [--count N] [--seed N] [--name NAME]...

Replaces exported functions, one at a time, by one that returns a failure and does nothing, and runs the test programs that
call it until one fails. A function whose loss no test notices makes this fail.

BUILD    a build without sanitizers
CALLS    what each test program called, see exports_called.sh
HEADERS  the drivers' headers, which tell what returns an NTSTATUS
LIBRARY  mutant.cpp as a library
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import sys

UNSUCCESSFUL = 0xC0000001
# What is returned instead of 0, where 0 is what every machine here answers, and nothing else is done.
OTHERWISE = {
    "IoGetTransactionParameterBlock": (0x10, "no open is transacted"),
    "IoIs32bitProcess": (1, "applications are 64-bit"),
    "KeGetCurrentNodeNumber": (1, "all memory is one node's"),
    "KeQueryHighestNodeNumber": (1, "all memory is one node's"),
    "MmIsThisAnNtAsSystem": (1, "a client, not a server"),
}
# Written in assembly language, without a door that counts: who calls it.
UNCOUNTED = {"RtlCaptureContext": "seh"}
# Found by other means than a failing call: each with its reason.
SPARED = {
    "dirql_yield_processor": "a hint: without it spinning threads wait for the end of their turns",
}


def exported(build):
    lines = subprocess.run([build / "bin/dirql", "exports"], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split(" ", 4) + [""] for line in lines]
    return [row[0] for row in rows
            if row[1] == "full" and row[2] in ("ntoskrnl", "hal") and not row[4].startswith(("data", "C run-time"))]


def callers(calls):
    """What programs call each function, those that call it most often last: they take longest."""
    found = {name: {program: 1} for name, program in UNCOUNTED.items()}
    for file in sorted(calls.iterdir()):
        program = file.name.rpartition(".")[0]
        for line in file.read_text().splitlines():
            name, count = line.split()
            counts = found.setdefault(name, {})
            counts[program] = counts.get(program, 0) + int(count)
    return {name: sorted(counts, key=counts.get) for name, counts in found.items()}


def programs(build):
    """The test programs by name."""
    files = [f for f in build.rglob("tests/**/*") if f.is_file() and os.access(f, os.X_OK) and not f.suffix]
    return {f.name: f for f in files}


def returns_status(headers):
    text = "\n".join(f.read_text(errors="replace") for f in headers.rglob("*.h"))
    return set(re.findall(r"\bNTSTATUS\s+(?:NTAPI\s+)?(\w+)\s*\(", text))


def value_of_mutant(name, statuses):
    """What it returns. Services that applications and drivers declare themselves stand in no header, and return statuses, too."""
    if name in OTHERWISE:
        return OTHERWISE[name][0]
    return UNSUCCESSFUL if name in statuses or re.match("(Nt|Zw)[A-Z]", name) else 0


def passes(program, environment):
    """None: it took too long."""
    try:
        return subprocess.run([program, "-a"], env=environment, capture_output=True, timeout=60, cwd=program.parent).returncode == 0
    except subprocess.TimeoutExpired:
        return None


def without_mutant(program, library):
    environment = dict(os.environ, LD_PRELOAD=str(library))
    environment.pop("DIRQL_EXPORT_CALLS", None)
    return passes(program, environment)


def survives(name, value, candidates, library):
    """None when a test fails without the function; else what was tried."""
    environment = dict(os.environ, LD_PRELOAD=str(library), DIRQL_MUTANT=f"{name}:{value:x}")
    environment.pop("DIRQL_EXPORT_CALLS", None)
    for program in candidates:
        if passes(program, environment) is not True:  # a mutant that hangs a test is noticed, too
            return None
    return [p.name for p in candidates]


def main():
    parser = argparse.ArgumentParser()
    for path in ("build", "calls", "headers", "library"):
        parser.add_argument(path, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--count", type=int, default=36)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", action="append")
    options = parser.parse_args()

    known = programs(options.build)
    called_by = callers(options.calls)
    statuses = returns_status(options.headers)
    # Those that the tool and the examples alone call have no program here that could notice.
    tested = {n for n, callers in called_by.items() if any(p in known for p in callers)}
    names = options.name or [n for n in exported(options.build) if n in tested and n not in SPARED]
    if not options.name and len(names) > options.count:
        names = random.Random(options.seed).sample(names, options.count)

    def judge(name):
        candidates = [known[p] for p in called_by.get(name, []) if p in known]
        return name, survives(name, value_of_mutant(name, statuses), candidates, options.library)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        needed = sorted({known[p] for n in names for p in called_by.get(n, []) if p in known})
        broken = [p.name for p, fine in zip(needed, pool.map(lambda p: without_mutant(p, options.library), needed)) if not fine]
        if broken:
            print(f"fails without any mutant: {', '.join(broken)}")
            return 1
        survivors = [(name, tried) for name, tried in pool.map(judge, names) if tried is not None]
    print(f"seed {options.seed}: {len(names)} mutants, {len(names) - len(survivors)} found")
    for name, tried in survivors:
        print(f"no test notices when {name} fails (tried: {', '.join(tried) or 'none calls it'})")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
