"""Who writes what of a status, and how often; how many Events there are."""

from __future__ import annotations

import json
import re
from typing import Any

from control_plane import wait_until
from operator_site import Site
from test_push import password


def status_writes(site: Site) -> float:
    """PATCHes to the API server: of statuses, and of Events that repeat."""
    page = site.operator.scrape()
    counts = re.findall(r'rest_client_requests_total\{code="200",method="PATCH".*\} (\S+)', page)
    return sum(map(float, counts))


def patch_status(site: Site, name: str, change: dict[str, Any], kind: str = "oconn") -> None:
    patch = json.dumps({"status": change})
    site.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


def test_conditions_of_others_are_kept_as_they_are_now(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, baseRole="VIEWER")
    site.wait_reason("sales", "Synced")
    foreign = {
        "type": "Audited",
        "status": "True",
        "reason": "Auditor",
        "message": "first",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    conditions = site.status("sales")["conditions"]
    patch_status(site, "sales", {"conditions": [*conditions, foreign]})
    site.connection("sales", connection, baseRole="QUERIER")
    site.wait_patches(connection, 2)
    site.eventually(
        lambda: site.status("sales")["applied"]["baseRole"]["value"] == "QUERIER", "written"
    )
    assert site.conditions("sales")["Audited"]["message"] == "first"
    # It changes, and goes: the operator writes back neither.
    conditions = site.status("sales")["conditions"]
    for condition in conditions:
        if condition["type"] == "Audited":
            condition["message"] = "second"
    patch_status(site, "sales", {"conditions": conditions})
    site.connection("sales", connection, baseRole="MODELER")
    site.wait_patches(connection, 3)
    site.eventually(
        lambda: site.status("sales")["applied"]["baseRole"]["value"] == "MODELER", "written"
    )
    assert site.conditions("sales")["Audited"]["message"] == "second"
    ours = [c for c in site.status("sales")["conditions"] if c["type"] != "Audited"]
    patch_status(site, "sales", {"conditions": ours})
    site.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/requestedAt=t1")
    site.eventually(lambda: site.status("sales").get("lastHandledReconcileAt") == "t1", "written")
    assert "Audited" not in site.conditions("sales")


def test_an_edited_status_is_written_again_and_sends_nothing(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="held-by-omni-already")
    site.connection("sales", connection, credentials=password("db"))
    site.wait_reason("sales", "Synced")
    site.wait_reason("omni", "Synced", "oinst")
    before = site.status("sales")
    broken = [{**c, "status": "False", "reason": "Broken"} for c in before["conditions"]]
    patch_status(site, "sales", {"applied": None, "conditions": broken})
    site.eventually(lambda: site.status("sales") == before, "the status is as it was")
    instance = site.status("omni", "oinst")
    patch_status(site, "omni", {"connections": 77}, "oinst")
    site.eventually(lambda: site.status("omni", "oinst") == instance, "the instance's too")
    # An edit of what is not ours is left alone, and nothing goes on and on.
    site.synced_marker()
    writes = status_writes(site)
    site.kubectl("label", "oconn/sales", "team=data")
    version = site.plane.get("oconn", "sales", site.ns)["metadata"]["resourceVersion"]
    site.secret("db", other="no-change-for-omni", password="held-by-omni-already")
    site.eventually(
        lambda: site.plane.get("oconn", "sales", site.ns)["metadata"]["resourceVersion"] != version,
        "the Secret's new version in the status",
    )
    assert status_writes(site) - writes <= 2
    assert len(site.emulator.patches(connection)) == 1


def test_a_storm_of_changes_makes_few_writes_and_few_events(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, baseRole="VIEWER")
    site.wait_reason("sales", "Synced")
    site.synced_marker()
    writes = status_writes(site)
    rounds = 40  # kubectl needs 50 to 100 ms each
    started = site.plane.get("oconn", "sales", site.ns)["metadata"]["generation"]
    for number in range(rounds):
        change = json.dumps({"spec": {"driftCheckInterval": f"{60 + number}m"}})
        site.kubectl("patch", "oconn", "sales", "--type=merge", "-p", change)
    site.eventually(
        lambda: site.status("sales")["observedGeneration"] == started + rounds, "all was seen"
    )
    assert status_writes(site) - writes <= rounds / 2
    assert len(site.emulator.patches(connection)) == 1
    # Ready turns to and fro: each turn is told, and not each makes an Event.
    for number in range(20):
        site.connection("sales", connection, baseRole="VIEWER", suspend=number % 2 == 0)
        site.wait_reason("sales", "Suspended" if number % 2 == 0 else "Synced")
    for number in range(20):
        other = {"instanceRef": {"name": f"absent-{number}"}} if number % 2 == 0 else {}
        site.connection("sales", connection, baseRole="VIEWER", **other)
        site.wait_reason("sales", "InstanceNotFound" if number % 2 == 0 else "Synced")
    events = json.loads(site.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    mine = [e for e in events if e["regarding"]["name"] == "sales"]
    assert sum(e.get("series", {}).get("count", 1) for e in mine) <= 27


def test_an_attempt_without_an_answer_is_told_and_then_not(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(connection, "delay", delayMs=4000, count=1)
    site.connection("sales", connection, baseRole="VIEWER")
    wait_until(
        lambda: site.status("sales").get("unanswered") == ["base_role"], 10, "told as unanswered"
    )
    assert site.conditions("sales")["Ready"]["status"] == "Unknown"
    site.wait_reason("sales", "Synced")
    assert "unanswered" not in site.status("sales")
    assert len(site.emulator.patches(connection)) == 1
