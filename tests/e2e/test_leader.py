"""Two replicas: one leads, the other stands by with warm caches."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from control_plane import wait_until
from installation import OPERATOR_NAMESPACE
from tenant import Operator, Tenant
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
    tenant.eventually(lambda: tenant.status("cut").get("unanswered") == ["base_role"], "no answer")

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
    assert tenant.status("cut")["unanswered"] == ["base_role"]


def test_sigterm_records_what_it_cuts_and_hands_over_at_once(
    tenant: Tenant, standby: Operator
) -> None:
    wait_until(lambda: leads(tenant.operator), RUN_OUT_SECONDS, "the first leads")
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="never-answered")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    tenant.emulator.fault(connection, "hang", count=1)
    tenant.secret("db", password="never-answered-2")
    tenant.wait_patches(connection, 2)
    assert tenant.operator.stop() == 0
    stopped = time.monotonic()
    status = tenant.status("sales")
    assert status["unanswered"] == ["credential"]
    assert "credential" not in status["applied"]
    wait_until(lambda: leads(standby), 5, "the standby leads")
    assert '"takeover":"clean"' in standby.log.read_text()
    tenant.wait_patches(connection, 3)
    assert time.monotonic() - stopped < 8


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
