"""The commands of docs/, run as they are written. What is not at hand here (a database, a cloud) is a
shell function that takes its place."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tenant import Tenant
from test_push import openssl

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FUNCTIONS = """
kubectl() { command kubectl -n "$NAMESPACE" "$@"; }
revoke-the-old-credential() { echo revoked; }
psql() { cat >/dev/null; echo "psql has $(wc -c <new-password.txt) bytes"; }
snowsql() { echo "snowsql ${2% \\'*}"; }
gcloud() { case $4 in
  create) cp made.json "$5" ;;
  *) echo "gcloud $*" ;;
esac; }
jq() { /usr/bin/python3 -c 'import json, sys
print(json.load(open(sys.argv[3]) if len(sys.argv) > 3 else sys.stdin)[sys.argv[2][1:]])' "$@"; }
"""


def block_of(page: str, having: str) -> str:
    """The page's block of shell commands with this in it."""
    found = [b for b in BLOCK.findall((DOCS / page).read_text()) if having in b]
    assert len(found) == 1, f"{page}: {len(found)} blocks have {having!r}"
    return found[0]


def run(tenant: Tenant, directory: Path, commands: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", FUNCTIONS + commands],
        cwd=directory,
        env={
            "PATH": f"{tenant.plane.binaries}:{os.environ['PATH']}",
            "HOME": str(directory),
            "KUBECONFIG": str(tenant.plane.kubeconfig),
            "NAMESPACE": tenant.ns,
            "CI_PIPELINE_ID": "pipeline-42",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(tenant: Tenant, name: str, dialect: str, kind: str, secret: str, **values: str) -> str:
    """A connection in step, named as in the page."""
    connection = tenant.emulator.new_connection(dialect)
    tenant.secret(secret, **values)
    tenant.connection(name, connection, credentials={kind: {"secretRef": {"name": secret}}})
    tenant.wait_reason(name, "Synced")
    return connection


def test_a_pipeline_revokes_only_what_omni_has_replaced(tenant: Tenant, tmp_path: Path) -> None:
    connection = make(tenant, "sales", "postgres", "password", "sales-db", password="the-old-one")
    (tmp_path / "new-password.txt").write_text("the-new-one")
    said = run(tenant, tmp_path, block_of("pipelines.md", "CI_PIPELINE_ID"))
    assert said.splitlines()[-1] == "revoked"
    assert tenant.emulator.bodies(connection)[1:] == [{"passwordUnencrypted": "the-new-one"}]


@pytest.mark.long
def test_rotate_postgres(tenant: Tenant, tmp_path: Path) -> None:
    connection = make(tenant, "sales", "postgres", "password", "sales-db", password="the-old-one")
    said = run(tenant, tmp_path, block_of("rotate-postgres.md", "ALTER ROLE"))
    assert "psql has 44 bytes" in said
    assert len(tenant.emulator.bodies(connection)[1]["passwordUnencrypted"]) == 44
    tenant.credentials.append(tenant.emulator.bodies(connection)[1]["passwordUnencrypted"])


@pytest.mark.long
def test_rotate_snowflake(tenant: Tenant, tmp_path: Path) -> None:
    key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    connection = make(
        tenant, "finance", "snowflake", "snowflakePrivateKey", "finance-snowflake", **{"tls.key": key}
    )
    said = run(tenant, tmp_path, block_of("rotate-snowflake.md", "snowsql"))
    asked = [line for line in said.splitlines() if line.startswith("snowsql")]
    assert asked == [
        "snowsql ALTER USER omni SET RSA_PUBLIC_KEY_2 =",
        "snowsql ALTER USER omni UNSET RSA_PUBLIC_KEY",
    ]
    assert len(tenant.emulator.patches(connection)) == 2


def account(key_id: str) -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "warehouse",
        "private_key_id": key_id,
        "private_key": openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        "client_email": "omni@warehouse.iam.gserviceaccount.com",
    }


@pytest.mark.long
def test_rotate_big_query(tenant: Tenant, tmp_path: Path) -> None:
    old, new = json.dumps(account("old-id")), json.dumps(account("new-id"))
    connection = make(
        *(tenant, "events", "bigquery", "bigQueryServiceAccount", "events-bigquery"),
        **{"service-account.json": old},
    )
    (tmp_path / "made.json").write_text(new)
    said = run(tenant, tmp_path, block_of("rotate-bigquery.md", "gcloud"))
    assert "gcloud iam service-accounts keys delete old-id" in said
    assert tenant.emulator.bodies(connection)[1:] == [{"passwordUnencrypted": new}]
    assert tenant.status("events")["applied"]["credential"]["rotationID"] == "new-id"
