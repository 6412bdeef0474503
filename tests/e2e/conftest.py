"""Fixtures of the tests that run against a real control plane."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from control_plane import ControlPlane, find_binaries  # noqa: E402
from installation import install_crds  # noqa: E402
from kube_bulk import KubeBulk  # noqa: E402
from tenant import Emulator, Operator, Tenant, launch_to_fail  # noqa: E402


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
        install_crds(plane)
        yield plane


def _binary(variable: str, name: str) -> Path:
    path = Path(os.environ.get(variable, ROOT / "build" / "release" / "bin" / name))
    if not path.exists():
        pytest.fail(f"{path} is not built: run `make build`, or set {variable}", pytrace=False)
    return path


@pytest.fixture(scope="session")
def operator_bin() -> Path:
    return _binary("OPERATOR_BIN", "omni-connection-operator")


@pytest.fixture(scope="session")
def emulator_bin() -> Path:
    return _binary("EMULATOR_BIN", "omni-emulator")


@pytest.fixture(scope="module")
def plane(control_plane_bin: Path) -> Iterator[ControlPlane]:
    """One of the module's own, since the session's is minded by the session's operator."""
    with ControlPlane(control_plane_bin) as own:
        install_crds(own)
        yield own


@pytest.fixture
def bulk(plane: ControlPlane) -> Iterator[KubeBulk]:
    sender = KubeBulk(plane)
    yield sender
    sender.close()


@pytest.fixture
def crowd(emulator_bin: Path, tmp_path: Path) -> Iterator[Emulator]:
    """The Omni of a tenant who has many objects, large ones, or trouble."""
    process = Emulator(emulator_bin, tmp_path / "crowd")
    yield process
    process.close()


@pytest.fixture
def crowd_operator(
    plane: ControlPlane, operator_bin: Path, emulator: Emulator, crowd: Emulator, tmp_path: Path
) -> Iterator[Operator]:
    """May send to the crowd's Omni and to everybody's."""
    hosts = f"{emulator.host},{crowd.host}"
    process = Operator(operator_bin, plane, tmp_path / "log", "--allowed-hosts", hosts)
    process.start()
    yield process
    process.close()


@pytest.fixture(scope="session")
def emulator(emulator_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    process = Emulator(emulator_bin, tmp_path_factory.mktemp("emulator"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def second_emulator(
    emulator_bin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """Another Omni, at another address, with a certificate of its own."""
    process = Emulator(emulator_bin, tmp_path_factory.mktemp("emulator2"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def operator(
    control_plane: ControlPlane,
    operator_bin: Path,
    emulator: Emulator,
    second_emulator: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """The operator, for all namespaces of the session."""
    log = tmp_path_factory.mktemp("operator") / "log"
    hosts = f"{emulator.host},{second_emulator.host}"
    process = Operator(operator_bin, control_plane, log, "--allowed-hosts", hosts)
    process.start()
    yield process
    process.close()


@pytest.fixture(scope="session")
def without_api_server(
    operator_bin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[str]]:
    """An operator whose API server never answers. It gives up after half a minute, so
    long_waits() has it begin before the first test."""
    config = tmp_path_factory.mktemp("no-api-server") / "config"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: "
        "[{name: a, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], "
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    yield from launch_to_fail(operator_bin, config)


@pytest.fixture(scope="session", autouse=True)
def long_waits(request: pytest.FixtureRequest) -> None:
    """Lets what takes long run beside the other tests."""
    wanted = (getattr(item, "fixturenames", ()) for item in request.session.items)
    if any("without_api_server" in names for names in wanted):
        request.getfixturevalue("without_api_server")


@pytest.fixture
def tenant(
    control_plane: ControlPlane, emulator: Emulator, operator: Operator
) -> Iterator[Tenant]:
    """A namespace to work in. After the test no credential of it may be readable anywhere."""
    operator.note_lost_lease()  # in a test before this one
    place = Tenant(control_plane, emulator, operator)
    place.let_operator_settle()
    yield place
    emulator.admin("DELETE", "faults")
    assert not place.leaked()


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of several processes side by side, each hands its figures to the one that reports."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config._figures  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config._figures.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config._figures  # type: ignore[attr-defined]
    if figures:
        terminalreporter.section("figures", sep="-")  # scripts/run_tests.py looks for it
    for name, text in sorted(figures.items()):
        terminalreporter.write_line(f"{name}: {text}")
