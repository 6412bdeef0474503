"""Every Python test is run by exactly one test of ctest, and each promise (tests/e2e/promises.py) is
shown by a test of the quick tier, which is all that has no label `long`.

    python3 tiers.py BUILD_DIRECTORY
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Sequence

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "e2e"))

from promises import PROMISES  # noqa: E402


def collect(command: Sequence[str]) -> set[str]:
    """The tests that a pytest command would run, as `e2e/test_push.py::test_password`."""
    words = [word for word in command if not word.startswith(("--junitxml", "-q", "-v"))]
    done = subprocess.run(
        [*words, "--collect-only", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} collects nothing:\n{done.stdout}{done.stderr}")
    # With xdist's groups a test's name ends in @GROUP.
    lines = (re.sub(r"@[^\]@]*$", "", line) for line in done.stdout.splitlines())
    return {line for line in lines if "::" in line and not line.startswith(" ")}


def main(build: str) -> int:
    listed = subprocess.run(
        ["ctest", "--test-dir", build, "--show-only=json-v1"],
        capture_output=True,
        text=True,
        check=True,
    )
    runs: dict[str, list[str]] = defaultdict(list)  # by the Python test
    quick: set[str] = set()
    for test in json.loads(listed.stdout)["tests"]:
        command = test.get("command", [])
        if "pytest" not in command:
            continue
        found = collect(command)
        for name in found:
            runs[name].append(test["name"])
        labels = [p["value"] for p in test["properties"] if p["name"] == "LABELS"]
        if "long" not in labels[0]:
            quick |= found

    complaints = []
    folders = sorted({str(path.parent) for path in TESTS.glob("*/test_*.py")})
    for folder in folders:
        for name in sorted(collect([sys.executable, "-m", "pytest", folder])):
            by = runs.get(name, [])
            if len(by) != 1:
                complaints.append(f"{name} is run by {' and '.join(by) or 'no test of ctest'}")
    shown = {re.sub(r"\[.*", "", name) for name in quick}
    for promise, file, test in PROMISES:
        if f"e2e/{file}::{test}" not in shown:
            complaints.append(f"not in the quick tier: {file}::{test} ({promise})")
    for complaint in complaints:
        print(complaint)
    print(
        f"tiers: {len(runs)} Python tests, {len(quick)} of them quick, each run once; "
        f"{len(PROMISES)} promises shown by a quick one"
    )
    return 1 if complaints or not runs else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 2 else __doc__)
