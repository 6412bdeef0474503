"""The operator as a process: its command line, bad input, start and end."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import ROOT
from control_plane import ControlPlane, wait_until
from fault_proxy import FaultProxy
from installation import (
    OPERATOR_NAMESPACE,
    allow_lease,
    install_crds,
    operator_kubeconfig,
)
from tenant import LEASE_LOST, Emulator, Operator, Tenant


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
        (["--namespace", "Team_A"], '"Team_A" is not a valid name of a namespace'),
        (["--namespace", ""], '"" is not a valid name of a namespace'),
        (["--operator-namespace", "a.b"], '"a.b" is not a valid name of a namespace'),
        (["--leader-election-id", "My_Lease"], '"My_Lease" is not a valid name of a Lease'),
        (["--metrics-bind-address", "8080"], "it has no port"),
        (["--health-bind-address", "example.com:80"], "the host is not an IP address"),
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
    empty = tmp_path / "empty"
    empty.write_text("\n")
    other = tmp_path / "other"
    other.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: "
        "[{name: a, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], "
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    for arguments, says in (
        (["--kubeconfig", str(tmp_path / "absent")], "absent"),
        (["--kubeconfig", str(broken)], "line 1"),
        (["--kubeconfig", str(tmp_path)], "Is a directory; name a file"),
        (["--kubeconfig", str(empty)], "is empty: write one"),
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
    # In half a minute: that it starts, that it waits, and that it stops.
    logged = [line for line in said.splitlines() if line.startswith("{")]
    assert sum("waiting for the API server" in line for line in logged) <= 3
    assert len(logged) <= 5, said


def test_crds_that_are_not_installed_are_waited_for(
    control_plane_bin: Path, operator_bin: Path, tmp_path: Path
) -> None:
    with ControlPlane(control_plane_bin) as plane:
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


@pytest.mark.long
def test_the_lease_moves_at_once_when_it_is_released(
    tenant: Tenant, operator_bin: Path, tmp_path: Path
) -> None:
    operator = tenant.operator
    flags = ["--allowed-hosts", tenant.emulator.host]
    standby = Operator(operator_bin, tenant.plane, tmp_path / "standby", *flags)
    standby.start()  # ready, with warm caches
    connection = tenant.emulator.new_connection("postgres")
    stands_by = 'leader_election_master_status{name="omni-connection-operator"} 0'
    wait_until(lambda: stands_by in standby.scrape(), 10, "it stands by")
    assert operator.stop() == 0
    try:
        wait_until(lambda: '"leading"' in standby.log.read_text(), 10, "the standby leads")
        tenant.connection("sales", connection, baseRole="VIEWER")
        tenant.wait_reason("sales", "Synced")
        assert len(tenant.emulator.patches(connection)) == 1
    finally:
        assert standby.stop() == 0
        operator.start()


def lease(tenant: Tenant) -> dict[str, Any]:
    return tenant.plane.get("lease", "omni-connection-operator", OPERATOR_NAMESPACE)["spec"]


def test_sigterm_releases_the_lease(tenant: Tenant) -> None:
    tenant.eventually(lambda: lease(tenant)["holderIdentity"], "it is held")
    assert tenant.operator.stop() == 0
    assert not lease(tenant).get("holderIdentity")
    tenant.operator.start()


def test_a_lease_that_is_held_for_very_long_is_named(
    control_plane: ControlPlane, operator_bin: Path, tmp_path: Path
) -> None:
    name = "held-for-very-long"
    spec = {"holderIdentity": "gone", "leaseDurationSeconds": 99999}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec,
             "metadata": {"name": name, "namespace": OPERATOR_NAMESPACE}}  # fmt: skip
    allow_lease(control_plane, name)
    control_plane.apply([lease])
    flags = ("--leader-election-id", name)
    operator = Operator(operator_bin, control_plane, tmp_path / "log", *flags)
    with contextlib.closing(operator):
        operator.launch()
        line = wait_until(lambda: operator.said("waiting for the Lease"), 30, "it says so")
        assert "held by gone, for 99999 s" in line["state"] and "delete the Lease" in line["state"]
        assert operator.stop() == 0


def test_all_descriptors_that_are_allowed_are_used(tenant: Tenant) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        tenant.operator.restart()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert tenant.operator.limits()["Max open files"] == [str(hard), str(hard)]


LEASE_BEHIND_A_PROXY = "behind-a-proxy"


def test_the_binary_does_not_depend_on_where_it_was_built(operator_bin: Path) -> None:
    assert str(ROOT).encode() not in operator_bin.read_bytes()


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    """Between `behind_proxy` and the API server."""
    between = FaultProxy(("127.0.0.1", control_plane.port), seed=1)
    between.start()
    yield between
    between.close()


@pytest.fixture
def behind_proxy(
    tenant: Tenant, proxy: FaultProxy, operator_bin: Path, tmp_path: Path
) -> Iterator[Operator]:
    """An operator with a Lease of its own, which it holds."""
    flags = ["--namespace", tenant.ns, "--leader-election-id", LEASE_BEHIND_A_PROXY]
    allow_lease(tenant.plane, LEASE_BEHIND_A_PROXY)
    config = tenant.plane.kubeconfig_through(proxy.host, operator_kubeconfig(tenant.plane))
    log = tmp_path / "behind-proxy"
    process = Operator(operator_bin, tenant.plane, log, *flags, kubeconfig=config)
    process.start()
    wait_until(lambda: process.said("leading"), 30, "it leads")
    yield process
    process.close()


def test_sigterm_while_the_api_server_is_silent(
    behind_proxy: Operator, proxy: FaultProxy
) -> None:
    proxy.silence()
    assert behind_proxy.stop() == 0  # in ten seconds, though the Lease cannot be released


@pytest.mark.long
def test_watches_that_are_silent_are_given_up_within_a_minute_without_election_too(
    control_plane_bin: Path, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> None:
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        between = FaultProxy(("127.0.0.1", plane.port), seed=1)
        between.start()
        config = plane.kubeconfig_through(between.host, operator_kubeconfig(plane))
        flags = ("--leader-elect=false", "--allowed-hosts", emulator.host)
        operator = Operator(operator_bin, plane, tmp_path / "log", *flags, kubeconfig=config)
        try:
            operator.start()
            tenant = Tenant(plane, emulator, operator)
            connection = tenant.in_step("sales", "before-the-silence")
            between.swallow()
            tenant.secret("db", password="after-the-silence")
            wait_until(lambda: len(emulator.patches(connection)) == 2, 60, "a minute")
            assert emulator.bodies(connection)[1] == {"passwordUnencrypted": "after-the-silence"}
        finally:
            operator.close()
            between.close()


@pytest.mark.long
def test_one_connection_that_is_silent_does_not_cost_the_lease(
    tenant: Tenant, behind_proxy: Operator, proxy: FaultProxy
) -> None:
    def renewed() -> datetime:
        spec = tenant.plane.get("lease", LEASE_BEHIND_A_PROXY, OPERATOR_NAMESPACE)["spec"]
        return datetime.fromisoformat(spec["renewTime"])

    proxy.swallow()
    before = renewed()
    wait_until(
        lambda: behind_proxy.said(LEASE_LOST) or (renewed() - before).total_seconds() > 11,
        30,
        "it renews again, or gives up",
    )
    assert not behind_proxy.said(LEASE_LOST)
