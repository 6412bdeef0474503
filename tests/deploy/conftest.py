"""Fixtures of the tests of deploy/: a control plane to apply things to, and helm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from control_plane import ControlPlane, find_binaries  # noqa: E402
from installation import install_crds  # noqa: E402

CHART = ROOT / "deploy" / "helm" / "omni-connection-operator"
NAME = "omni-connection-operator"
NAMESPACE = "omni-connection-operator-system"


class Helm:
    """`helm template` of the chart, as a release that is named as what kustomize makes."""

    def __init__(self, binary: Path) -> None:
        self.binary = binary

    def run(
        self, *arguments: str, values: dict[str, Any] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.binary), *arguments, f"--values={CHART}/ci/values.yaml", "--values=-"],
            input=yaml.safe_dump(values or {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def text(self, values: dict[str, Any] | None = None, *flags: str) -> str:
        arguments = ("template", NAME, str(CHART), f"--namespace={NAMESPACE}", *flags)
        return self.run(*arguments, values=values).stdout

    def objects(self, values: dict[str, Any] | None = None, *flags: str) -> list[dict[str, Any]]:
        return [o for o in yaml.safe_load_all(self.text(values, *flags)) if o]

    def refusal(self, values: dict[str, Any]) -> str:
        """What helm says against values that the chart does not take."""
        done = self.run("template", NAME, str(CHART), values=values, check=False)
        assert done.returncode != 0, f"{values} were taken"
        return done.stderr


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Helm:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A first build takes minutes, and its progress must be seen.
    with capture.global_and_fixture_disabled():
        built = subprocess.run(
            [str(ROOT / "tests" / "tools" / "build.sh"), "helm", "helm"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Helm(Path(built.stdout.splitlines()[-1]) / "helm")


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        binaries = find_binaries()
    with ControlPlane(binaries) as plane:
        install_crds(plane)
        for name in (NAMESPACE, "analytics"):
            plane.kubectl("create", "namespace", name)
        plane.kubectl(
            *("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        )
        yield plane
