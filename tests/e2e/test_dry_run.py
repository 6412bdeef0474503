"""`run --dry-run` tells what would be sent, and leaves Omni and Kubernetes as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane
from installation import OPERATOR_NAMESPACE, install_crds
from tenant import Emulator, Operator, Tenant
from test_push import password

# All that a dry run needs.
RIGHTS = [
    {
        "apiGroups": ["omniconnection.io"],
        "resources": ["omniinstances", "omniconnections"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
]
NAME = "dry-run"

pytestmark = pytest.mark.xdist_group("dry run")  # they share a control plane


def allow(plane: ControlPlane) -> Path:
    """A kubeconfig with RIGHTS and no others."""
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": OPERATOR_NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": NAME}
    plane.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {**metadata, "namespace": OPERATOR_NAMESPACE},
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRole",
                "metadata": metadata,
                "rules": RIGHTS,
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
                "subjects": [account],
            },
        ]
    )
    return plane.kubeconfig_for(OPERATOR_NAMESPACE, NAME)


@pytest.fixture(name="plane", scope="module")
def fixture_plane(control_plane_bin: Path) -> Iterator[ControlPlane]:
    """A control plane where no operator has ever run."""
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        plane.kubectl("create", "namespace", OPERATOR_NAMESPACE)
        yield plane


Launch = Callable[[ControlPlane], Operator]


@pytest.fixture(name="launch")
def fixture_launch(operator_bin: Path, emulator: Emulator, tmp_path: Path) -> Iterator[Launch]:
    """Starts a dry run with RIGHTS. It ends well, and did not try what it may not."""
    started: list[Operator] = []

    def launch(plane: ControlPlane) -> Operator:
        flags = ["--dry-run", "--allowed-hosts", emulator.host]
        log = tmp_path / "dry-run"
        dry = Operator(operator_bin, plane, log, *flags, kubeconfig=allow(plane))
        started.append(dry)
        dry.start()
        return dry

    yield launch
    for dry in started:
        page = dry.scrape()
        assert dry.stop() == 0
        assert 'code="403"' not in page
        assert '"level":"error"' not in dry.log.read_text()


def lines_of(tenant: Tenant, name: str) -> list[dict[str, Any]]:
    """The lines of the log about the object."""
    whole = (l for l in tenant.operator.log.read_text().splitlines(keepends=True) if l[-1] == "\n")
    lines = (json.loads(line) for line in whole)
    return [line for line in lines if line.get("object") == f"{tenant.ns}/{name}"]


def told(tenant: Tenant, name: str) -> list[str]:
    """What would be sent for the object, by the log."""
    return [line["message"] for line in lines_of(tenant, name) if line["msg"] == "dry run"]


def said_of(tenant: Tenant, name: str, reason: str) -> bool:
    return any(line.get("reason") == reason for line in lines_of(tenant, name))


def wait_told(tenant: Tenant, name: str, expected: list[str]) -> None:
    tenant.eventually(lambda: len(told(tenant, name)) >= len(expected), f"telling of {name}")
    assert told(tenant, name) == expected


def events(tenant: Tenant, name: str) -> dict[str, int]:
    """The Events `DryRun` of the object: how often each note was told."""
    found = json.loads(tenant.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    mine = (e for e in found if e["regarding"]["name"] == name)
    return {
        e["note"]: e.get("series", {}).get("count", 1) for e in mine if e["reason"] == "DryRun"
    }


def told_marker(tenant: Tenant) -> None:
    """Makes a change and waits until it is told: what was to be told before, has been."""
    connection = tenant.emulator.new_connection()
    name = f"marker-{connection[:8]}"
    tenant.connection(name, connection, baseRole="VIEWER")
    tenant.eventually(lambda: told(tenant, name), "the marker")


def wish(tenant: Tenant, fields: str, connection: str) -> str:
    return f"would send {fields} to connection {connection} at {tenant.emulator.host}"


def versions(tenant: Tenant) -> dict[str, str]:
    """The versions of the objects: any write makes another."""
    items = json.loads(tenant.kubectl("get", "omni", "-o", "json"))["items"]
    return {
        f"{i['kind']}/{i['metadata']['name']}": i["metadata"]["resourceVersion"] for i in items
    }


def left_alone(plane: ControlPlane) -> None:
    """The operator's namespace is as if none had ever run."""
    leases = plane.kubectl("-n", OPERATOR_NAMESPACE, "get", "leases,secrets", "-o", "name")
    assert leases.stdout == ""


def test_it_tells_each_wish_once_and_writes_nothing(
    plane: ControlPlane, emulator: Emulator, launch: Launch, figures: Callable[[str, str], None]
) -> None:
    before = len(emulator.requests())
    tenant = Tenant(plane, emulator, launch(plane))
    connection = emulator.new_connection("postgres")
    spec: dict[str, Any] = {
        "credentials": password("db"),
        "environmentUserAttribute": {"attributeName": "env", "defaultValues": ["prod"]},
    }
    tenant.secret("db", password="never-sent-1")
    tenant.connection("sales", connection, baseRole="VIEWER", **spec)
    everything = wish(tenant, "credential, baseRole, environmentUserAttribute", connection)
    wait_told(tenant, "sales", [everything])

    tenant.secret("db", password="never-sent-2")
    wait_told(tenant, "sales", [everything] * 2)
    tenant.connection("sales", connection, baseRole="QUERIER", **spec)
    wait_told(tenant, "sales", [everything] * 3)
    # Neither another look nor another version of the same value is another wish.
    tenant.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/requestedAt=t1")
    tenant.kubectl("label", "secret/db", "team=data")
    told_marker(tenant)
    assert told(tenant, "sales") == [everything] * 3
    tenant.eventually(lambda: events(tenant, "sales") == {everything: 3}, "its Events")
    assert tenant.event_reasons("sales") == {"DryRun"}

    # A credential that would not pass is no wish; the log says what is wrong with it.
    tenant.secret("db", password="")
    role = wish(tenant, "baseRole, environmentUserAttribute", connection)
    wait_told(tenant, "sales", [everything] * 3 + [role])
    tenant.eventually(lambda: said_of(tenant, "sales", "InvalidCredential"), "what is wrong")
    # What is suspended would not be sent.
    tenant.connection("idle", connection, credentials=password("db"), suspend=True)
    told_marker(tenant)
    assert told(tenant, "idle") == []

    looks = tenant.operator.reconciles()
    told_marker(tenant)
    extra = tenant.operator.reconciles() - looks
    assert extra < 20
    figures("dry run", f"{looks:.0f} reconciles in all, {extra:.0f} for one more object")
    requests = emulator.requests()[before:]
    assert requests and {r["method"] for r in requests} == {"GET"}
    assert tenant.status("sales") == {"observedGeneration": -1}
    assert tenant.status("omni", "oinst") == {"observedGeneration": -1}
    left_alone(plane)
    assert not tenant.leaked()


@pytest.mark.long
def test_it_goes_by_the_status_and_the_digest_key(
    plane: ControlPlane, emulator: Emulator, operator_bin: Path, tmp_path: Path, launch: Launch
) -> None:
    flags = ["--allowed-hosts", emulator.host, "--operator-namespace", OPERATOR_NAMESPACE]
    live = Operator(operator_bin, plane, tmp_path / "live", *flags)
    live.start()
    tenant = Tenant(plane, emulator, live)
    connection = emulator.new_connection("postgres")
    tenant.secret("db", password="sent-by-the-real-one")
    spec: dict[str, Any] = {"credentials": password("db")}
    tenant.connection("sales", connection, baseRole="VIEWER", **spec)
    tenant.wait_reason("sales", "Synced")
    assert live.stop() == 0
    tenant.kubectl("label", "secret/db", "team=data")  # another version of the same value
    lease = ("-n", OPERATOR_NAMESPACE, "get", "lease", "-o", "json")
    held = plane.kubectl(*lease).stdout

    tenant.operator = launch(plane)
    told_marker(tenant)
    assert told(tenant, "sales") == []
    tenant.secret("db", password="only-told")
    credential = wish(tenant, "credential", connection)
    wait_told(tenant, "sales", [credential])
    # What was given up and comes back is another wish.
    tenant.secret("db", password="sent-by-the-real-one")
    tenant.eventually(lambda: said_of(tenant, "sales", "Synced"), "in step")
    tenant.secret("db", password="only-told")
    wait_told(tenant, "sales", [credential] * 2)
    tenant.connection("sales", connection, baseRole="QUERIER", **spec)
    both = wish(tenant, "credential, baseRole", connection)
    wait_told(tenant, "sales", [credential] * 2 + [both])
    tenant.connection("sales", connection, baseRole="VIEWER", **spec)
    wait_told(tenant, "sales", [credential] * 2 + [both, credential])
    # A setting that somebody changed in Omni.
    emulator.admin(
        "PUT",
        f"connections/{connection}",
        {"name": "s", "dialect": "postgres", "baseRole": "MODELER"},
    )
    tenant.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/requestedAt=t1")
    wait_told(tenant, "sales", [credential] * 2 + [both, credential, both])
    # Back where Omni is.
    emulator.admin(
        "PUT",
        f"connections/{connection}",
        {"name": "s", "dialect": "postgres", "baseRole": "VIEWER"},
    )
    tenant.secret("db", password="sent-by-the-real-one")
    tenant.kubectl(
        "annotate", "--overwrite", "oconn/sales", "reconcile.omniconnection.io/requestedAt=t2"
    )
    told_marker(tenant)
    assert len(emulator.patches(connection)) == 1
    assert tenant.status("sales")["observedGeneration"] == 1
    assert plane.kubectl(*lease).stdout == held


@pytest.mark.long
def test_an_overdue_repush_is_told_once(
    plane: ControlPlane, emulator: Emulator, launch: Launch
) -> None:
    tenant = Tenant(plane, emulator, launch(plane))
    connection = emulator.new_connection("postgres")
    tenant.secret("db", password="sent-two-hours-ago")
    spec = {**password("db"), "repushInterval": "1h"}
    tenant.connection("sales", connection, credentials=spec)
    credential = wish(tenant, "credential", connection)
    wait_told(tenant, "sales", [credential])
    secret = tenant.plane.get("secret", "db", tenant.ns)["metadata"]
    applied = {
        "target": {"host": emulator.host, "connectionID": connection},
        "credential": {
            "secretName": "db",
            "secretKey": "password",
            "secretUID": secret["uid"],
            "secretResourceVersion": secret["resourceVersion"],
            "digest": "of another key",
            "keyID": "another key",
            "pushedAt": "2026-01-01T00:00:00Z",
        },
    }
    status = {"observedGeneration": 1, "applied": applied}
    tenant.kubectl(
        *("patch", "oconn/sales", "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    told_marker(tenant)
    looks = tenant.operator.reconciles()
    told_marker(tenant)
    assert tenant.operator.reconciles() - looks < 20
    assert told(tenant, "sales") == [credential]


@pytest.mark.long
def test_it_does_not_disturb_an_operator_at_work(tenant: Tenant, launch: Launch) -> None:
    live = tenant.operator
    dry = launch(tenant.plane)
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="sent-by-the-real-one-1")
    tenant.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    tenant.secret("db", password="sent-by-the-real-one-2")
    tenant.wait_patches(connection, 2)
    tenant.wait_reason("sales", "Synced")
    tenant.eventually(
        lambda: 'reason="DryRun"' not in dry.scrape(), "the dry run sees what was sent"
    )
    # No two that write in turns.
    tenant.synced_marker()
    before = versions(tenant)
    tenant.synced_marker()
    after = versions(tenant)
    assert {k: after[k] for k in before if k.startswith("OmniConnection")} == {
        k: v for k, v in before.items() if k.startswith("OmniConnection")
    }
    assert tenant.emulator.bodies(connection) == [
        {"passwordUnencrypted": "sent-by-the-real-one-1", "baseRole": "VIEWER"},
        {"passwordUnencrypted": "sent-by-the-real-one-2"},
    ]
    # Those of other tests may have met a restart of the API server.
    own = f'"object":"{tenant.ns}/'
    log = live.log.read_text().splitlines()
    assert any(own in line for line in log)
    assert not [line for line in log if own in line and '"msg":"status not written"' in line]
    assert 'leader_election_master_status{name="omni-connection-operator"} 1' in live.scrape()
    tenant.operator = dry
    assert not tenant.leaked()
    tenant.operator = live
