"""Runs ctest, once or more, and adds up: what was done, in figures, and what took longest, the steps
that scripts/lib.sh noted ($OCO_STEPS, $OCO_BEGAN) among it. ctest's own closing lines come last.

    python3 run_tests.py TITLE BUILD_DIRECTORY [CTEST_ARGUMENT...] [-- BUILD_DIRECTORY ...]

A run of ctest that fails is the last one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

LONGEST = 10
CLOSING = re.compile(r"^\d+% tests passed")
# What the programs tell at their end: `simulation: ...`, `12 inputs`.
FIGURES = re.compile(
    r"^(?:(?:simulation|mutations|budget|conformance|faulty models|tiers): .*|\d+ inputs"
    r"|the seeds that are kept are out of date.*"
    r"|\[doctest\] test cases: .*|(?:\d+ \w+, )*\d+ passed.*)$"
)
PYTEST_FIGURES = re.compile(r"^-+ figures -+\n((?:[^-=\d\n].*\n)+)", re.MULTILINE)


@dataclass
class Record:
    """What is known of all runs so far."""

    times: list[tuple[float, str]] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)  # (test, line)


def run_ctest(build: Path, arguments: list[str], report: Path) -> tuple[int, list[str]]:
    """Shows what ctest says except for its closing lines, which it returns with the exit code."""
    command = ["ctest", "--test-dir", str(build), "--no-tests=error", "--output-on-failure"]
    command += ["--output-junit", str(report), "--test-output-size-passed", "1000000", *arguments]
    closing: list[str] = []
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, errors="replace", **streams) as process:
        assert process.stdout
        for line in process.stdout:
            if closing or CLOSING.match(line):
                closing.append(line)
            else:
                print(line, end="", flush=True)
    return process.returncode, closing


def figures_of(output: str) -> Iterator[str]:
    for block in PYTEST_FIGURES.findall(output):
        yield from block.splitlines()
    for line in output.splitlines():
        if FIGURES.match(line):
            yield re.sub(r"^\[doctest\] |\s+\|.*| in [\d.]+s.*|(?<=:) +(?= )", "", line)


def cases_of(report: Path) -> Iterator[tuple[float, str]]:
    """Seconds and name of each case of a pytest run."""
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "").rsplit(".", 1)[-1]
        name = re.sub(r"@[^\]@]*$", "", case.get("name", ""))  # without xdist's group
        yield float(case.get("time", "0")), f"{module}::{name}"


def add(record: Record, build: Path, report: Path, began: float) -> None:
    where = "" if build.name == "release" else f" ({build.name})"
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "") + where
        record.times.append((float(case.get("time", "0")), f"ctest: {name}"))
        output = case.findtext("system-out") or ""
        record.figures += [(name, line) for line in figures_of(output)]
        cases = build / "Testing" / f"{case.get('name')}.xml"
        if cases.exists() and cases.stat().st_mtime >= began:
            record.times += [(t, f"pytest: {of}") for t, of in cases_of(cases)]


def noted_steps(file: Path) -> Iterator[tuple[float, str]]:
    for line in file.read_text().splitlines() if file.exists() else []:
        seconds, name = line.split("\t", 1)
        yield float(seconds), f"step: {name}"


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def summarize(title: str, record: Record, total: float) -> None:
    print(f"\n== {title}: figures")
    width = max((len(name) for name, _ in record.figures), default=0)
    for name, line in record.figures:
        print(f"  {name:{width}}  {line}")
    print(f"\n== {title}: what took longest (some in parallel), min:s")
    for seconds, name in sorted(record.times, reverse=True)[:LONGEST]:
        print(f"  {clock(seconds):>6}  {name}")
    print(f"  {clock(total):>6}  in all\n")


def split(words: list[str]) -> Iterator[list[str]]:
    """The words between two `--`."""
    while "--" in words:
        at = words.index("--")
        yield words[:at]
        words = words[at + 1 :]
    yield words


def main(title: str, *words: str) -> int:
    steps = os.environ.get("OCO_STEPS")
    record = Record(list(noted_steps(Path(steps))) if steps else [])
    total_from = float(os.environ.get("OCO_BEGAN") or time.time())
    code, closing = 1, [""]
    for build, *arguments in split(list(words)):
        print("".join(closing), flush=True)  # of the run before
        directory = Path(build).resolve()
        report = directory / "Testing" / "ctest.xml"
        report.parent.mkdir(exist_ok=True)
        report.unlink(missing_ok=True)
        began = time.time()
        code, closing = run_ctest(directory, arguments, report)
        if report.exists():
            add(record, directory, report, began)
        if code != 0:
            break
    summarize(title, record, time.time() - total_from)
    print("".join(closing), end="", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
