"""What Omni answers, and what is wrong with a Secret or an instance: each ends in a condition that
says what to do, and in a push once the cause is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenant import TOKEN, Tenant
from test_push import openssl, password


def is_failing(conditions: dict[str, Any]) -> bool:
    return conditions["Ready"]["status"] == "False" and "Reconciling" in conditions


def is_stalled(conditions: dict[str, Any]) -> bool:
    return (
        conditions["Ready"]["status"] == "False"
        and "Stalled" in conditions
        and "Reconciling" not in conditions
    )


# --- the Secret ------------------------------------------------------------------------------


def test_a_missing_secret_and_a_missing_key_heal(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, credentials=password("db"))
    conditions = tenant.wait_reason("sales", "SecretNotFound")
    assert is_failing(conditions)
    assert f"{tenant.ns}/db" in conditions["Ready"]["message"]
    tenant.secret("db", wrong="not-the-key-we-want")
    assert is_failing(tenant.wait_reason("sales", "SecretKeyNotFound"))
    assert tenant.emulator.patches(connection) == []
    tenant.secret("db", password="here-it-is-at-last")
    tenant.wait_reason("sales", "Synced")
    assert tenant.emulator.bodies(connection) == [{"passwordUnencrypted": "here-it-is-at-last"}]


BAD_CREDENTIALS = {
    "an empty password": ("postgres", "password", "password", ""),
    "an elliptic-curve key": ("snowflake", "snowflakePrivateKey", "tls.key", "EC"),
    "text that is no key": ("snowflake", "snowflakePrivateKey", "tls.key", "hardly a key at all"),
    "a service account without client_email": (
        "bigquery",
        "bigQueryServiceAccount",
        "service-account.json",
        json.dumps({"type": "service_account", "project_id": "p", "private_key": "RSA"}),
    ),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.long if case == "text that is no key" else [])
        for case in BAD_CREDENTIALS
    ],
)
def test_a_bad_credential_spends_no_request(tenant: Tenant, case: str) -> None:
    dialect, kind, key, value = BAD_CREDENTIALS[case]
    if value == "EC":
        value = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    good = {
        "password": "good-enough-password",
        "tls.key": openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    }
    connection = tenant.emulator.new_connection(dialect)
    tenant.secret("credential", **{key: value})
    tenant.connection("c", connection, credentials={kind: {"secretRef": {"name": "credential"}}})
    assert is_stalled(tenant.wait_reason("c", "InvalidCredential"))
    assert tenant.emulator.patches(connection) == []
    if key in good:
        tenant.secret("credential", **{key: good[key]})
        tenant.wait_reason("c", "Synced")
        assert len(tenant.emulator.patches(connection)) == 1


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("postgres", "bigQueryServiceAccount"),
        pytest.param("postgres", "snowflakePrivateKey", marks=pytest.mark.long),
        pytest.param("bigquery", "password", marks=pytest.mark.long),
    ],
)
def test_a_credential_of_the_wrong_kind_is_never_sent(tenant: Tenant, dialect: str, kind: str) -> None:
    connection = tenant.emulator.new_connection(dialect)
    key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    account = {"type": "service_account", "project_id": "p", "private_key": key}
    account["client_email"] = "omni@p.iam.gserviceaccount.com"
    tenant.secret(
        "credential",
        password="a-plain-password",
        **{"tls.key": key, "service-account.json": json.dumps(account)},
    )
    tenant.connection("c", connection, credentials={kind: {"secretRef": {"name": "credential"}}})
    assert is_stalled(tenant.wait_reason("c", "CredentialKindMismatch"))
    assert tenant.emulator.patches(connection) == []


# --- Omni's answers ----------------------------------------------------------------------------


def test_400_is_not_sent_again_unchanged(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    message = {"error": "400", "message": "the password is too weak for us"}
    tenant.emulator.fault(connection, "respond", status=400, body=message)
    tenant.secret("db", password="hunter-2-hunter")
    tenant.connection("sales", connection, credentials=password("db"))
    conditions = tenant.wait_reason("sales", "Rejected")
    assert is_stalled(conditions)
    assert "the password is too weak for us" in conditions["Ready"]["message"]
    tenant.operator.restart()
    tenant.kubectl("label", "secret/db", "touched=yes")
    tenant.synced_marker()
    assert len(tenant.emulator.patches(connection)) == 1
    assert tenant.conditions("sales")["Ready"]["reason"] == "Rejected"
    tenant.emulator.admin("DELETE", "faults")
    tenant.secret("db", password="a-far-stronger-one")
    tenant.wait_reason("sales", "Synced")
    assert len(tenant.emulator.patches(connection)) == 2


def test_a_misspelt_role_never_holds_up_a_password(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="goes-through-anyway")
    tenant.connection("sales", connection, credentials=password("db"), baseRole="QUERRIER")
    assert is_stalled(tenant.wait_reason("sales", "Rejected"))
    assert [list(b) for b in tenant.emulator.bodies(connection)] == [
        ["passwordUnencrypted", "baseRole"],
        ["passwordUnencrypted"],
    ]
    tenant.secret("db", password="the-next-goes-too")
    assert tenant.wait_patches(connection, 3)[2:] == [{"passwordUnencrypted": "the-next-goes-too"}]
    tenant.connection("sales", connection, credentials=password("db"), baseRole="QUERIER")
    tenant.wait_reason("sales", "Synced")
    assert tenant.emulator.bodies(connection)[3:] == [{"baseRole": "QUERIER"}]


def test_401_is_the_keys_fault_and_heals_with_a_new_key(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("omni-token-2", token="omni_osk_soon_revoked")
    tenant.emulator.admin("PUT", "tokens", {"tokens": [TOKEN, "omni_osk_soon_revoked"]})
    tenant.instance("revoked", apiTokenSecretRef={"name": "omni-token-2"})
    tenant.secret("db", password="before-revocation")
    reference = {"instanceRef": {"name": "revoked"}, "credentials": password("db")}
    tenant.connection("sales", connection, **reference)
    tenant.wait_reason("sales", "Synced")
    tenant.emulator.admin("PUT", "tokens", {"tokens": [TOKEN]})
    tenant.secret("db", password="after-revocation")
    assert is_stalled(tenant.wait_reason("sales", "Unauthorized"))
    assert is_stalled(tenant.wait_reason("revoked", "Unauthorized", "oinst"))
    tenant.secret("omni-token-2", token=TOKEN)
    tenant.wait_reason("sales", "Synced")
    assert tenant.emulator.bodies(connection)[-1] == {"passwordUnencrypted": "after-revocation"}


def test_403_with_a_good_key_stops_only_its_connection(tenant: Tenant) -> None:
    refused, fine = (tenant.emulator.new_connection("postgres") for _ in range(2))
    tenant.emulator.fault(refused, "respond", status=403, body={"message": "no Connection Admin"})
    tenant.connection("refused", refused, baseRole="VIEWER")
    assert is_stalled(tenant.wait_reason("refused", "Forbidden"))
    tenant.connection("fine", fine, baseRole="VIEWER")
    tenant.wait_reason("fine", "Synced")
    tenant.emulator.admin("DELETE", "faults")
    tenant.kubectl("annotate", "oconn/refused", "reconcile.omniconnection.io/requestedAt=now")
    tenant.wait_reason("refused", "Synced")


def test_404_and_a_connection_that_does_not_exist(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(connection, "respond", status=404)
    tenant.connection("lost", connection, baseRole="VIEWER")
    assert is_stalled(tenant.wait_reason("lost", "ConnectionNotFound"))
    tenant.emulator.admin("DELETE", "faults")
    tenant.kubectl("annotate", "oconn/lost", "reconcile.omniconnection.io/requestedAt=now")
    tenant.wait_reason("lost", "Synced")

    absent = "00000000-0000-4000-8000-000000000000"
    tenant.secret("db", password="for-nobody-yet")
    tenant.connection("absent", absent, credentials=password("db"))
    tenant.wait_reason("absent", "ConnectionNotFound")
    assert tenant.emulator.patches(absent) == []
    tenant.emulator.admin("PUT", f"connections/{absent}", {"name": "n", "dialect": "postgres"})
    tenant.kubectl("annotate", "oconn/absent", "reconcile.omniconnection.io/requestedAt=now")
    tenant.wait_reason("absent", "Synced")
    tenant.emulator.admin("DELETE", f"connections/{absent}?purge=1")


def test_429_waits_as_asked(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(
        connection, "respond", status=429, count=1, headers={"Retry-After": "2"}
    )
    tenant.connection("sales", connection, baseRole="VIEWER")
    conditions = tenant.wait_reason("sales", "RateLimited")
    assert conditions["Ready"]["status"] == "Unknown" and "Reconciling" in conditions
    tenant.wait_reason("sales", "Synced")
    first, second = tenant.emulator.patches(connection)
    assert second["timeUnixMs"] - first["timeUnixMs"] >= 2000


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "respond", "status": 500},
        pytest.param(
            {"action": "respond", "status": 502, "body": "<html>Bad Gateway</html>"},
            marks=pytest.mark.long,
        ),
        pytest.param({"action": "drop"}, marks=pytest.mark.long),
        {"action": "drop-after-apply"},
        pytest.param({"action": "truncate"}, marks=pytest.mark.long),
    ],
    ids=lambda f: f"{f['action']}-{f.get('status', '')}",
)
def test_a_passing_fault_is_retried(tenant: Tenant, fault: dict[str, Any]) -> None:
    connection = tenant.emulator.new_connection("postgres")
    fault = dict(fault)
    tenant.emulator.fault(connection, fault.pop("action"), **fault)
    tenant.secret("db", password="sent-until-accepted")
    tenant.connection("sales", connection, credentials=password("db"))
    assert is_failing(tenant.wait_reason("sales", "OmniUnavailable"))
    assert tenant.status("sales")["nextAttemptTime"]
    tenant.emulator.admin("DELETE", "faults")
    tenant.wait_reason("sales", "Synced")
    bodies = tenant.emulator.bodies(connection)
    assert bodies == [{"passwordUnencrypted": "sent-until-accepted"}] * len(bodies)
    assert len(bodies) > 1
    status = tenant.status("sales")
    assert "failures" not in status and "nextAttemptTime" not in status


@pytest.mark.long
def test_no_answer_is_told_while_it_lasts_and_then_retried(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(connection, "hang", count=1)
    tenant.connection("sales", connection, baseRole="VIEWER")
    conditions = tenant.wait_reason("sales", "Progressing")
    assert conditions["Ready"]["status"] == "Unknown"
    tenant.wait_reason("sales", "Synced")
    # By its Event, since the next attempt may follow at once.
    tenant.eventually(lambda: "OmniUnavailable" in tenant.event_reasons("sales"), "the failure is told")
    assert len(tenant.emulator.patches(connection)) == 2


def test_an_answer_that_is_not_json_is_no_problem(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(
        connection,
        "respond",
        status=422,
        headers={"Content-Type": "text/plain"},
        body="unprocessable, says a proxy",
    )
    tenant.connection("sales", connection, baseRole="VIEWER")
    message = tenant.wait_reason("sales", "Rejected")["Ready"]["message"]
    assert "unprocessable, says a proxy" in message


def test_an_answer_that_repeats_the_credential_is_withheld(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    echo = {"message": "invalid: echo-of-the-password"}
    tenant.emulator.fault(connection, "respond", status=400, body=echo)
    tenant.secret("db", password="echo-of-the-password")
    tenant.connection("sales", connection, credentials=password("db"))
    message = tenant.wait_reason("sales", "Rejected")["Ready"]["message"]
    assert "withheld" in message and "echo-of" not in message


# --- who may -------------------------------------------------------------------------------------


def test_two_objects_for_one_connection(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", password="of-the-older-object")
    tenant.secret("db2", password="of-the-younger-object")
    tenant.connection("older", connection, credentials=password("db"))
    tenant.wait_reason("older", "Synced")
    tenant.eventually(  # creation times have whole seconds
        lambda: tenant.plane.get("oconn", "older", tenant.ns), "the older exists"
    )
    tenant.connection("younger", connection, credentials=password("db2"))
    conditions = tenant.wait_reason("younger", "ConnectionConflict")
    assert is_stalled(conditions)
    assert "older" in conditions["Ready"]["message"]
    assert len(tenant.emulator.patches(connection)) == 1
    tenant.kubectl("delete", "oconn/older")
    tenant.wait_reason("younger", "Synced")
    assert tenant.emulator.bodies(connection)[1:] == [
        {"passwordUnencrypted": "of-the-younger-object"}
    ]


def test_other_namespaces(tenant: Tenant) -> None:
    guest = tenant.plane.create_namespace("guest")
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret("db", guest, password="of-a-guest-namespace")

    def guest_connection(name: str, instance: str) -> None:
        reference = {"name": instance, "namespace": tenant.ns}
        tenant.connection(
            name, connection, guest, instanceRef=reference, credentials=password("db")
        )

    guest_connection("sales", "omni")
    refused = tenant.wait_reason("sales", "NamespaceNotAllowed", ns=guest)
    guest_connection("nowhere", "absent")
    absent = tenant.wait_reason("nowhere", "NamespaceNotAllowed", ns=guest)
    read_alike = refused["Ready"]["message"].replace("/omni ", "/absent ")
    assert read_alike == absent["Ready"]["message"]
    selector = {"from": "Selector", "selector": {"matchLabels": {"may": "push"}}}
    tenant.instance("omni", allowedNamespaces=selector)
    tenant.kubectl("label", "namespace", guest, "may=push")
    tenant.wait_reason("sales", "Synced", ns=guest)
    looks = tenant.operator.reconciles()
    for number in range(12):  # of a namespace only the labels count
        tenant.kubectl("annotate", "namespace", guest, f"note={number}", "--overwrite")
    tenant.kubectl("label", "namespace", guest, "may-")
    tenant.wait_reason("sales", "NamespaceNotAllowed", ns=guest)
    assert tenant.operator.reconciles() - looks < 12
    tenant.instance("omni", allowedNamespaces={"from": "All"})
    tenant.wait_reason("sales", "Synced", ns=guest)
    # A conflict with an object of another namespace does not name it.
    tenant.connection("mine", connection, baseRole="VIEWER", credentials=password("db"))
    message = tenant.wait_reason("mine", "ConnectionConflict")["Ready"]["message"]
    assert guest not in message and "sales" not in message


INSTANCE_PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "no token": ({"apiTokenSecretRef": {"name": "absent"}}, "SecretNotFound"),
    "no token key": (
        {"apiTokenSecretRef": {"name": "omni-token", "key": "absent"}},
        "SecretKeyNotFound",
    ),
    "a host that is not allowed": ({"baseURL": "https://omni.example.com"}, "HostNotAllowed"),
    "http": ({"baseURL": "http://127.0.0.1"}, "HostNotAllowed"),
    "no trust anchor": ({"caBundleSecretRef": None}, "TLSVerificationFailed"),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.long if case == "no token key" else [])
        for case in INSTANCE_PROBLEMS
    ],
)
def test_an_instance_that_cannot_be_used(tenant: Tenant, case: str) -> None:
    spec, reason = INSTANCE_PROBLEMS[case]
    connection = tenant.emulator.new_connection("postgres")
    tenant.instance("broken", **spec)
    tenant.connection("sales", connection, instanceRef={"name": "broken"}, baseRole="VIEWER")
    theirs = tenant.wait_reason("broken", reason, "oinst")
    ours = tenant.wait_reason("sales", "InstanceNotReady")
    assert set(ours) == set(theirs)  # the same shape
    assert theirs["Ready"]["message"] in ours["Ready"]["message"]
    tenant.instance("broken")
    tenant.plane.kubectl(
        "-n", tenant.ns, "patch", "oinst/broken", "--type=merge", "-p",
        '{"spec":{"caBundleSecretRef":{"name":"omni-ca"}}}',
    )
    tenant.wait_reason("sales", "Synced")


def test_an_absent_instance_and_one_that_allows_less(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.connection("sales", connection, instanceRef={"name": "later"}, baseRole="VIEWER")
    assert is_failing(tenant.wait_reason("sales", "InstanceNotFound"))
    other = "11111111-1111-4111-8111-111111111111"
    tenant.instance("later", allowedConnections=[other])
    assert is_stalled(tenant.wait_reason("sales", "ConnectionNotAllowed"))
    tenant.instance("later", allowedConnections=[other, connection])
    tenant.wait_reason("sales", "Synced")


def test_secrets_that_are_nobodys_credential_are_refused(tenant: Tenant) -> None:
    connection = tenant.emulator.new_connection("postgres")
    tenant.kubectl("create", "serviceaccount", "robot")
    tenant.plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": "robot-token",
                "namespace": tenant.ns,
                "annotations": {"kubernetes.io/service-account.name": "robot"},
            },
            "stringData": {"password": "may-never-leave-the-cluster"},
        }
    )
    tenant.connection("sales", connection, credentials=password("robot-token"))
    assert is_stalled(tenant.wait_reason("sales", "InvalidCredential"))
    assert tenant.emulator.patches(connection) == []
