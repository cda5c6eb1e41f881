#!/usr/bin/env python3
"""Does what a README shows.

Every fenced block says what it is, in an HTML comment on the line above it:

    <!-- readme: file NAME -->    the block is the file NAME
    <!-- readme: run -->          a console: `$ command` lines, each followed by its exact output; a line `...` stands
                                  for any number of lines, and within a line for any text; a trailing ` # exit N` comment on a command wants that status
    <!-- readme: skip REASON -->  neither

A block without one is an error, so that nothing is shown unchecked. Files and commands live in one scratch directory,
with the installed program first in PATH, and with links to what a reader's directory has.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

MARK = re.compile(r"<!-- readme: (file|run|skip)\s*(.*?)\s*-->\s*$")
EXIT = re.compile(r"\s+# exit (\d+)$")


class Problem(Exception):
    pass


def blocks(text):
    """(line number, kind, argument, [lines]) of each fenced block."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        fence = re.match(r"\s*(```+)", lines[number])
        if not fence:
            number += 1
            continue
        start = number
        number += 1
        body = []
        while number < len(lines) and lines[number].strip() != fence.group(1):
            body.append(lines[number])
            number += 1
        mark = MARK.match(lines[start - 1].strip()) if start else None
        if not mark:
            raise Problem(f"line {start + 1}: this block does not say what it is (readme: file, run or skip)")
        yield start + 1, mark.group(1), mark.group(2), body
        number += 1


def commands(body):
    """(command, wanted exit status, expected lines) of a console block."""
    found = []
    for line in body:
        if line.startswith("$ "):
            status = EXIT.search(line)
            found.append((EXIT.sub("", line[2:]), int(status.group(1)) if status else 0, []))
        elif found:
            found[-1][2].append(line)
        else:
            raise Problem("a console block starts with `$ command`")
    return found


def line_matches(expected, actual):
    return re.fullmatch(".*".join(re.escape(part) for part in expected.split("...")), actual) is not None


def matches(expected, actual):
    """Line by line; a line `...` stands for any number of lines."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[skip:]) for skip in range(len(actual) + 1))
    return bool(actual) and line_matches(expected[0], actual[0].rstrip()) and matches(expected[1:], actual[1:])


def run(command, status, expected, scratch, environment):
    result = subprocess.run(["bash", "-c", command], cwd=scratch, env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=240, check=False)
    if result.returncode != status:
        raise Problem(f"`{command}` exits with {result.returncode}, not {status}:\n{result.stdout}")
    if not matches(expected, result.stdout.splitlines()):
        raise Problem(f"`{command}` prints\n{result.stdout}\nand not\n" + "\n".join(expected))


def environment_with(prefix):
    environment = dict(os.environ)
    for variable, directory in (("PATH", "bin"), ("PKG_CONFIG_PATH", "lib/pkgconfig"), ("LD_LIBRARY_PATH", "lib"),
                                ("CMAKE_PREFIX_PATH", "")):
        inherited = environment.get(variable)
        environment[variable] = os.pathsep.join([str(pathlib.Path(prefix) / directory)] + ([inherited] if inherited else []))
    return environment


def main():
    parser = argparse.ArgumentParser(description="Does what a README shows.")
    parser.add_argument("readme")
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--link", action="append", default=[], metavar="NAME=TARGET", help="a link in the scratch directory")
    arguments = parser.parse_args()

    scratch = pathlib.Path(arguments.scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for link in arguments.link:
        name, target = link.split("=", 1)
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).symlink_to(target)
    environment = environment_with(arguments.prefix)
    done = {"file": 0, "run": 0, "skip": 0}
    line = 0
    try:
        for line, kind, argument, body in blocks(pathlib.Path(arguments.readme).read_text(encoding="utf-8")):
            done[kind] += 1
            if kind == "file":
                (scratch / argument).parent.mkdir(parents=True, exist_ok=True)
                (scratch / argument).write_text("\n".join(body) + "\n", encoding="utf-8")
            elif kind == "run":
                for command, status, expected in commands(body):
                    run(command, status, expected, scratch, environment)
        if not done["run"]:
            raise Problem("shows no command at all")
    except Problem as problem:
        print(f"{arguments.readme}:{line}: {problem}", file=sys.stderr)
        return 1
    print(f"{done['file']} files, {done['run']} consoles, {done['skip']} blocks skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
