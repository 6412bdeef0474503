"""Two replicas: one leads, the other stands by with warm caches."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from installation import OPERATOR_NAMESPACE, install_crds
from tenant import Emulator, Operator, Tenant
from test_push import password

# The Lease of a holder that was killed runs out after 15 s; it is looked at every 2 s or so.
RUN_OUT_SECONDS = 25


@pytest.fixture
def standby(tenant: Tenant, operator_bin: Path, tmp_path: Path) -> Iterator[Operator]:
    """A second replica. Afterwards the first one runs again, alone."""
    flags = ["--allowed-hosts", tenant.emulator.host, "--log-level", "debug"]
    replica = Operator(operator_bin, tenant.plane, tmp_path / "standby", *flags)
    replica.start()
    yield replica
    assert replica.stop() == 0
    if not running(tenant.operator):
        tenant.operator.start()
    wait_until(lambda: leads(tenant.operator), RUN_OUT_SECONDS, "the first leads again")


def running(operator: Operator) -> bool:
    return operator._process is not None  # pylint: disable=protected-access


def leads(operator: Operator) -> bool:
    metric = 'leader_election_master_status{name="omni-connection-operator"}'
    (value,) = [line[-1] for line in operator.scrape().splitlines() if line.startswith(metric)]
    return value == "1"


@pytest.mark.long
def test_a_standby_is_ready_and_takes_over_when_the_leader_is_killed(
    tenant: Tenant, standby: Operator
) -> None:
    wait_until(lambda: leads(tenant.operator), RUN_OUT_SECONDS, "the first leads")
    for replica in (tenant.operator, standby):
        assert replica.get(replica.health, "/readyz")[0] == 200
        assert replica.get(replica.health, "/healthz")[0] == 200
    assert not leads(standby)
    quiet, cut = (tenant.emulator.new_connection("postgres") for _ in range(2))
    tenant.secret("db", password="before-the-crash")
    tenant.connection("quiet", quiet, credentials=password("db"))
    tenant.wait_reason("quiet", "Synced")
    tenant.emulator.fault(cut, "hang-after-apply", count=1)
    tenant.connection("cut", cut, baseRole="VIEWER")
    tenant.eventually(lambda: tenant.status("cut").get("unanswered") == ["baseRole"], "no answer")

    tenant.operator.stop(signal.SIGKILL)
    killed = time.monotonic()
    tenant.secret("db", password="while-nobody-leads")
    assert not leads(standby)
    wait_until(lambda: leads(standby), RUN_OUT_SECONDS, "the standby leads")
    assert time.monotonic() - killed >= 10  # not before the Lease ran out
    assert tenant.wait_patches(quiet, 2)[1] == {"passwordUnencrypted": "while-nobody-leads"}
    # What the first sent and nobody answered may land late: the same value is sent, and settles.
    assert tenant.wait_patches(cut, 2)[1] == {"baseRole": "VIEWER"}
    tenant.eventually(
        lambda: "once more" in tenant.conditions("cut")["Ready"]["message"], "it settles"
    )
    assert tenant.status("cut")["unanswered"] == ["baseRole"]


def test_sigterm_records_what_it_cuts_and_hands_over_at_once(
    tenant: Tenant, standby: Operator
) -> None:
    wait_until(lambda: leads(tenant.operator), RUN_OUT_SECONDS, "the first leads")
    connection = tenant.in_step("sales", "never-answered")
    tenant.emulator.fault(connection, "hang", count=1)
    tenant.secret("db", password="never-answered-2")
    tenant.wait_patches(connection, 2)
    assert tenant.operator.stop() == 0
    stopped = time.monotonic()
    status = tenant.status("sales")
    assert status["unanswered"] == ["credential"]
    assert "credential" not in status["applied"]
    wait_until(lambda: leads(standby), 5, "the standby leads")
    assert '"takeover":"unsettled"' in standby.log.read_text()
    tenant.wait_patches(connection, 3)
    assert time.monotonic() - stopped < 8


AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Request",
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
            "namespaces": [OPERATOR_NAMESPACE],
        },
        {"level": "None"},
    ],
}


class AuditLog:
    """What the API server was asked about the Lease, in the order of its answers."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "audit.log"
        policy = directory / "policy.json"
        policy.write_text(json.dumps(AUDIT_POLICY))
        self.flags = [f"--audit-policy-file={policy}", f"--audit-log-path={self._log}"]

    def entries(self, *verbs: str, stage: str = "ResponseComplete") -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        found = [json.loads(line) for line in lines if line[-1] == "\n"]
        return [e for e in found if e["verb"] in verbs and e["stage"] == stage]

    def watches(self) -> int:
        return len(self.entries("watch", stage="ResponseStarted"))

    def holders(self) -> list[str]:
        """One for each answer to a read (as "?") or a write (whom it names)."""
        answered = self.entries("get", "create", "update")
        return [
            "?" if e["verb"] == "get" else e["requestObject"]["spec"]["holderIdentity"]
            for e in answered
        ]


@pytest.mark.long
def test_a_release_is_taken_up_by_the_watch(
    control_plane_bin: Path, operator_bin: Path, tmp_path: Path
) -> None:
    audit = AuditLog(tmp_path)
    with ControlPlane(control_plane_bin, apiserver_flags=audit.flags) as plane:
        install_crds(plane)
        first, second = (Operator(operator_bin, plane, tmp_path / n) for n in ("one", "two"))
        try:
            first.start()
            wait_until(lambda: leads(first), RUN_OUT_SECONDS, "the first leads")
            assert audit.watches() == 0  # who leads does not watch
            second.start()
            wait_until(lambda: audit.watches() == 1, RUN_OUT_SECONDS, "the second watches")
            before = len(audit.holders())
            renewed = lambda: len(audit.holders()) >= before + 4  # noqa: E731
            wait_until(renewed, RUN_OUT_SECONDS, "the first renews")
            assert audit.holders()[before:].count("?") < 3  # not one read for each renewal

            assert first.stop() == 0
            wait_until(lambda: leads(second), RUN_OUT_SECONDS, "the second leads")
            holders = audit.holders()
            released = holders.index("")
            (leader,) = {holder for holder in holders[:released] if holder != "?"}
            assert holders[released + 1] not in ("?", "", leader)
            assert '"takeover":"clean"' in second.log.read_text()
            ended = lambda: len(audit.entries("watch")) == 1  # noqa: E731
            wait_until(ended, RUN_OUT_SECONDS, "the second does not watch any more")
            assert audit.watches() == 1
        finally:
            for replica in (first, second):
                replica.close()


STANDSTILL_SECONDS = 30


@pytest.mark.long
def test_an_etcd_that_stands_still_restarts_nobody(
    control_plane_bin: Path, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> None:
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        flags = ("--allowed-hosts", emulator.host)
        replicas = [Operator(operator_bin, plane, tmp_path / name, *flags) for name in ("a", "b")]
        try:
            for replica in replicas:
                replica.start()
            sales = Tenant(plane, emulator, replicas[0])
            connection = sales.in_step("sales", "before-the-standstill")

            os.kill(plane.pids["etcd"], signal.SIGSTOP)
            stopped = time.monotonic()
            alive = lambda: all(  # noqa: E731
                not r.ended() and r.get(r.health, "/healthz")[0] == 200 for r in replicas
            )
            over = lambda: time.monotonic() > stopped + STANDSTILL_SECONDS  # noqa: E731
            wait_until(lambda: not alive() or over(), STANDSTILL_SECONDS + 5, "half a minute")
            assert alive()
            assert not any(leads(r) for r in replicas)
            os.kill(plane.pids["etcd"], signal.SIGCONT)
            wait_until(lambda: any(leads(r) for r in replicas), 10, "one leads again")
            sales.secret("db", password="after-the-standstill")
            sent = sales.wait_patches(connection, 2)
            assert sent[-1] == {"passwordUnencrypted": "after-the-standstill"}
            assert alive()
            wait_until(
                lambda: all(r.get(r.health, "/readyz")[0] == 200 for r in replicas), 30, "ready"
            )
            assert [r.stop() for r in replicas] == [0, 0]
        finally:
            for replica in replicas:
                replica.close()


@pytest.mark.long
def test_a_lease_that_somebody_deletes_is_made_anew(tenant: Tenant, standby: Operator) -> None:
    wait_until(lambda: leads(tenant.operator), RUN_OUT_SECONDS, "the first leads")
    arguments = ("-n", OPERATOR_NAMESPACE, "get", "lease", "omni-connection-operator")

    def uid() -> str:
        done: Any = tenant.plane.kubectl(*arguments, "-o", "jsonpath={.metadata.uid}", check=False)
        return done.stdout

    before = uid()
    tenant.plane.kubectl("-n", OPERATOR_NAMESPACE, "delete", "lease", "omni-connection-operator")
    wait_until(lambda: uid() not in ("", before), 10, "it is there again")
    assert leads(tenant.operator) and not leads(standby)
