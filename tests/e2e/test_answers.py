"""What Omni answers, and what is wrong with a Secret or an instance: each ends in a condition that
says what to do, and in a push once the cause is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operator_site import TOKEN, Site
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


def test_a_missing_secret_and_a_missing_key_heal(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, credentials=password("db"))
    conditions = site.wait_reason("sales", "SecretNotFound")
    assert is_failing(conditions)
    assert f"{site.ns}/db" in conditions["Ready"]["message"]
    site.secret("db", wrong="not-the-key-we-want")
    assert is_failing(site.wait_reason("sales", "SecretKeyNotFound"))
    assert site.emulator.patches(connection) == []
    site.secret("db", password="here-it-is-at-last")
    site.wait_reason("sales", "Synced")
    assert site.emulator.bodies(connection) == [{"passwordUnencrypted": "here-it-is-at-last"}]


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


@pytest.mark.parametrize("case", BAD_CREDENTIALS)
def test_a_bad_credential_spends_no_request(site: Site, case: str) -> None:
    dialect, kind, key, value = BAD_CREDENTIALS[case]
    if value == "EC":
        value = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    good = {
        "password": "good-enough-password",
        "tls.key": openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    }
    connection = site.emulator.new_connection(dialect)
    site.secret("credential", **{key: value})
    site.connection("c", connection, credentials={kind: {"secretRef": {"name": "credential"}}})
    assert is_stalled(site.wait_reason("c", "InvalidCredential"))
    assert site.emulator.patches(connection) == []
    if key in good:
        site.secret("credential", **{key: good[key]})
        site.wait_reason("c", "Synced")
        assert len(site.emulator.patches(connection)) == 1


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("postgres", "bigQueryServiceAccount"),
        ("postgres", "snowflakePrivateKey"),
        ("bigquery", "password"),
    ],
)
def test_a_credential_of_the_wrong_kind_is_never_sent(site: Site, dialect: str, kind: str) -> None:
    connection = site.emulator.new_connection(dialect)
    key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    account = {"type": "service_account", "project_id": "p", "private_key": key}
    account["client_email"] = "omni@p.iam.gserviceaccount.com"
    site.secret(
        "credential",
        password="a-plain-password",
        **{"tls.key": key, "service-account.json": json.dumps(account)},
    )
    site.connection("c", connection, credentials={kind: {"secretRef": {"name": "credential"}}})
    assert is_stalled(site.wait_reason("c", "CredentialKindMismatch"))
    assert site.emulator.patches(connection) == []


# --- Omni's answers ----------------------------------------------------------------------------


def test_400_is_not_sent_again_unchanged(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    message = {"error": "400", "message": "the password is too weak for us"}
    site.emulator.fault(connection, "respond", status=400, body=message)
    site.secret("db", password="hunter-2-hunter")
    site.connection("sales", connection, credentials=password("db"))
    conditions = site.wait_reason("sales", "Rejected")
    assert is_stalled(conditions)
    assert "the password is too weak for us" in conditions["Ready"]["message"]
    site.operator.restart()
    site.kubectl("label", "secret/db", "touched=yes")
    site.synced_marker()
    assert len(site.emulator.patches(connection)) == 1
    assert site.conditions("sales")["Ready"]["reason"] == "Rejected"
    site.emulator.admin("DELETE", "faults")
    site.secret("db", password="a-far-stronger-one")
    site.wait_reason("sales", "Synced")
    assert len(site.emulator.patches(connection)) == 2


def test_a_misspelt_role_never_holds_up_a_password(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="goes-through-anyway")
    site.connection("sales", connection, credentials=password("db"), baseRole="QUERRIER")
    assert is_stalled(site.wait_reason("sales", "Rejected"))
    assert [list(b) for b in site.emulator.bodies(connection)] == [
        ["passwordUnencrypted", "baseRole"],
        ["passwordUnencrypted"],
    ]
    site.secret("db", password="the-next-goes-too")
    assert site.wait_patches(connection, 3)[2:] == [{"passwordUnencrypted": "the-next-goes-too"}]
    site.connection("sales", connection, credentials=password("db"), baseRole="QUERIER")
    site.wait_reason("sales", "Synced")
    assert site.emulator.bodies(connection)[3:] == [{"baseRole": "QUERIER"}]


def test_401_is_the_keys_fault_and_heals_with_a_new_key(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("omni-token-2", token="omni_osk_soon_revoked")
    site.emulator.admin("PUT", "tokens", {"tokens": [TOKEN, "omni_osk_soon_revoked"]})
    site.instance("revoked", apiTokenSecretRef={"name": "omni-token-2"})
    site.secret("db", password="before-revocation")
    reference = {"instanceRef": {"name": "revoked"}, "credentials": password("db")}
    site.connection("sales", connection, **reference)
    site.wait_reason("sales", "Synced")
    site.emulator.admin("PUT", "tokens", {"tokens": [TOKEN]})
    site.secret("db", password="after-revocation")
    assert is_stalled(site.wait_reason("sales", "Unauthorized"))
    assert is_stalled(site.wait_reason("revoked", "Unauthorized", "oinst"))
    site.secret("omni-token-2", token=TOKEN)
    site.wait_reason("sales", "Synced")
    assert site.emulator.bodies(connection)[-1] == {"passwordUnencrypted": "after-revocation"}


def test_403_with_a_good_key_stops_only_its_connection(site: Site) -> None:
    refused, fine = (site.emulator.new_connection("postgres") for _ in range(2))
    site.emulator.fault(refused, "respond", status=403, body={"message": "no Connection Admin"})
    site.connection("refused", refused, baseRole="VIEWER")
    assert is_stalled(site.wait_reason("refused", "Forbidden"))
    site.connection("fine", fine, baseRole="VIEWER")
    site.wait_reason("fine", "Synced")
    site.emulator.admin("DELETE", "faults")
    site.kubectl("annotate", "oconn/refused", "reconcile.omniconnection.io/requestedAt=now")
    site.wait_reason("refused", "Synced")


def test_404_and_a_connection_that_does_not_exist(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(connection, "respond", status=404, count=1)
    site.connection("lost", connection, baseRole="VIEWER")
    assert is_stalled(site.wait_reason("lost", "ConnectionNotFound"))
    site.wait_reason("lost", "Synced")

    absent = "00000000-0000-4000-8000-000000000000"
    site.secret("db", password="for-nobody-yet")
    site.connection("absent", absent, credentials=password("db"))
    site.wait_reason("absent", "ConnectionNotFound")
    assert site.emulator.patches(absent) == []
    site.emulator.admin("PUT", f"connections/{absent}", {"name": "n", "dialect": "postgres"})
    site.kubectl("annotate", "oconn/absent", "reconcile.omniconnection.io/requestedAt=now")
    site.wait_reason("absent", "Synced")
    site.emulator.admin("DELETE", f"connections/{absent}?purge=1")


def test_429_waits_as_asked(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(
        connection, "respond", status=429, count=1, headers={"Retry-After": "2"}
    )
    site.connection("sales", connection, baseRole="VIEWER")
    conditions = site.wait_reason("sales", "RateLimited")
    assert conditions["Ready"]["status"] == "Unknown" and "Reconciling" in conditions
    site.wait_reason("sales", "Synced")
    first, second = site.emulator.patches(connection)
    assert second["timeUnixMs"] - first["timeUnixMs"] >= 2000


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "respond", "status": 500, "count": 2},
        {"action": "respond", "status": 502, "count": 2, "body": "<html>Bad Gateway</html>"},
        {"action": "drop", "count": 2},
        {"action": "drop-after-apply", "count": 2},
        {"action": "truncate", "count": 2},
    ],
    ids=lambda f: f"{f['action']}-{f.get('status', '')}",
)
def test_a_passing_fault_is_retried(site: Site, fault: dict[str, Any]) -> None:
    connection = site.emulator.new_connection("postgres")
    fault = dict(fault)
    site.emulator.fault(connection, fault.pop("action"), **fault)
    site.secret("db", password="sent-until-accepted")
    site.connection("sales", connection, credentials=password("db"))
    assert is_failing(site.wait_reason("sales", "OmniUnavailable"))
    assert site.status("sales")["nextAttemptTime"]
    site.wait_reason("sales", "Synced")
    assert site.emulator.bodies(connection) == [{"passwordUnencrypted": "sent-until-accepted"}] * 3
    status = site.status("sales")
    assert "failures" not in status and "nextAttemptTime" not in status


def test_no_answer_is_told_while_it_lasts_and_then_retried(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(connection, "hang", count=1)
    site.connection("sales", connection, baseRole="VIEWER")
    conditions = site.wait_reason("sales", "Progressing")
    assert conditions["Ready"]["status"] == "Unknown"
    site.wait_reason("sales", "OmniUnavailable")
    site.wait_reason("sales", "Synced")
    assert len(site.emulator.patches(connection)) == 2


def test_an_answer_that_is_not_json_is_no_problem(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.emulator.fault(
        connection,
        "respond",
        status=422,
        headers={"Content-Type": "text/plain"},
        body="unprocessable, says a proxy",
    )
    site.connection("sales", connection, baseRole="VIEWER")
    message = site.wait_reason("sales", "Rejected")["Ready"]["message"]
    assert "unprocessable, says a proxy" in message


def test_an_answer_that_repeats_the_credential_is_withheld(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    echo = {"message": "invalid: echo-of-the-password"}
    site.emulator.fault(connection, "respond", status=400, body=echo)
    site.secret("db", password="echo-of-the-password")
    site.connection("sales", connection, credentials=password("db"))
    message = site.wait_reason("sales", "Rejected")["Ready"]["message"]
    assert "withheld" in message and "echo-of" not in message


# --- who may -------------------------------------------------------------------------------------


def test_two_objects_for_one_connection(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.secret("db", password="of-the-older-object")
    site.secret("db2", password="of-the-younger-object")
    site.connection("older", connection, credentials=password("db"))
    site.wait_reason("older", "Synced")
    site.eventually(  # creation times have whole seconds
        lambda: site.plane.get("oconn", "older", site.ns), "the older exists"
    )
    site.connection("younger", connection, credentials=password("db2"))
    conditions = site.wait_reason("younger", "ConnectionConflict")
    assert is_stalled(conditions)
    assert "older" in conditions["Ready"]["message"]
    assert len(site.emulator.patches(connection)) == 1
    site.kubectl("delete", "oconn/older")
    site.wait_reason("younger", "Synced")
    assert site.emulator.bodies(connection)[1:] == [
        {"passwordUnencrypted": "of-the-younger-object"}
    ]


def test_other_namespaces(site: Site) -> None:
    guest = site.plane.create_namespace("guest")
    connection = site.emulator.new_connection("postgres")
    site.secret("db", guest, password="of-a-guest-namespace")

    def guest_connection(name: str, instance: str) -> None:
        reference = {"name": instance, "namespace": site.ns}
        site.connection(
            name, connection, guest, instanceRef=reference, credentials=password("db")
        )

    guest_connection("sales", "omni")
    refused = site.wait_reason("sales", "NamespaceNotAllowed", ns=guest)
    guest_connection("nowhere", "absent")
    absent = site.wait_reason("nowhere", "NamespaceNotAllowed", ns=guest)
    read_alike = refused["Ready"]["message"].replace("/omni ", "/absent ")
    assert read_alike == absent["Ready"]["message"]
    selector = {"from": "Selector", "selector": {"matchLabels": {"may": "push"}}}
    site.instance("omni", allowedNamespaces=selector)
    site.kubectl("label", "namespace", guest, "may=push")
    site.wait_reason("sales", "Synced", ns=guest)
    site.kubectl("label", "namespace", guest, "may-")
    site.wait_reason("sales", "NamespaceNotAllowed", ns=guest)
    site.instance("omni", allowedNamespaces={"from": "All"})
    site.wait_reason("sales", "Synced", ns=guest)
    # A conflict with an object of another namespace does not name it.
    site.connection("mine", connection, baseRole="VIEWER", credentials=password("db"))
    message = site.wait_reason("mine", "ConnectionConflict")["Ready"]["message"]
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


@pytest.mark.parametrize("case", INSTANCE_PROBLEMS)
def test_an_instance_that_cannot_be_used(site: Site, case: str) -> None:
    spec, reason = INSTANCE_PROBLEMS[case]
    connection = site.emulator.new_connection("postgres")
    site.instance("broken", **spec)
    site.connection("sales", connection, instanceRef={"name": "broken"}, baseRole="VIEWER")
    theirs = site.wait_reason("broken", reason, "oinst")
    ours = site.wait_reason("sales", "InstanceNotReady")
    assert set(ours) == set(theirs)  # the same shape
    assert theirs["Ready"]["message"] in ours["Ready"]["message"]
    site.instance("broken")
    site.plane.kubectl(
        "-n", site.ns, "patch", "oinst/broken", "--type=merge", "-p",
        '{"spec":{"caBundleSecretRef":{"name":"omni-ca"}}}',
    )
    site.wait_reason("sales", "Synced")


def test_an_absent_instance_and_one_that_allows_less(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.connection("sales", connection, instanceRef={"name": "later"}, baseRole="VIEWER")
    assert is_failing(site.wait_reason("sales", "InstanceNotFound"))
    other = "11111111-1111-4111-8111-111111111111"
    site.instance("later", allowedConnections=[other])
    assert is_stalled(site.wait_reason("sales", "ConnectionNotAllowed"))
    site.instance("later", allowedConnections=[other, connection])
    site.wait_reason("sales", "Synced")


def test_secrets_that_are_nobodys_credential_are_refused(site: Site) -> None:
    connection = site.emulator.new_connection("postgres")
    site.kubectl("create", "serviceaccount", "robot")
    site.plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": "robot-token",
                "namespace": site.ns,
                "annotations": {"kubernetes.io/service-account.name": "robot"},
            },
            "stringData": {"password": "may-never-leave-the-cluster"},
        }
    )
    site.connection("sales", connection, credentials=password("robot-token"))
    assert is_stalled(site.wait_reason("sales", "InvalidCredential"))
    assert site.emulator.patches(connection) == []
