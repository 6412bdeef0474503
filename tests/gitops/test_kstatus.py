"""Flux's view: kstatus, over every status that the operator writes (tests/kstatus, in Go)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]


def test_kstatus(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    given = tmp_path / "samples.json"
    given.write_text(json.dumps(samples))
    # Takes a minute where Go has to be installed first.
    find = 'log_name=kstatus; source "$0/tools/go.sh"; find_go "$0/kstatus"; echo "$go"'
    found = subprocess.run(
        ["bash", "-euc", find, str(TESTS)], stdout=subprocess.PIPE, text=True, check=True
    )
    done = subprocess.run(
        [found.stdout.strip(), "test", "-count=1", "-vet=off", "-v", "./..."],
        cwd=TESTS / "kstatus",
        env={
            **os.environ,
            **{"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath", "GOTOOLCHAIN": "local"},
            **{"GOWORK": "off", "SAMPLES": str(given)},
            "VERDICTS": str(TESTS / "gitops/verdicts.json"),
        },
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(samples)} statuses" in done.stdout
