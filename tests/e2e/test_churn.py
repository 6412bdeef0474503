"""Rotations while things restart: none is lost, and no older value is sent after a newer one."""

from __future__ import annotations

import signal
from typing import Any, Callable

import pytest

from control_plane import wait_until
from kube_bulk import SECRETS_PATH, KubeBulk
from tenant import Tenant
from test_push import password

CONNECTIONS = 10
# A Lease whose holder was killed runs out after 15 s; then come the caches and what is in arrears.
AFTER_A_CRASH_SECONDS = 45
# What follows an unanswered attempt counts when it was sent again a minute later.
SETTLING_SECONDS = 90


def rotate(tenant: Tenant, number: int) -> None:
    """Gives every Secret `db-0`, `db-1`, ... its value of this number, in one kubectl apply."""
    tenant.plane.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"db-{index}", "namespace": tenant.ns},
                "stringData": {"password": value(index, number)},
            }
            for index in range(CONNECTIONS)
        ]
    )


def value(index: int, number: int) -> str:
    return f"rotated#{number}#of-{index}"


def number_of(body: dict[str, Any]) -> int:
    return int(body["passwordUnencrypted"].split("#")[1])


@pytest.mark.long
def test_restarts_lose_nothing_and_turn_nothing_back(
    tenant: Tenant, figures: Callable[[str, str], None]
) -> None:
    connections = [tenant.emulator.new_connection("postgres") for _ in range(CONNECTIONS)]
    rotate(tenant, 0)
    for index, connection in enumerate(connections):
        tenant.connection(f"c{index}", connection, credentials=password(f"db-{index}"))

    def await_everywhere(number: int) -> None:
        def behind() -> list[str]:
            held = tenant.emulator.admin("GET", "connections")["connections"]
            passwords = {entry["id"]: entry.get("password") for entry in held}
            return [c for i, c in enumerate(connections) if passwords[c] != value(i, number)]

        wait_until(lambda: not behind(), AFTER_A_CRASH_SECONDS, f"rotation {number} everywhere")

    await_everywhere(0)

    rotate(tenant, 1)
    tenant.operator.restart()
    await_everywhere(1)

    for connection in connections:  # so that the crash comes between requests and answers
        tenant.emulator.fault(connection, "delay", delayMs=8000, count=1)
    rotate(tenant, 2)
    for connection in connections:
        tenant.wait_patches(connection, 3)
    tenant.operator.restart(signal.SIGKILL)
    await_everywhere(2)
    for connection in connections:  # nobody knew what had become of them
        tenant.wait_patches(connection, 4)

    tenant.operator.stop()
    rotate(tenant, 3)  # while nobody watches
    tenant.operator.start()
    await_everywhere(3)

    rotate(tenant, 4)
    tenant.plane.stop_apiserver()
    tenant.plane.start_apiserver()
    await_everywhere(4)

    rotate(tenant, 5)
    await_everywhere(5)
    for index in range(CONNECTIONS):
        # Where the crash came after a second without an answer, what follows settles for a minute.
        wait_until(
            lambda name=f"c{index}": tenant.conditions(name)["Ready"]["reason"] == "Synced",
            SETTLING_SECONDS,
            f"c{index} is Synced",
        )
    pushes = 0
    for connection in connections:
        numbers = [number_of(body) for body in tenant.emulator.bodies(connection)]
        assert numbers == sorted(numbers), "an older value after a newer one"
        assert set(numbers) == set(range(6)), "a rotation that was skipped"
        pushes += len(numbers)
    figures(
        "churn",
        f"{CONNECTIONS * 6} rotations over 3 restarts, 1 of them a crash, and a restart of the API "
        f"server: {pushes} pushes, lost 0, stale 0",
    )


def test_quick_writes_collapse(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="quick-write-0")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    tenant.emulator.fault(connection, "delay", delayMs=3000, count=1)
    tenant.secret("db", password="quick-write-1")
    tenant.wait_patches(connection, 2)  # under way until the delay is over
    bulk = KubeBulk(tenant.plane)  # each kubectl would take a while to start
    for number in range(2, 7):
        change = {"stringData": {"password": f"quick-write-{number}"}}
        bulk.send([("PATCH", f"{SECRETS_PATH.format(tenant.ns)}/db", change)])
    bulk.close()
    tenant.wait_patches(connection, 3)
    tenant.wait_reason("sales", "Synced")
    tenant.synced_marker()
    assert tenant.emulator.bodies(connection) == [
        {"passwordUnencrypted": f"quick-write-{number}"} for number in (0, 1, 6)
    ]


def test_sigterm_lets_a_request_under_way_end(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="answered-in-time")
    tenant.emulator.fault(connection, "delay", delayMs=3000, count=1)
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_patches(connection, 1)
    assert tenant.operator.stop() == 0
    assert tenant.status("sales")["applied"]["credential"]["pushedAt"]
    tenant.operator.start()
    tenant.wait_reason("sales", "Synced")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1


@pytest.mark.long
def test_a_request_that_sigterm_cuts_is_recorded_and_sent_again(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="never-answered")
    tenant.emulator.fault(connection, "hang-after-apply", count=1)
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_patches(connection, 1)
    assert tenant.operator.stop() == 0  # within ten seconds, though Omni never answers
    assert "credential" not in tenant.status("sales").get("applied", {})
    assert tenant.status("sales")["unanswered"] == ["credential"]
    tenant.operator.start()
    tenant.wait_patches(connection, 2)  # no Lease has to run out first
    tenant.eventually(
        lambda: "once more" in tenant.conditions("sales")["Ready"]["message"], "it settles"
    )
    assert tenant.status("sales")["unanswered"] == ["credential"]


@pytest.mark.long
def test_a_value_that_follows_an_unanswered_one_is_sent_twice(tenant: Tenant) -> None:
    """The first may land late, so that the second counts only once it was sent again."""
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(connection, "hang", count=1)
    first, second = ({"passwordUnencrypted": f"unanswered-then-{n}"} for n in ("one", "two"))
    tenant.secret("db", password=first["passwordUnencrypted"])
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_patches(connection, 1)
    tenant.secret("db", password=second["passwordUnencrypted"])
    assert tenant.wait_patches(connection, 2) == [first, second]
    tenant.eventually(
        lambda: "once more" in tenant.conditions("sales")["Ready"]["message"], "it settles"
    )
    assert "credential" not in tenant.status("sales")["applied"]
    assert tenant.status("sales")["unanswered"] == ["credential"]
    wait_until(
        lambda: len(tenant.emulator.patches(connection)) == 3, SETTLING_SECONDS, "the settling push"
    )
    _, sent, again = tenant.emulator.patches(connection)
    assert again["body"] == second
    assert again["timeUnixMs"] - sent["timeUnixMs"] >= 60_000
    tenant.wait_reason("sales", "Synced")
    assert tenant.status("sales")["applied"]["credential"]["digest"]
    assert "unanswered" not in tenant.status("sales")
