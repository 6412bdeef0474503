"""What keys with a costly derivation cost the others: they wait for their turns, and nobody else."""

from __future__ import annotations

import pytest

from control_plane import wait_until
from tenant import Tenant
from test_push import openssl

KEYS = 24
ROUNDS = "1000000"  # half of what is allowed: some tenths of a second each
ALL_SECONDS = 90


@pytest.mark.long
def test_costly_keys_wait_for_their_turns_alone(tenant: Tenant) -> None:
    calm = Tenant(tenant.plane, tenant.emulator, tenant.operator)
    warehouse = calm.in_step("warehouse", "calm-password-0")

    rsa_key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    connections = [tenant.emulator.new_connection("snowflake") for _ in range(KEYS)]
    for index, connection in enumerate(connections):
        phrase = f"pass:passphrase-{index}"
        key = openssl(
            "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", ROUNDS, "-passout", phrase,
            stdin=rsa_key,
        )
        tenant.secret(f"key-{index}", passphrase=f"passphrase-{index}", **{"tls.key": key})
        reference = {"name": f"key-{index}", "passphraseKey": "passphrase"}
        tenant.connection(
            f"c-{index}", connection, credentials={"snowflakePrivateKey": {"secretRef": reference}},
            suspend=True,
        )

    def sent() -> int:
        return sum(1 for connection in connections if tenant.emulator.patches(connection))

    resume = '{"spec": {"suspend": null}}'
    for index in range(KEYS):
        tenant.kubectl("patch", "oconn", f"c-{index}", "--type=merge", "-p", resume)
    calm.secret("db", password="calm-password-1")
    calm.wait_patches(warehouse, 2)
    assert sent() < KEYS, "all derivations were over before the rotation: nothing was shown"
    tenant.operator.restart()  # ends within 10 s, with exit code 0
    wait_until(lambda: sent() == KEYS, ALL_SECONDS, "all keys are sent in the end")
    for index in range(KEYS):
        tenant.wait_reason(f"c-{index}", "Synced")
