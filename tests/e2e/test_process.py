"""The operator as a process: its command line, bad input, start and end."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from control_plane import ControlPlane, wait_until
from operator_site import OPERATOR_NAMESPACE, Operator, Site


def run(binary: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )


def complaint(said: str) -> str:
    """The one line that it said on stderr, beside its log (which is JSON)."""
    lines = [line for line in said.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, said
    return lines[0]


def test_version_and_help(operator_bin: Path) -> None:
    done = run(operator_bin, "version")
    assert done.returncode == 0 and done.stdout.startswith("omni-connection-operator ")
    for arguments in (["--help"], ["run", "--help"], ["version", "--help"]):
        done = run(operator_bin, *arguments)
        assert done.returncode == 0 and done.stdout and not done.stderr
    for flag in ("--kubeconfig", "--allowed-hosts", "--leader-elect", "--log-format"):
        assert flag in run(operator_bin, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["--log-level", "loud"], "loud"),
        (["--leader-elect=perhaps"], "--leader-elect"),
        (["--allowed-hosts", "https://x"], "https://x"),
        (["version", "now"], "version"),
    ],
)
def test_wrong_usage(operator_bin: Path, arguments: list[str], says: str) -> None:
    done = run(operator_bin, *arguments)
    assert done.returncode == 2
    assert says in complaint(done.stderr)


def test_flags_from_the_environment(operator_bin: Path) -> None:
    done = run(operator_bin, OMNI_CONNECTION_OPERATOR_LOG_FORMAT="xml")
    assert done.returncode == 2 and "xml" in complaint(done.stderr)


def test_kubeconfigs_that_lead_nowhere(operator_bin: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("clusters: [")
    other = tmp_path / "other"
    other.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: "
        "[{name: a, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], "
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    for arguments, says in (
        (["--kubeconfig", str(tmp_path / "absent")], "absent"),
        (["--kubeconfig", str(broken)], "line 1"),
        (["--kubeconfig", str(other), "--context", "b"], '"b"'),
        ([], "--kubeconfig"),
    ):
        done = run(operator_bin, *arguments)
        assert done.returncode == 1
        assert says in complaint(done.stderr)


def test_an_api_server_that_does_not_answer(without_api_server: subprocess.Popen[str]) -> None:
    _, said = without_api_server.communicate(timeout=60)
    assert without_api_server.returncode == 1
    line = complaint(said)
    assert "127.0.0.1:1" in line and "does not answer" in line


def test_crds_that_are_not_installed_are_waited_for(
    control_plane_bin: Path, operator_bin: Path, tmp_path: Path
) -> None:
    with ControlPlane(control_plane_bin) as plane:
        plane.kubectl("create", "namespace", OPERATOR_NAMESPACE)
        operator = Operator(operator_bin, plane, tmp_path / "log", "--leader-elect=false")
        try:
            process = subprocess.Popen(
                operator._arguments, stderr=(tmp_path / "log").open("w"), text=True
            )
            wait_until(
                lambda: "install the CRDs" in (tmp_path / "log").read_text(), 20, "the log line"
            )
            plane.kubectl("apply", "-f", str(Path(__file__).resolve().parents[2] / "crds"))
            wait_until(lambda: '"synced"' in (tmp_path / "log").read_text(), 30, "it is synced")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def test_the_lease_moves_at_once_when_it_is_released(
    site: Site, operator_bin: Path, tmp_path: Path
) -> None:
    operator = site.operator
    flags = ["--allowed-hosts", site.emulator.host]
    standby = Operator(operator_bin, site.plane, tmp_path / "standby", *flags)
    standby.start()  # ready, with warm caches
    connection = site.emulator.new_connection("postgres")
    stands_by = 'leader_election_master_status{name="omni-connection-operator"} 0'
    wait_until(lambda: stands_by in standby.scrape(), 10, "it stands by")
    assert operator.stop() == 0
    try:
        wait_until(lambda: '"leading"' in standby.log.read_text(), 10, "the standby leads")
        site.connection("sales", connection, baseRole="VIEWER")
        site.wait_reason("sales", "Synced")
        assert len(site.emulator.patches(connection)) == 1
    finally:
        assert standby.stop() == 0
        operator.start()


def lease(site: Site) -> dict[str, Any]:
    return site.plane.get("lease", "omni-connection-operator", OPERATOR_NAMESPACE)["spec"]


def test_sigterm_releases_the_lease(site: Site) -> None:
    site.eventually(lambda: lease(site)["holderIdentity"], "it is held")
    assert site.operator.stop() == 0
    assert not lease(site).get("holderIdentity")
    site.operator.start()
