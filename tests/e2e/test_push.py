"""What reaches Omni: each setting and each kind of credential, once, and only when it changed."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from operator_site import Operator, Site


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


def test_password(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", note="rotation-1", password="first-pässword")
    site.connection("sales", connection, credentials=password("db"))
    site.kubectl("wait", "--for=condition=Ready", "oconn/sales", "--timeout=20s")
    assert site.emulator.bodies(connection) == [{"passwordUnencrypted": "first-pässword"}]

    status = site.status("sales")
    applied = status["applied"]["credential"]
    secret = site.plane.get("secret", "db", site.ns)["metadata"]
    assert status["applied"]["target"] == {
        "host": site.emulator.host,
        "connectionID": connection,
    }
    assert (applied["secretName"], applied["secretKey"]) == ("db", "password")
    assert applied["secretUID"] == secret["uid"]
    assert applied["secretResourceVersion"] == secret["resourceVersion"]
    assert applied["rotationID"] == "rotation-1"
    assert (status["connectionID"], status["dialect"]) == (connection, "postgres")
    assert status["observedGeneration"] == 1
    site.eventually(
        lambda: {"CredentialPushed", "Synced"} <= site.event_reasons("sales"), "its events"
    )


def test_the_dialect_is_read_before_the_first_credential(site: Site) -> None:
    connection = site.emulator.new_connection("mysql")
    before = site.emulator.admin("GET", "requests")["next"]
    site.secret("db", password="for-a-known-dialect")
    site.connection("sales", connection, credentials=password("db"))
    site.wait_reason("sales", "Synced")
    methods = [r["method"] for r in site.emulator.requests(before)]
    assert methods.index("GET") < methods.index("PATCH")


def test_big_query_service_account(site: Site, service_account: str) -> None:
    connection = site.emulator.new_connection("bigquery")
    site.secret("sa", **{"service-account.json": service_account})
    reference = {"bigQueryServiceAccount": {"secretRef": {"name": "sa"}}}
    site.connection("events", connection, credentials=reference)
    site.wait_reason("events", "Synced")
    assert site.emulator.bodies(connection) == [{"passwordUnencrypted": service_account}]


@pytest.mark.parametrize("form", ["pkcs8", "pkcs1", "encrypted"])
def test_snowflake_key(site: Site, rsa_key: str, form: str) -> None:
    sent = {
        "pkcs8": rsa_key,
        "pkcs1": openssl("rsa", "-traditional", stdin=rsa_key),
        "encrypted": openssl(
            "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:a-passphrase", stdin=rsa_key
        ),
    }[form]
    connection = site.emulator.new_connection("snowflake")
    site.secret("key", passphrase="a-passphrase", **{"tls.key": sent})
    reference: dict[str, Any] = {"name": "key"}
    if form == "encrypted":
        reference["passphraseKey"] = "passphrase"
    site.connection(
        "finance", connection, credentials={"snowflakePrivateKey": {"secretRef": reference}}
    )
    site.wait_reason("finance", "Synced")
    (body,) = site.emulator.bodies(connection)
    assert list(body) == ["privateKey"]
    assert body["privateKey"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert public_key(body["privateKey"]) == public_key(rsa_key)


def test_settings(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    attribute = {"attributeName": "env", "defaultValues": ["prod", "eu, west"]}
    site.connection("sales", connection, baseRole="QUERIER", environmentUserAttribute=attribute)
    site.wait_reason("sales", "Synced")
    assert site.emulator.bodies(connection) == [
        {"baseRole": "QUERIER", "environmentUserAttribute": attribute}
    ]
    # One setting changes: only that one is sent.
    site.connection("sales", connection, baseRole="MODELER", environmentUserAttribute=attribute)
    assert site.wait_patches(connection, 2)[1:] == [{"baseRole": "MODELER"}]
    # Absent removes the setting in Omni; leaving the field out leaves it alone.
    site.connection(
        "sales", connection, baseRole="MODELER", environmentUserAttribute={"state": "Absent"}
    )
    assert site.wait_patches(connection, 3)[2:] == [{"environmentUserAttribute": None}]
    site.wait_reason("sales", "Synced")
    assert site.status("sales")["applied"]["environmentUserAttribute"]["state"] == "Absent"
    site.connection("sales", connection, baseRole="MODELER")
    site.eventually(
        lambda: "environmentUserAttribute" not in site.status("sales")["applied"],
        "the entry is gone",
    )
    assert len(site.emulator.patches(connection)) == 3
    site.eventually(
        lambda: {"BaseRoleUpdated", "EnvironmentUserAttributeUpdated"}
        <= site.event_reasons("sales"),
        "its events",
    )


def test_a_changed_secret_is_sent_once_and_within_a_second(
    site: Site, figures: Callable[[str, str], None]
) -> None:
    """Twice for each connection: after three pushes in a row one has to wait."""
    names = ["db-a", "db-b", "db-c"]
    connections = {name: site.emulator.new_connection("postgres") for name in names}
    for name in names:
        site.secret(name, password=f"{name}-0")
        site.connection(name, connections[name], credentials=password(name))
    for name in names:
        site.wait_reason(name, "Synced")
    latencies = []
    for number in (1, 2):
        for name in names:
            written = time.time()
            site.secret(name, note=f"r{number}", password=f"{name}-{number}")
            site.wait_patches(connections[name], number + 1)
            arrived = site.emulator.patches(connections[name])[number]["timeUnixMs"] / 1000
            latencies.append(arrived - written)
            site.eventually(
                lambda: site.status(name)["applied"]["credential"].get("rotationID")
                == f"r{number}",
                "the rotation's id in the status",
            )
    for name in names:
        assert site.emulator.bodies(connections[name]) == [
            {"passwordUnencrypted": f"{name}-{number}"} for number in range(3)
        ]
    slowest = max(latencies)  # kubectl's own start and work included
    assert slowest <= 1.0
    figures(
        "rotations",
        f"{len(latencies)}, each sent once, the slowest {slowest * 1000:.0f} ms after kubectl "
        "was started",
    )


def test_what_changes_nothing_sends_nothing(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="stays-as-it-is")
    site.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    site.wait_reason("sales", "Synced")

    site.kubectl("label", "secret/db", "team=data")
    site.kubectl("annotate", "oconn/sales", "note=hello")
    site.kubectl("patch", "secret/db", "-p", '{"stringData":{"other":"another-value"}}')
    site.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    newest = site.plane.get("secret", "db", site.ns)["metadata"]["resourceVersion"]
    site.eventually(
        lambda: site.status("sales")["applied"]["credential"]["secretResourceVersion"] == newest,
        "the version in the status follows",
    )
    site.operator.restart()
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 1
    assert site.conditions("sales")["Ready"]["status"] == "True"


def test_ten_connections_share_a_secret(site: Site) -> None:
    connections = [site.emulator.new_connection("postgres") for _ in range(10)]
    site.secret("db", password="shared-by-all-of-them")
    for number, connection in enumerate(connections):
        site.connection(f"c{number}", connection, credentials=password("db"))
    for connection in connections:
        site.wait_patches(connection, 1)
    site.secret("db", password="rotated-for-all-of-them")
    for number, connection in enumerate(connections):
        assert site.wait_patches(connection, 2) == [
            {"passwordUnencrypted": "shared-by-all-of-them"},
            {"passwordUnencrypted": "rotated-for-all-of-them"},
        ]
        site.wait_reason(f"c{number}", "Synced")


def test_another_target_gets_everything(site: Site, second_emulator: Any) -> None:
    first, second = (site.emulator.new_connection("postgres") for _ in range(2))
    everything = {"credentials": password("db"), "baseRole": "VIEWER"}
    body = {"passwordUnencrypted": "follows-the-target", "baseRole": "VIEWER"}
    site.secret("db", password="follows-the-target")
    site.connection("sales", first, **everything)
    assert site.wait_patches(first, 1) == [body]

    site.connection("sales", second, **everything)  # another connection
    assert site.wait_patches(second, 1) == [body]
    site.eventually(
        lambda: site.status("sales")["applied"]["target"]["connectionID"] == second, "the target"
    )

    site.secret("ca-2", **{"ca.crt": second_emulator.ca})  # another instance
    elsewhere = {"caBundleSecretRef": {"name": "ca-2"}}
    site.instance("omni-2", second_emulator, **elsewhere)
    second_emulator.admin("PUT", f"connections/{second}", {"name": "s", "dialect": "postgres"})
    site.connection("sales", second, instanceRef={"name": "omni-2"}, **everything)
    site.eventually(lambda: second_emulator.bodies(second) == [body], "all at the other Omni")

    site.connection("other", first, **everything)  # another baseURL
    assert site.wait_patches(first, 2)[1] == body
    second_emulator.admin("PUT", f"connections/{first}", {"name": "f", "dialect": "postgres"})
    site.instance("omni", second_emulator, **elsewhere)
    site.eventually(lambda: second_emulator.bodies(first) == [body], "all at the new address")
    assert site.status("other")["applied"]["target"]["host"] == second_emulator.host


def test_a_name_is_resolved_once_and_pinned(site: Site) -> None:
    connection = site.emulator.new_connection("postgres", name="The Warehouse")
    site.secret("db", password="for-the-warehouse")
    site.connection("sales", "", connectionName="The Warehouse", credentials=password("db"))
    site.wait_reason("sales", "Synced")
    assert site.status("sales")["connectionID"] == connection
    # Renamed in Omni, and another takes the name: the credential stays where it was.
    site.emulator.admin(
        "PUT", f"connections/{connection}", {"name": "Renamed", "dialect": "postgres"}
    )
    thief = site.emulator.new_connection("postgres", name="The Warehouse")
    site.secret("db", password="the-next-password")
    site.wait_patches(connection, 2)
    assert site.emulator.patches(thief) == []
    site.connection("nobody", "", connectionName="No Such Name", baseRole="VIEWER")
    site.wait_reason("nobody", "ConnectionNotFound")


def test_suspended_objects_wait(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="before-the-pause")
    site.connection("sales", connection, credentials=password("db"))
    site.wait_reason("sales", "Synced")
    site.connection("sales", connection, credentials=password("db"), suspend=True)
    assert site.wait_reason("sales", "Suspended")["Ready"]["status"] == "True"
    site.secret("db", password="during-the-pause")
    site.eventually(lambda: "Stalled" in site.conditions("sales"), "something is pending")
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 1
    site.connection("sales", connection, credentials=password("db"))
    assert site.wait_patches(connection, 2)[1] == {"passwordUnencrypted": "during-the-pause"}


def test_annotations_ask_for_a_reconcile_and_for_everything(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="asked-for-again")
    site.connection("sales", connection, credentials=password("db"), baseRole="VIEWER")
    site.wait_reason("sales", "Synced")
    site.kubectl("annotate", "oconn/sales", "reconcile.fluxcd.io/requestedAt=t1")
    site.eventually(lambda: site.status("sales").get("lastHandledReconcileAt") == "t1", "handled")
    assert len(site.emulator.patches(connection)) == 1
    site.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/forceAt=t2")
    site.eventually(lambda: site.status("sales").get("lastHandledForceAt") == "t2", "handled")
    bodies = site.emulator.bodies(connection)
    assert len(bodies) == 2 and bodies[0] == bodies[1]
    # What cannot be sent now does not make the rest go out again and again.
    site.connection("sales", connection, credentials=password("absent"), baseRole="VIEWER")
    site.wait_reason("sales", "SecretNotFound")
    site.kubectl("annotate", "--overwrite", "oconn/sales", "reconcile.omniconnection.io/forceAt=t3")
    assert site.wait_patches(connection, 3)[2] == {"baseRole": "VIEWER"}
    site.secret("absent", other="still-not-the-key")
    site.wait_reason("sales", "SecretKeyNotFound")
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 3


def test_a_repush_that_cannot_be_sent_waits(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="sent-long-ago")
    spec = {**password("db"), "repushInterval": "1h"}
    site.connection("sales", connection, credentials=spec)
    site.wait_reason("sales", "Synced")
    site.operator.stop()
    status = {"applied": {"credential": {"pushedAt": "2026-01-01T00:00:00Z"}}}
    site.kubectl(
        *("patch", "oconn/sales", "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    site.kubectl("delete", "secret/db")
    site.operator.start()
    site.wait_reason("sales", "SecretNotFound")
    looks = site.operator.reconciles()
    site.synced_marker()
    assert site.operator.reconciles() - looks < 50
    site.secret("db", password="sent-long-ago")
    site.wait_patches(connection, 2)


def test_the_operator_says_what_it_does(site: Site, operator_bin: Path) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, baseRole="VIEWER")
    site.wait_reason("sales", "Synced")
    operator: Operator = site.operator
    assert operator.get(operator.health, "/healthz")[0] == 200
    page = operator.scrape()
    instance = f'omni_instance="{site.ns}/omni"'
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


def test_columns(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, baseRole="VIEWER")
    site.wait_reason("sales", "Synced")
    wide = site.kubectl("get", "oconn", "-o", "wide")
    assert all(text in wide for text in ("omni", "True", "Synced", connection, "postgres"))
    assert site.emulator.url in site.kubectl("get", "oinst")
