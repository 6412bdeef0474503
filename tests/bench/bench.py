"""`make bench`: how fast and how light the operator is, beside what the same work takes at least, and
beside a peer where there is one. Every comparison is a ratio of two figures of the same run."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from contender import Contender  # noqa: E402
from control_plane import find_binaries  # noqa: E402
from measures import Figures, Size, measure  # noqa: E402

Row = tuple[str, Callable[[Figures], float], str]

ROWS: list[Row] = [
    ("rotation, median", lambda f: f.median() * 1e3, "ms"),
    ("rotation, 99th percentile", lambda f: f.slow() * 1e3, "ms"),
    ("CPU of a rotation", lambda f: f.alone_cpu * 1e3, "ms"),
    ("all rotated at once, each", lambda f: f.per_burst() * 1e3, "ms"),
    ("CPU of each then", lambda f: f.burst_cpu * 1e3, "ms"),
    ("start until all are pushed", lambda f: f.first_sync, "s"),
    ("CPU of that", lambda f: f.first_sync_cpu, "s"),
    ("CPU of a minute without changes", lambda f: f.idle_cpu * 1e3, "ms"),
    ("memory with one connection", lambda f: f.empty_bytes / 1e6, "MB"),
    ("memory when all were just pushed", lambda f: f.most_bytes / 1e6, "MB"),
    ("memory with all, at rest", lambda f: f.full_bytes / 1e6, "MB"),
    ("memory for each connection", lambda f: f.bytes_each() / 1e3, "kB"),
    ("size of the binary", lambda f: f.binary_bytes / 1e6, "MB"),
]


def table(operator: Figures, peer: Figures | None) -> str:
    lines = [f"{'':32} {'operator':>12}" + (f" {'peer':>12} {'peer/operator':>14}" if peer else "")]
    for name, of, unit in ROWS:
        line = f"{name:32} {of(operator):9.2f} {unit:2}"
        if peer:
            ratio = f"{of(peer) / of(operator):.1f}" if of(operator) > 0 else "-"
            line += f" {of(peer):9.2f} {unit:2} {ratio:>14}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rotations", type=int, default=200, help="one at a time")
    parser.add_argument(
        "--peer",
        default=os.environ.get("PEER", ""),
        metavar="COMMAND",
        help="another operator for the same CRDs ($PEER), with its flags: it finds the API server by "
        "$KUBECONFIG and trusts $SSL_CERT_FILE; {host} stands for HOST:PORT of Omni",
    )
    options = parser.parse_args()
    size = Size(options.connections, min(options.rotations, options.connections))
    binaries, emulator = find_binaries(), options.bin / "omni-emulator"

    contenders = [Contender.operator(options.bin / "omni-connection-operator")]
    if options.peer:
        contenders.append(Contender.peer(options.peer))
    figures = []
    with tempfile.TemporaryDirectory(prefix="oco-bench-") as directory:
        for contender in contenders:
            print(f"{contender.name}: {size.connections} connections", flush=True)
            place = Path(directory) / contender.name
            figures.append(measure(contender, size, binaries, emulator, place))

    operator, peer = figures[0], (figures[1] if options.peer else None)
    print(f"\n{size.connections} connections, {size.rotations} rotations one at a time\n")
    print(table(operator, peer))
    print(
        "\nfrom before a Secret is written until Omni gets it, beside one client that writes the "
        "Secret, reads it\nand sends it: "
        + ", ".join(
            f"{c.name} {f.median() / f.floor():.2f} times ({f.floor() * 1e3:.2f} ms)"
            for c, f in zip(contenders, figures)
        )
    )


main()
