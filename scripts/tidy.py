"""tidy.py CLANG_TIDY BUILD_DIR JOBS: runs it over each file of BUILD_DIR/compile_commands.json.

A file without a finding is not looked at again until something that it is compiled from, its
command or .clang-tidy changes: BUILD_DIR/tidy-clean/ holds a mark for each.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RAPIDJSON = Path("/usr/include/rapidjson")
# Assigns to a constant in a template that nobody instantiates: an error since clang 19.
INVALID = re.compile(r"(GenericStringRef& operator=\(const GenericStringRef& rhs\)) \{.*?\}")
# Among them how often a file is looked at that is part of several programs.
QUIET = (
    "warnings generated",
    "warning generated",
    "Suppressed ",
    "warnings treated as errors",
    " Processing file ",
)


def preprocessed(entry: dict[str, str]) -> bytes:
    """What the compiler would see, comments included: a NOLINT is one."""
    command = shlex.split(entry["command"])
    output = command.index("-o")
    del command[output : output + 2]
    done = subprocess.run(
        [*command, "-E", "-C", "-w"], cwd=entry["directory"], capture_output=True, check=False
    )
    if done.returncode != 0:
        # clang-tidy will say why.
        return b""
    return done.stdout


# Where a part of the preprocessor's output comes from.
LINE_MARK = re.compile(rb'^# \d+ "([^"<]+)"', re.MULTILINE)


def own_sources(output: bytes, directory: Path) -> list[bytes]:
    """Our files that the output is made from, as they are: directives and the comments on them are
    not in the output."""
    paths = {(directory / name.decode()).resolve() for name in set(LINE_MARK.findall(output))}
    return [path.read_bytes() for path in sorted(paths) if path.is_relative_to(ROOT) and path.is_file()]


def valid_headers(build: Path) -> Path:
    """A directory of headers that go before those of the system: RapidJSON, valid for clang-tidy."""
    headers = build / "headers"
    shutil.rmtree(headers, ignore_errors=True)
    shutil.copytree(RAPIDJSON, headers / "rapidjson")
    document = headers / "rapidjson" / "document.h"
    document.write_text(INVALID.sub(r"\1 = delete;", document.read_text()))
    return headers


def unbuilt(built: set[str]) -> list[str]:
    """C++ files of ours that nothing would build, run or look at."""
    ours = [path for top in ("controller", "tests", "demo") for path in (ROOT / top).rglob("*.cpp")]
    return sorted(str(path.relative_to(ROOT)) for path in ours if str(path) not in built)


def check(
    clang_tidy: str, entry: dict[str, str], build: Path, headers: Path, marks: Path
) -> tuple[str, float | None]:
    """What was found, and how long it took: None if nothing has changed since it was clean."""
    source = preprocessed(entry)
    settings = (ROOT / ".clang-tidy").read_bytes()
    own = own_sources(source, Path(entry["directory"]))
    inputs = (clang_tidy.encode(), settings, entry["command"].encode(), source, *own)
    key = hashlib.sha256(b"\0".join(inputs)).hexdigest()
    mark = marks / key
    if source and mark.exists():
        return "", None
    started = time.monotonic()
    done = subprocess.run(
        [
            clang_tidy,
            "-p",
            str(build),
            "--quiet",
            "--extra-arg-before=-isystem",
            f"--extra-arg-before={headers}",
            entry["file"],
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    found = "\n".join(
        line for line in done.stdout.splitlines() if not any(text in line for text in QUIET)
    ).strip()
    if done.returncode == 0 and not found:
        mark.touch()
    elif not found:
        found = f"clang-tidy ended with {done.returncode}"
    return found.replace(f"{ROOT}/", ""), time.monotonic() - started


def main() -> int:
    clang_tidy, build, jobs = sys.argv[1], Path(sys.argv[2]).resolve(), int(sys.argv[3])
    entries = json.loads((build / "compile_commands.json").read_text())
    entries = list({entry["file"]: entry for entry in entries}.values())
    left_out = unbuilt({entry["file"] for entry in entries})
    for path in left_out:
        print(f"{path}: no target compiles it")
    marks = build / "tidy-clean"
    marks.mkdir(exist_ok=True)
    headers = valid_headers(build)
    failed = unchanged = done = 0
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(check, clang_tidy, entry, build, headers, marks): entry["file"]
            for entry in entries
        }
        for future in as_completed(running):
            found, seconds = future.result()
            done += 1
            name = Path(running[future]).relative_to(ROOT)
            if seconds is None:
                unchanged += 1
                continue
            failed += bool(found)
            print(f"[{done}/{len(entries)}] {name} {seconds:.0f} s{': FAILED' if found else ''}")
            if found:
                print(found)
            sys.stdout.flush()
    print(
        f"clang-tidy: {len(entries)} files, {failed} with findings, "
        f"{unchanged} unchanged since they were clean"
    )
    return 1 if failed or left_out else 0


if __name__ == "__main__":
    sys.exit(main())
