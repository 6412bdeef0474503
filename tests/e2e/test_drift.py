"""What others change in Omni: found by lists, and set right."""

from __future__ import annotations

import re
from typing import Any, Callable

from control_plane import wait_until
from operator_site import Site
from test_push import password

ATTRIBUTE = {"attributeName": "env", "defaultValues": ["prod", "eu"]}
INTERVAL_SECONDS = 60


def change_in_omni(site: Site, connection: str, **fields: Any) -> None:
    held = site.emulator.admin("GET", "connections")["connections"]
    before = next(c for c in held if c["id"] == connection)
    site.emulator.admin("PUT", f"connections/{connection}", {**before, **fields})


def ask(site: Site, name: str, token: str) -> None:
    annotation = f"reconcile.omniconnection.io/requestedAt={token}"
    site.kubectl("annotate", "--overwrite", f"oconn/{name}", annotation)
    site.eventually(
        lambda: site.status(name).get("lastHandledReconcileAt") == token, "the request is handled"
    )


def detected(site: Site, field: str) -> float:
    series = rf'^omni_drift_detected_total{{field="{field}"}} (\S+)$'
    found = re.search(series, site.operator.scrape(), re.MULTILINE)
    return float(found[1]) if found else 0


def lists(site: Site) -> int:
    return sum(
        r["method"] == "GET" and r["path"].startswith("/api/v1/connections")
        for r in site.emulator.requests()
    )


def test_a_request_finds_what_was_changed_in_omni(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="is-not-sent-again")
    site.connection(
        *("sales", connection),
        **{"credentials": password("db"), "baseRole": "QUERIER"},
        environmentUserAttribute=ATTRIBUTE,
    )
    site.wait_reason("sales", "Synced")
    roles = detected(site, "base_role")

    ask(site, "sales", "nothing-changed")
    assert len(site.emulator.patches(connection)) == 1

    change_in_omni(site, connection, baseRole="CONNECTION_ADMIN")
    ask(site, "sales", "role-changed")
    assert site.wait_patches(connection, 2)[1:] == [{"baseRole": "QUERIER"}]
    assert detected(site, "base_role") == roles + 1

    site.emulator.admin("DELETE", f"connections/{connection}")
    ask(site, "sales", "deleted")
    site.wait_reason("sales", "ConnectionNotFound")
    change_in_omni(site, connection, deleted=False, deletedAt=None)
    ask(site, "sales", "back")
    site.wait_reason("sales", "Synced")
    assert len(site.emulator.patches(connection)) == 2
    site.eventually(lambda: "DriftCorrected" in site.event_reasons("sales"), "its Event")


def test_another_name_of_a_role_is_no_drift(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, baseRole="QUERY_TOPICS")
    site.wait_reason("sales", "Synced")
    change_in_omni(site, connection, baseRole="RESTRICTED_QUERIER")
    ask(site, "sales", "now")
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 1


def test_one_list_each_interval_serves_all(
    site: Site, figures: Callable[[str, str], None]
) -> None:
    watched = {f"watched-{i}": site.emulator.new_connection("postgres") for i in range(20)}
    for name, connection in watched.items():
        site.connection(name, connection, baseRole="QUERIER", driftCheckInterval="1m")
    ignored = site.emulator.new_connection("postgres")
    site.connection("ignored", ignored, baseRole="QUERIER", driftCheckInterval="0s")
    for name in [*watched, "ignored"]:
        site.wait_reason(name, "Synced")
    before = lists(site)
    for connection in [*watched.values(), ignored]:
        change_in_omni(site, connection, baseRole="MODELER")
    wait_until(
        lambda: all(len(site.emulator.patches(c)) == 2 for c in watched.values()),
        INTERVAL_SECONDS + 30,
        "every role is set right",
    )
    assert all(site.emulator.bodies(c)[1] == {"baseRole": "QUERIER"} for c in watched.values())
    assert len(site.emulator.patches(ignored)) == 1
    made = lists(site) - before
    assert made <= 2, "one list for each interval"
    figures("drift", f"20 changed roles set right after {made} list(s)")
