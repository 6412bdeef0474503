"""Rotations while things restart: none is lost, and no older value is sent after a newer one."""

from __future__ import annotations

import signal
from typing import Any, Callable

from control_plane import wait_until
from operator_site import Site
from test_push import password

CONNECTIONS = 10
# A Lease whose holder was killed runs out after 15 s; then come the caches and what is in arrears.
AFTER_A_CRASH_SECONDS = 45
# What follows an unanswered attempt counts when it was sent again a minute later.
SETTLING_SECONDS = 90


def rotate(site: Site, number: int) -> None:
    """Gives every Secret `db-0`, `db-1`, ... its value of this number, in one kubectl apply."""
    site.plane.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"db-{index}", "namespace": site.ns},
                "stringData": {"password": value(index, number)},
            }
            for index in range(CONNECTIONS)
        ]
    )


def value(index: int, number: int) -> str:
    return f"rotated#{number}#of-{index}"


def number_of(body: dict[str, Any]) -> int:
    return int(body["passwordUnencrypted"].split("#")[1])


def test_restarts_lose_nothing_and_turn_nothing_back(
    site: Site, figures: Callable[[str, str], None]
) -> None:
    connections = [site.emulator.new_connection("postgres") for _ in range(CONNECTIONS)]
    rotate(site, 0)
    for index, connection in enumerate(connections):
        site.connection(f"c{index}", connection, credentials=password(f"db-{index}"))

    def await_everywhere(number: int) -> None:
        def behind() -> list[str]:
            held = site.emulator.admin("GET", "connections")["connections"]
            passwords = {entry["id"]: entry.get("password") for entry in held}
            return [c for i, c in enumerate(connections) if passwords[c] != value(i, number)]

        wait_until(lambda: not behind(), AFTER_A_CRASH_SECONDS, f"rotation {number} everywhere")

    await_everywhere(0)

    rotate(site, 1)
    site.operator.restart()
    await_everywhere(1)

    for connection in connections:  # so that the crash comes between requests and answers
        site.emulator.fault(connection, "delay", delayMs=2000, count=1)
    rotate(site, 2)
    for connection in connections:
        site.wait_patches(connection, 3)
    site.operator.restart(signal.SIGKILL)
    await_everywhere(2)
    for connection in connections:  # nobody knew what had become of them
        site.wait_patches(connection, 4)

    site.operator.stop()
    rotate(site, 3)  # while nobody watches
    site.operator.start()
    await_everywhere(3)

    rotate(site, 4)
    site.plane.stop_apiserver()
    site.plane.start_apiserver()
    await_everywhere(4)

    rotate(site, 5)
    await_everywhere(5)
    for index in range(CONNECTIONS):
        # Where the crash came after a second without an answer, what follows settles for a minute.
        wait_until(
            lambda name=f"c{index}": site.conditions(name)["Ready"]["reason"] == "Synced",
            SETTLING_SECONDS,
            f"c{index} is Synced",
        )
    pushes = 0
    for connection in connections:
        numbers = [number_of(body) for body in site.emulator.bodies(connection)]
        assert numbers == sorted(numbers), "an older value after a newer one"
        assert set(numbers) == set(range(6)), "a rotation that was skipped"
        pushes += len(numbers)
    figures(
        "churn",
        f"{CONNECTIONS * 6} rotations over 3 restarts, 1 of them a crash, and a restart of the API "
        f"server: {pushes} pushes, lost 0, stale 0",
    )


def test_quick_writes_collapse(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="quick-write-0")
    site.connection("sales", connection, credentials=password("db"))
    site.wait_reason("sales", "Synced")
    site.emulator.fault(connection, "delay", delayMs=3000, count=1)
    site.secret("db", password="quick-write-1")
    site.wait_patches(connection, 2)  # under way until the delay is over
    for number in range(2, 7):
        site.secret("db", password=f"quick-write-{number}")
    site.wait_patches(connection, 3)
    site.wait_reason("sales", "Synced")
    site.synced_marker()
    assert site.emulator.bodies(connection) == [
        {"passwordUnencrypted": f"quick-write-{number}"} for number in (0, 1, 6)
    ]


def test_sigterm_lets_a_request_under_way_end(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="answered-in-time")
    site.emulator.fault(connection, "delay", delayMs=3000, count=1)
    site.connection("sales", connection, credentials=password("db"))
    site.wait_patches(connection, 1)
    assert site.operator.stop() == 0
    assert site.status("sales")["applied"]["credential"]["pushedAt"]
    site.operator.start()
    site.wait_reason("sales", "Synced")
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 1


def test_a_request_that_sigterm_cuts_is_recorded_and_sent_again(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="never-answered")
    site.emulator.fault(connection, "hang-after-apply", count=1)
    site.connection("sales", connection, credentials=password("db"))
    site.wait_patches(connection, 1)
    assert site.operator.stop() == 0  # within ten seconds, though Omni never answers
    assert "credential" not in site.status("sales").get("applied", {})
    assert site.status("sales")["unanswered"] == ["credential"]
    site.operator.start()
    site.wait_patches(connection, 2)  # no Lease has to run out first
    site.eventually(
        lambda: "once more" in site.conditions("sales")["Ready"]["message"], "it settles"
    )
    assert site.status("sales")["unanswered"] == ["credential"]


def test_a_value_that_follows_an_unanswered_one_is_sent_twice(site: Site) -> None:
    """The first may land late, so that the second counts only once it was sent again."""
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(connection, "hang", count=1)
    first, second = ({"passwordUnencrypted": f"unanswered-then-{n}"} for n in ("one", "two"))
    site.secret("db", password=first["passwordUnencrypted"])
    site.connection("sales", connection, credentials=password("db"))
    site.wait_patches(connection, 1)
    site.secret("db", password=second["passwordUnencrypted"])
    assert site.wait_patches(connection, 2) == [first, second]
    site.eventually(
        lambda: "once more" in site.conditions("sales")["Ready"]["message"], "it settles"
    )
    assert "credential" not in site.status("sales")["applied"]
    assert site.status("sales")["unanswered"] == ["credential"]
    wait_until(
        lambda: len(site.emulator.patches(connection)) == 3, SETTLING_SECONDS, "the settling push"
    )
    _, sent, again = site.emulator.patches(connection)
    assert again["body"] == second
    assert again["timeUnixMs"] - sent["timeUnixMs"] >= 60_000
    site.wait_reason("sales", "Synced")
    assert site.status("sales")["applied"]["credential"]["digest"]
    assert "unanswered" not in site.status("sales")
