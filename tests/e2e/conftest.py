"""Fixtures of the tests that run against a real control plane."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from control_plane import ControlPlane, find_binaries  # noqa: E402

CRDS = ROOT / "crds"
ESTABLISHED_SECONDS = 30


@pytest.fixture(scope="session")
def control_plane_bin(request: pytest.FixtureRequest) -> Path:
    """Directory of etcd, kube-apiserver and kubectl: $CONTROL_PLANE_BIN, or what build.sh finds."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A first build takes minutes, and its progress must be seen.
    with capture.global_and_fixture_disabled():
        return find_binaries()


@pytest.fixture(scope="session")
def control_plane(control_plane_bin: Path) -> Iterator[ControlPlane]:
    """One control plane for the session, with the CRDs established."""
    with ControlPlane(control_plane_bin) as plane:
        plane.kubectl("apply", "--filename", str(CRDS))
        plane.kubectl(
            "wait",
            "--for=condition=Established",
            f"--timeout={ESTABLISHED_SECONDS}s",
            "crd/omniinstances.omniconnection.io",
            "crd/omniconnections.omniconnection.io",
        )
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A fresh namespace. It is left behind: nothing in this control plane empties namespaces."""
    return control_plane.create_namespace()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """figures(name, text) adds a line `name: text` to the end of the run, also under -q."""
    lines: dict[str, str] = request.config._figures  # type: ignore[attr-defined]
    return lines.__setitem__


def pytest_configure(config: pytest.Config) -> None:
    config._figures = {}  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, text in sorted(config._figures.items()):  # type: ignore[attr-defined]
        terminalreporter.write_line(f"{name}: {text}")
