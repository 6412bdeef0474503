"""Who writes what of a status, and how often; how many Events there are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from control_plane import wait_until
from tenant import Tenant
from test_push import password


def status_writes(tenant: Tenant) -> float:
    """PATCHes to the API server: of statuses, and of Events that repeat."""
    page = tenant.operator.scrape()
    counts = re.findall(r'rest_client_requests_total\{code="200",method="PATCH".*\} (\S+)', page)
    return sum(map(float, counts))


def patch_status(tenant: Tenant, name: str, change: dict[str, Any], kind: str = "oconn") -> None:
    patch = json.dumps({"status": change})
    tenant.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.long
def test_conditions_of_others_are_kept_as_they_are_now(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    foreign = {
        "type": "Audited",
        "status": "True",
        "reason": "Auditor",
        "message": "first",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    conditions = tenant.status("sales")["conditions"]
    patch_status(tenant, "sales", {"conditions": [*conditions, foreign]})
    tenant.connection("sales", connection, baseRole="QUERIER")
    tenant.wait_patches(connection, 2)
    tenant.eventually(
        lambda: tenant.status("sales")["applied"]["baseRole"]["value"] == "QUERIER", "written"
    )
    assert tenant.conditions("sales")["Audited"]["message"] == "first"
    # It changes, and goes: the operator writes back neither.
    conditions = tenant.status("sales")["conditions"]
    for condition in conditions:
        if condition["type"] == "Audited":
            condition["message"] = "second"
    patch_status(tenant, "sales", {"conditions": conditions})
    tenant.connection("sales", connection, baseRole="MODELER")
    tenant.wait_patches(connection, 3)
    tenant.eventually(
        lambda: tenant.status("sales")["applied"]["baseRole"]["value"] == "MODELER", "written"
    )
    assert tenant.conditions("sales")["Audited"]["message"] == "second"
    ours = [c for c in tenant.status("sales")["conditions"] if c["type"] != "Audited"]
    patch_status(tenant, "sales", {"conditions": ours})
    tenant.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/requestedAt=t1")
    tenant.eventually(lambda: tenant.status("sales").get("lastHandledReconcileAt") == "t1", "written")
    assert "Audited" not in tenant.conditions("sales")


def test_an_edited_status_is_written_again_and_sends_nothing(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="held-by-omni-already")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    tenant.wait_reason("omni", "Synced", "oinst")
    before = tenant.status("sales")
    broken = [{**c, "status": "False", "reason": "Broken"} for c in before["conditions"]]
    patch_status(tenant, "sales", {"applied": None, "conditions": broken})
    tenant.eventually(lambda: tenant.status("sales") == before, "the status is as it was")
    instance = tenant.status("omni", "oinst")
    patch_status(tenant, "omni", {"connections": 77}, "oinst")
    tenant.eventually(lambda: tenant.status("omni", "oinst") == instance, "the instance's too")
    # An edit of what is not ours is left alone, and nothing goes on and on.
    tenant.synced_marker()
    writes = status_writes(tenant)
    tenant.kubectl("label", "oconn/sales", "team=data")
    version = tenant.plane.get("oconn", "sales", tenant.ns)["metadata"]["resourceVersion"]
    tenant.secret("db", other="no-change-for-omni", password="held-by-omni-already")
    tenant.eventually(
        lambda: tenant.plane.get("oconn", "sales", tenant.ns)["metadata"]["resourceVersion"] != version,
        "the Secret's new version in the status",
    )
    assert status_writes(tenant) - writes <= 2
    assert len(tenant.emulator.patches(connection)) == 1


@pytest.mark.long
def test_a_storm_of_changes_makes_few_writes_and_few_events(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    tenant.synced_marker()
    writes = status_writes(tenant)
    rounds = 40  # kubectl needs 50 to 100 ms each
    started = tenant.plane.get("oconn", "sales", tenant.ns)["metadata"]["generation"]
    for number in range(rounds):
        change = json.dumps({"spec": {"driftCheckInterval": f"{60 + number}m"}})
        tenant.kubectl("patch", "oconn", "sales", "--type=merge", "-p", change)
    tenant.eventually(
        lambda: tenant.status("sales")["observedGeneration"] == started + rounds, "all was seen"
    )
    assert status_writes(tenant) - writes <= rounds / 2
    assert len(tenant.emulator.patches(connection)) == 1
    # Ready turns to and fro: each turn is told, and not each makes an Event.
    for number in range(20):
        tenant.connection("sales", connection, baseRole="VIEWER", suspend=number % 2 == 0)
        tenant.wait_reason("sales", "Suspended" if number % 2 == 0 else "Synced")
    for number in range(20):
        other = {"instanceRef": {"name": f"absent-{number}"}} if number % 2 == 0 else {}
        tenant.connection("sales", connection, baseRole="VIEWER", **other)
        tenant.wait_reason("sales", "InstanceNotFound" if number % 2 == 0 else "Synced")
    events = json.loads(tenant.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    mine = [e for e in events if e["regarding"]["name"] == "sales"]
    assert sum(e.get("series", {}).get("count", 1) for e in mine) <= 27


def test_an_attempt_without_an_answer_is_told_and_then_not(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(connection, "delay", delayMs=4000, count=1)
    tenant.connection("sales", connection, baseRole="VIEWER")
    wait_until(
        lambda: tenant.status("sales").get("unanswered") == ["baseRole"], 10, "told as unanswered"
    )
    assert tenant.conditions("sales")["Ready"]["status"] == "Unknown"
    tenant.wait_reason("sales", "Synced")
    assert "unanswered" not in tenant.status("sales")
    assert len(tenant.emulator.patches(connection)) == 1
