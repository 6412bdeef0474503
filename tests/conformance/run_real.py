"""Runs the conformance suite against a real kube-apiserver that has run for a while.

    python3 run_real.py KUBE_CONFORMANCE [ARGUMENT...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "e2e")]

from conftest import install_crds  # noqa: E402
from control_plane import ControlPlane, ControlPlaneError  # noqa: E402

LIMIT_SECONDS = 480


def main(program: str, *arguments: str) -> int:
    try:
        with ControlPlane() as plane:
            install_crds(plane)
            plane.forget_history()
            command = [program, "--kubeconfig", str(plane.kubeconfig), *arguments]
            return subprocess.run(command, check=False, timeout=LIMIT_SECONDS).returncode
    except (ControlPlaneError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"run_real.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
