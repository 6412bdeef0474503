"""No eight bytes in a row of a credential are shown, whatever Omni puts into its answers."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any, Callable

import pytest

from leak_search import LeakSearch
from tenant import Tenant
from test_push import openssl, password

Echo = Callable[[str], dict[str, Any]]  # from a credential to an answer that repeats it
QUICK = ("as the message", "its last eight bytes", "as a redirect's target")

ECHOES: dict[str, Echo] = {
    "as the message": lambda value: {"status": 400, "body": {"message": value}},
    "inside a sentence": lambda value: {
        "status": 422,
        "body": {"error": "422", "message": f'passwordUnencrypted "{value}" is too old'},
    },
    "its first eight bytes": lambda value: {"status": 400, "body": {"message": value[:8]}},
    "its last eight bytes": lambda value: {"status": 400, "body": {"detail": f"..{value[-8:]}"}},
    # 503, since after a 502 the next value has to settle for a minute
    "in a page": lambda value: {"status": 503, "body": f"<html>{value}</html>"},
    "as plain text": lambda value: {
        "status": 400,
        "body": value,
        "headers": {"Content-Type": "text/plain"},
    },
    "as the reason of a 401": lambda value: {"status": 401, "body": {"message": value}},
    "as the reason of a 403": lambda value: {"status": 403, "body": {"message": value}},
    "as the reason of a 404": lambda value: {"status": 404, "body": {"message": value}},
    "with a 500": lambda value: {"status": 500, "body": {"errors": [{"message": value}]}},
    "as the time to wait": lambda value: {"status": 429, "headers": {"Retry-After": value}},
    "as a redirect's target": lambda value: {
        "status": 307,
        "headers": {"Location": f"https://127.0.0.1/{value}"},
    },
}


def shown(tenant: Tenant) -> str:
    """All that people who may read no Secrets can read."""
    return "\n".join(
        [
            tenant.operator.log.read_text(),
            tenant.operator.scrape(),
            tenant.kubectl("get", "omni,events.events.k8s.io", "-o", "json"),
        ]
    )


@pytest.mark.parametrize(
    "case",
    [c if c in QUICK else pytest.param(c, marks=pytest.mark.long) for c in ECHOES],
)
def test_an_answer_that_repeats_a_password(tenant: Tenant, case: str) -> None:
    value = secrets.token_urlsafe(24)
    leak_search = LeakSearch()
    leak_search.keep(value, "the password")
    connection = tenant.emulator.new_connection("postgres")
    tenant.emulator.fault(connection, "respond", count=1, **ECHOES[case](value))
    tenant.secret("db", password=value)
    tenant.connection("sales", connection, credentials=password("db"))
    tenant.wait_patches(connection, 1)
    tenant.synced_marker()  # by now the answer is in the condition, the Event and the log
    assert not leak_search.leaks(shown(tenant))
    # And what a person does about it ends in a push.
    changed = secrets.token_urlsafe(24)
    leak_search.keep(changed, "the next password")
    tenant.secret("db", password=changed)
    tenant.kubectl("annotate", "oconn/sales", "reconcile.omniconnection.io/requestedAt=now")
    tenant.eventually(
        lambda: tenant.emulator.bodies(connection)[-1] == {"passwordUnencrypted": changed}, "a push"
    )
    tenant.synced_marker()  # the object itself may have to settle
    assert not leak_search.leaks(shown(tenant))


def test_an_answer_that_repeats_a_line_of_a_key(tenant: Tenant) -> None:
    key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    leak_search = LeakSearch()
    leak_search.keep(key, "the key")
    connection = tenant.emulator.new_connection("snowflake")
    message = {"message": f"bad key: {key.splitlines()[5]}"}
    tenant.emulator.fault(connection, "respond", status=400, body=message)
    tenant.secret("key", **{"tls.key": key})
    reference = {"snowflakePrivateKey": {"secretRef": {"name": "key"}}}
    tenant.connection("finance", connection, credentials=reference)
    tenant.wait_reason("finance", "Rejected")
    assert not leak_search.leaks(shown(tenant))


def test_a_broken_credential_is_not_quoted(tenant: Tenant) -> None:
    value = secrets.token_urlsafe(24)
    leak_search = LeakSearch()
    leak_search.keep(value, "what is no service account")
    leak_search.keep(base64.b64encode(value.encode()).decode(), "its base64")
    account = json.dumps({"type": "service_account", "project_id": value})[:-1]  # not closed
    key = f"-----BEGIN PRIVATE KEY-----\n{value}\n-----END PRIVATE KEY-----\n"
    for dialect, kind, secret_key, text in (
        ("bigquery", "bigQueryServiceAccount", "service-account.json", account),
        ("snowflake", "snowflakePrivateKey", "tls.key", key),
    ):
        tenant.secret(dialect, **{secret_key: text})
        reference = {kind: {"secretRef": {"name": dialect}}}
        connection = tenant.emulator.new_connection(dialect)
        tenant.connection(dialect, connection, credentials=reference)
        tenant.wait_reason(dialect, "InvalidCredential")
    assert not leak_search.leaks(shown(tenant))
