"""What reaches Omni: each setting and each kind of credential, once, and only when it changed."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from tenant import Operator, Tenant


def password(secret: str) -> dict[str, Any]:
    return {"password": {"secretRef": {"name": secret}}}


def openssl(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["openssl", *arguments], input=stdin, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def rsa_key() -> str:
    """An unencrypted PKCS#8 key."""
    return openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")


@pytest.fixture(scope="module")
def service_account(rsa_key: str) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "warehouse",
            "private_key": rsa_key,
            "client_email": "omni@warehouse.iam.gserviceaccount.com",
        }
    )


def public_key(pem: str) -> str:
    return openssl("pkey", "-pubout", stdin=pem)


def test_password(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", note="rotation-1", password="first-pässword")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.kubectl("wait", "--for=condition=Ready", "oconn/sales", "--timeout=20s")
    assert tenant.emulator.bodies(connection) == [{"passwordUnencrypted": "first-pässword"}]

    status = tenant.status("sales")
    applied = status["applied"]["credential"]
    secret = tenant.plane.get("secret", "db", tenant.ns)["metadata"]
    assert status["applied"]["target"] == {
        "host": tenant.emulator.host,
        "connectionID": connection,
    }
    assert (applied["secretName"], applied["secretKey"]) == ("db", "password")
    assert applied["secretUID"] == secret["uid"]
    assert applied["secretResourceVersion"] == secret["resourceVersion"]
    assert applied["rotationID"] == "rotation-1"
    assert (status["connectionID"], status["dialect"]) == (connection, "postgres")
    assert status["observedGeneration"] == 1
    tenant.eventually(
        lambda: {"CredentialPushed", "Synced"} <= tenant.event_reasons("sales"), "its events"
    )


def test_the_dialect_is_read_before_the_first_credential(tenant: Tenant) -> None:
    before = tenant.emulator.admin("GET", "requests")["next"]
    connection = tenant.emulator.new_connection("mysql")
    tenant.secret("db", password="for-a-known-dialect")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    methods = [r["method"] for r in tenant.emulator.requests(before)]
    assert methods.index("GET") < methods.index("PATCH")


def test_big_query_service_account(tenant: Tenant, service_account: str) -> None:
    connection = tenant.emulator.new_connection("bigquery")
    tenant.secret("sa", **{"service-account.json": service_account})
    reference = {"bigQueryServiceAccount": {"secretRef": {"name": "sa"}}}
    tenant.connection("events", connection, credentials=reference)
    tenant.wait_reason("events", "Synced")
    assert tenant.emulator.bodies(connection) == [{"passwordUnencrypted": service_account}]


@pytest.mark.parametrize(
    "form", [pytest.param("pkcs8", marks=pytest.mark.long), "pkcs1", "encrypted"]
)
def test_snowflake_key(tenant: Tenant, rsa_key: str, form: str) -> None:
    sent = {
        "pkcs8": rsa_key,
        "pkcs1": openssl("rsa", "-traditional", stdin=rsa_key),
        "encrypted": openssl(
            "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:a-passphrase", stdin=rsa_key
        ),
    }[form]
    connection = tenant.emulator.new_connection("snowflake")
    tenant.secret("key", passphrase="a-passphrase", **{"tls.key": sent})
    reference: dict[str, Any] = {"name": "key"}
    if form == "encrypted":
        reference["passphraseKey"] = "passphrase"
    tenant.connection(
        "finance", connection, credentials={"snowflakePrivateKey": {"secretRef": reference}}
    )
    tenant.wait_reason("finance", "Synced")
    (body,) = tenant.emulator.bodies(connection)
    assert list(body) == ["privateKey"]
    assert body["privateKey"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert public_key(body["privateKey"]) == public_key(rsa_key)


def test_settings(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    attribute = {"attributeName": "env", "defaultValues": ["prod", "eu, west"]}
    tenant.connection("sales", connection, baseRole="QUERIER", environmentUserAttribute=attribute)
    tenant.wait_reason("sales", "Synced")
    assert tenant.emulator.bodies(connection) == [
        {"baseRole": "QUERIER", "environmentUserAttribute": attribute}
    ]
    # One setting changes: only that one is sent.
    tenant.connection("sales", connection, baseRole="MODELER", environmentUserAttribute=attribute)
    assert tenant.wait_patches(connection, 2)[1:] == [{"baseRole": "MODELER"}]
    # Absent removes the setting in Omni; leaving the field out leaves it alone.
    tenant.connection(
        "sales", connection, baseRole="MODELER", environmentUserAttribute={"state": "Absent"}
    )
    assert tenant.wait_patches(connection, 3)[2:] == [{"environmentUserAttribute": None}]
    tenant.wait_reason("sales", "Synced")
    assert tenant.status("sales")["applied"]["environmentUserAttribute"]["state"] == "Absent"
    tenant.connection("sales", connection, baseRole="MODELER")
    tenant.eventually(
        lambda: "environmentUserAttribute" not in tenant.status("sales")["applied"],
        "the entry is gone",
    )
    assert len(tenant.emulator.patches(connection)) == 3
    tenant.eventually(
        lambda: {"BaseRoleUpdated", "EnvironmentUserAttributeUpdated"}
        <= tenant.event_reasons("sales"),
        "its events",
    )


def test_a_changed_secret_is_sent_once(
    tenant: Tenant, figures: Callable[[str, str], None]
) -> None:
    """Twice for each connection: after three pushes in a row one has to wait."""
    names = ["db-a", "db-b", "db-c"]
    connections = {name: tenant.emulator.new_connection("postgres") for name in names}
    for name in names:
        tenant.secret(name, password=f"{name}-0")
        tenant.connection(name, connections[name], credentials=password(name))
    for name in names:
        tenant.wait_reason(name, "Synced")
    latencies = []
    for number in (1, 2):
        for name in names:
            written = time.time()
            tenant.secret(name, note=f"r{number}", password=f"{name}-{number}")
            tenant.wait_patches(connections[name], number + 1)
            arrived = tenant.emulator.patches(connections[name])[number]["timeUnixMs"] / 1000
            latencies.append(arrived - written)
            tenant.eventually(
                lambda: tenant.status(name)["applied"]["credential"].get("rotationID")
                == f"r{number}",
                "the rotation's id in the status",
            )
    for name in names:
        assert tenant.emulator.bodies(connections[name]) == [
            {"passwordUnencrypted": f"{name}-{number}"} for number in range(3)
        ]
    slowest = max(latencies)  # kubectl's own start and work included
    figures(
        "rotations",
        f"{len(latencies)}, each sent once, the slowest {slowest * 1000:.0f} ms after kubectl "
        "was started",
    )


def test_what_changes_nothing_sends_nothing(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="stays-as-it-is")
    tenant.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")

    tenant.kubectl("label", "secret/db", "team=data")
    tenant.kubectl("annotate", "oconn/sales", "note=hello")
    tenant.kubectl("patch", "secret/db", "-p", '{"stringData":{"other":"another-value"}}')
    tenant.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    newest = tenant.plane.get("secret", "db", tenant.ns)["metadata"]["resourceVersion"]
    tenant.eventually(
        lambda: tenant.status("sales")["applied"]["credential"]["secretResourceVersion"] == newest,
        "the version in the status follows",
    )
    tenant.operator.restart()
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1
    assert tenant.conditions("sales")["Ready"]["status"] == "True"


@pytest.mark.long
def test_ten_connections_share_a_secret(tenant: Tenant) -> None:
    connections = [tenant.emulator.new_connection("postgres") for _ in range(10)]
    tenant.secret("db", password="shared-by-all-of-them")
    for number, connection in enumerate(connections):
        tenant.connection(f"c{number}", connection, credentials=password("db"))
    for connection in connections:
        tenant.wait_patches(connection, 1)
    tenant.secret("db", password="rotated-for-all-of-them")
    for number, connection in enumerate(connections):
        assert tenant.wait_patches(connection, 2) == [
            {"passwordUnencrypted": "shared-by-all-of-them"},
            {"passwordUnencrypted": "rotated-for-all-of-them"},
        ]
        tenant.wait_reason(f"c{number}", "Synced")


def test_another_target_gets_everything(tenant: Tenant, second_emulator: Any) -> None:
    first, second = (tenant.emulator.new_connection("postgres") for _ in range(2))
    everything = {"credentials": password("db"), "baseRole": "VIEWER"}
    body = {"passwordUnencrypted": "follows-the-target", "baseRole": "VIEWER"}
    tenant.secret("db", password="follows-the-target")
    tenant.connection("sales", first, **everything)
    assert tenant.wait_patches(first, 1) == [body]

    tenant.connection("sales", second, **everything)  # another connection
    assert tenant.wait_patches(second, 1) == [body]
    tenant.eventually(
        lambda: tenant.status("sales")["applied"]["target"]["connectionID"] == second, "the target"
    )

    tenant.secret("ca-2", **{"ca.crt": second_emulator.ca})  # another instance
    elsewhere = {"caBundleSecretRef": {"name": "ca-2"}}
    tenant.instance("omni-2", second_emulator, **elsewhere)
    second_emulator.admin("PUT", f"connections/{second}", {"name": "s", "dialect": "postgres"})
    tenant.connection("sales", second, instanceRef={"name": "omni-2"}, **everything)
    tenant.eventually(lambda: second_emulator.bodies(second) == [body], "all at the other Omni")

    tenant.connection("other", first, **everything)  # another baseURL
    assert tenant.wait_patches(first, 2)[1] == body
    second_emulator.admin("PUT", f"connections/{first}", {"name": "f", "dialect": "postgres"})
    tenant.instance("omni", second_emulator, **elsewhere)
    tenant.eventually(lambda: second_emulator.bodies(first) == [body], "all at the new address")
    tenant.eventually(
        lambda: tenant.status("other")["applied"]["target"]["host"] == second_emulator.host,
        "the new address in the status",
    )


def test_a_name_is_resolved_once_and_pinned(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres", name="The Warehouse")
    tenant.secret("db", password="for-the-warehouse")
    tenant.connection("sales", "", connectionName="The Warehouse", credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    assert tenant.status("sales")["connectionID"] == connection
    # Renamed in Omni, and another takes the name: the credential stays where it was.
    tenant.emulator.admin(
        "PUT", f"connections/{connection}", {"name": "Renamed", "dialect": "postgres"}
    )
    thief = tenant.emulator.new_connection("postgres", name="The Warehouse")
    tenant.secret("db", password="the-next-password")
    tenant.wait_patches(connection, 2)
    assert tenant.emulator.patches(thief) == []
    tenant.connection("nobody", "", connectionName="No Such Name", baseRole="VIEWER")
    tenant.wait_reason("nobody", "ConnectionNotFound")
    for _ in range(2):
        tenant.emulator.new_connection("postgres", name="Twice There")
    tenant.connection("either", "", connectionName="Twice There", baseRole="VIEWER")
    assert "Stalled" in tenant.wait_reason("either", "ConnectionNameAmbiguous")


def test_deleting_leaves_omni_as_it_is(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="stays-in-omni")
    tenant.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    tenant.kubectl("delete", "oconn/sales", "--timeout=10s")  # no finalizer holds it
    tenant.secret("db", password="of-no-concern-to-omni")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1


def test_suspended_objects_wait(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="before-the-pause")
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_reason("sales", "Synced")
    tenant.connection("sales", connection, credentials=password("db"), suspend=True)
    assert tenant.wait_reason("sales", "Suspended")["Ready"]["status"] == "True"
    tenant.secret("db", password="during-the-pause")
    tenant.eventually(lambda: "Stalled" in tenant.conditions("sales"), "something is pending")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1
    tenant.connection("sales", connection, credentials=password("db"))
    assert tenant.wait_patches(connection, 2)[1] == {"passwordUnencrypted": "during-the-pause"}
    tenant.wait_reason("sales", "Synced")
    tenant.instance("omni", suspend=True)  # nothing is sent for any of its connections
    tenant.wait_reason("omni", "Suspended", "oinst")
    tenant.secret("db", password="while-all-is-paused")
    assert "Stalled" in tenant.wait_reason("sales", "Suspended")
    assert len(tenant.emulator.patches(connection)) == 2
    tenant.instance("omni")
    assert tenant.wait_patches(connection, 3)[2] == {"passwordUnencrypted": "while-all-is-paused"}


def test_annotations_ask_for_a_reconcile_and_for_everything(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="asked-for-again")
    tenant.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    tenant.kubectl("annotate", "oconn/sales", "reconcile.fluxcd.io/requestedAt=t1")
    tenant.eventually(lambda: tenant.status("sales").get("lastHandledReconcileAt") == "t1", "handled")
    assert len(tenant.emulator.patches(connection)) == 1
    tenant.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/forceAt=t2")
    tenant.eventually(lambda: tenant.status("sales").get("lastHandledForceAt") == "t2", "handled")
    bodies = tenant.emulator.bodies(connection)
    assert len(bodies) == 2 and bodies[0] == bodies[1]
    # What cannot be sent now does not make the rest go out again.
    tenant.connection("sales", connection, credentials=password("absent"), baseRole="VIEWER")
    tenant.wait_reason("sales", "SecretNotFound")
    tenant.kubectl("annotate", "--overwrite", "oconn/sales", "reconcile.omniconnection.io/forceAt=t3")
    assert tenant.wait_patches(connection, 3)[2] == {"baseRole": "VIEWER"}
    tenant.secret("absent", other="still-not-the-key")
    tenant.wait_reason("sales", "SecretKeyNotFound")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 3


def test_a_repush_that_cannot_be_sent_waits(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="sent-long-ago")
    spec = {**password("db"), "repushInterval": "1h"}
    tenant.connection("sales", connection, credentials=spec)
    tenant.wait_reason("sales", "Synced")
    tenant.operator.stop()
    status = {"applied": {"credential": {"pushedAt": "2026-01-01T00:00:00Z"}}}
    tenant.kubectl(
        *("patch", "oconn/sales", "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    tenant.kubectl("delete", "secret/db")
    tenant.operator.start()
    tenant.wait_reason("sales", "SecretNotFound")
    looks = tenant.operator.reconciles()
    tenant.synced_marker()
    assert tenant.operator.reconciles() - looks < 50
    tenant.secret("db", password="sent-long-ago")
    tenant.wait_patches(connection, 2)


def test_the_operator_says_what_it_does(tenant: Tenant, operator_bin: Path) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    operator: Operator = tenant.operator
    assert operator.get(operator.health, "/healthz")[0] == 200
    page = operator.scrape()
    instance = f'omni_instance="{tenant.ns}/omni"'
    assert any(
        line.startswith("omni_pushes_total{")
        and instance in line
        and 'field="base_role"' in line
        and 'result="success"' in line
        for line in page.splitlines()
    )
    for name in ("workqueue_depth", "rest_client_requests_total", "omni_rotation_latency_seconds"):
        assert f"# TYPE {name} " in page
    assert 'leader_election_master_status{name="omni-connection-operator"} 1' in page


def test_columns(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, baseRole="VIEWER")
    tenant.wait_reason("sales", "Synced")
    wide = tenant.kubectl("get", "oconn", "-o", "wide")
    assert all(text in wide for text in ("omni", "True", "Synced", connection, "postgres"))
    assert tenant.emulator.url in tenant.kubectl("get", "oinst")
