"""What others change in Omni: found by lists, and set right."""

from __future__ import annotations

import re
from typing import Any, Callable

import pytest

from control_plane import wait_until
from tenant import Tenant
from test_push import password

ATTRIBUTE = {"attributeName": "env", "defaultValues": ["prod", "eu"]}
INTERVAL_SECONDS = 60


def change_in_omni(tenant: Tenant, connection: str, **fields: Any) -> None:
    held = tenant.emulator.admin("GET", "connections")["connections"]
    before = next(c for c in held if c["id"] == connection)
    tenant.emulator.admin("PUT", f"connections/{connection}", {**before, **fields})


def ask(tenant: Tenant, name: str, token: str) -> None:
    annotation = f"reconcile.omniconnection.io/requestedAt={token}"
    tenant.kubectl("annotate", "--overwrite", f"oconn/{name}", annotation)
    tenant.eventually(
        lambda: tenant.status(name).get("lastHandledReconcileAt") == token, "the request is handled"
    )


def detected(tenant: Tenant, field: str) -> float:
    series = rf'^omni_drift_detected_total{{field="{field}"}} (\S+)$'
    found = re.search(series, tenant.operator.scrape(), re.MULTILINE)
    return float(found[1]) if found else 0


def lists(tenant: Tenant) -> int:
    return sum(
        r["method"] == "GET" and r["path"].startswith("/api/v1/connections")
        for r in tenant.emulator.requests()
    )


def test_a_request_finds_what_was_changed_in_omni(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="is-not-sent-again")
    tenant.connection(
        *("sales", connection),
        **{"credentials": password("db"), "baseRole": "QUERIER"},
        environmentUserAttribute=ATTRIBUTE,
    )
    tenant.wait_reason("sales", "Synced")
    roles = detected(tenant, "base_role")

    ask(tenant, "sales", "nothing-changed")
    assert len(tenant.emulator.patches(connection)) == 1

    change_in_omni(tenant, connection, baseRole="CONNECTION_ADMIN")
    ask(tenant, "sales", "role-changed")
    assert tenant.wait_patches(connection, 2)[1:] == [{"baseRole": "QUERIER"}]
    assert detected(tenant, "base_role") == roles + 1

    tenant.emulator.admin("DELETE", f"connections/{connection}")
    ask(tenant, "sales", "deleted")
    tenant.wait_reason("sales", "ConnectionNotFound")
    change_in_omni(tenant, connection, deleted=False, deletedAt=None)
    ask(tenant, "sales", "back")
    tenant.wait_reason("sales", "Synced")
    assert len(tenant.emulator.patches(connection)) == 2
    tenant.eventually(lambda: "DriftCorrected" in tenant.event_reasons("sales"), "its Event")


def test_another_name_of_a_role_is_no_drift(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, baseRole="QUERY_TOPICS")
    tenant.wait_reason("sales", "Synced")
    change_in_omni(tenant, connection, baseRole="RESTRICTED_QUERIER")
    ask(tenant, "sales", "now")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1


@pytest.mark.long
def test_one_list_each_interval_serves_all(
    tenant: Tenant, figures: Callable[[str, str], None]
) -> None:
    watched = {f"watched-{i}": tenant.emulator.new_connection("postgres") for i in range(20)}
    for name, connection in watched.items():
        tenant.connection(name, connection, baseRole="QUERIER", driftCheckInterval="1m")
    ignored = tenant.emulator.new_connection("postgres")
    tenant.connection("ignored", ignored, baseRole="QUERIER", driftCheckInterval="0s")
    for name in [*watched, "ignored"]:
        tenant.wait_reason(name, "Synced")
    before = lists(tenant)
    for connection in [*watched.values(), ignored]:
        change_in_omni(tenant, connection, baseRole="MODELER")
    wait_until(
        lambda: all(len(tenant.emulator.patches(c)) == 2 for c in watched.values()),
        INTERVAL_SECONDS + 30,
        "every role is set right",
    )
    assert all(tenant.emulator.bodies(c)[1] == {"baseRole": "QUERIER"} for c in watched.values())
    assert len(tenant.emulator.patches(ignored)) == 1
    made = lists(tenant) - before
    assert made <= 2, "one list for each interval"
    figures("drift", f"20 changed roles set right after {made} list(s)")
