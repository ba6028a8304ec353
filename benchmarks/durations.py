#!/usr/bin/env python3
"""The durations of the commands in README.md. Each command runs once, in a fresh clone.

    python3 benchmarks/durations.py             about ten minutes
    python3 benchmarks/durations.py COMMAND...  only these commands; the other durations stay

Commands use one core if they do not start several processes. In README.md a command is in a code block with "# 12 s"
after it, or between backquotes with "(12 s" after it. This script writes durations.json into --out (default:
results/benchmarks). python3 -m studies tables reports differences.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
from contestants import environment

COMMAND, DURATION = r"(?:make|python3)\b[^`#\n]*?", r"([\d.]+ (?:s|min|h))\b"
TIMED = re.compile(rf"^    ({COMMAND}) +# {DURATION}|`({COMMAND})` \({DURATION}", flags=re.MULTILINE)


def timed_commands(text):
    """{command: duration} of a Markdown text, both as text."""
    return {(block or span): (first or second) for block, first, span, second in TIMED.findall(text)}


def seconds_of(command, folder):
    """The time that a command takes in a folder. Exits with status 1 if the command fails."""
    started = time.perf_counter()
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


def main(argv=None):
    """Measure. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="measure only these (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks", help="(default: %(default)s)")
    options = parser.parse_args(argv)
    path, known = options.out / "durations.json", timed_commands((ROOT / "README.md").read_text())
    if unknown := [command for command in options.commands if command not in known]:
        parser.error(f"README.md does not have {unknown[0]!r}")
    held = json.loads(path.read_text())["seconds"] if path.exists() and options.commands else {}
    results = {"schema": 1, "benchmark": "durations", "environment": environment(), "seconds": held}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        for command in options.commands or known:
            bare = command.replace("python3", sys.executable) if command.startswith("python3") else command
            results["seconds"][command] = round(seconds_of(bare, folder), 1)
            print(f"{results['seconds'][command]:8.1f} s  {command}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
