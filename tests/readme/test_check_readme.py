#!/usr/bin/env python3
"""check_readme.py finds what it is for: each case is a README and whether it must pass."""

import pathlib
import subprocess
import sys

CHECKER = pathlib.Path(__file__).with_name("check_readme.py")

FILE = "<!-- readme: file a/hello.sh -->\n```sh\necho hello\necho bye\n```\n"


def console(*lines):
    return "<!-- readme: run -->\n```console\n" + "\n".join(lines) + "\n```\n"


CASES = [
    ("output matches", FILE + console("$ sh a/hello.sh", "hello", "bye"), True),
    ("ellipsis", FILE + console("$ sh a/hello.sh", "...", "bye"), True),
    ("ellipsis in a line", FILE + console("$ sh a/hello.sh", "he...o", "b...e..."), True),
    ("ellipsis in another line", FILE + console("$ sh a/hello.sh", "he...x", "bye"), False),
    ("a skipped block", FILE + console("$ sh a/hello.sh", "hello", "bye") + "<!-- readme: skip a picture -->\n```\nx\n```\n", True),
    ("wanted exit status", console("$ (exit 3) # exit 3"), True),
    ("other output", FILE + console("$ sh a/hello.sh", "hello"), False),
    ("no output expected", FILE + console("$ sh a/hello.sh"), False),
    ("missing output", console("$ true", "hello"), False),
    ("failing command", console("$ false"), False),
    ("command that should fail", console("$ true # exit 3"), False),
    ("unmarked block", FILE + console("$ true") + "```sh\nfalse\n```\n", False),
    ("nothing to run", FILE, False),
    ("what a link leads to", console("$ cat linked/here/target", "found"), True),
]


def main():
    scratch = pathlib.Path(sys.argv[1])
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "target"
    target.write_text("found\n", encoding="utf-8")
    failures = 0
    for name, text, passes in CASES:
        readme = scratch / "README.md"
        readme.write_text(text, encoding="utf-8")
        command = [sys.executable, str(CHECKER), str(readme), "--scratch", str(scratch / "work"), "--prefix", str(scratch),
                   f"--link=linked/here={scratch}"]
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        if (result.returncode == 0) != passes:
            failures += 1
            print(f"{name}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    print(f"{len(CASES)} cases, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
