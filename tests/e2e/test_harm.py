"""What one tenant's trouble costs another, on the binary: a line of the figures for each trouble (see
also test_bad_network.py and test_size.py)."""

from __future__ import annotations

import base64
import threading
from typing import Any, Callable

import pytest

from control_plane import ControlPlane
from harm import Figures, check_harm
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk
from tenant import GROUP, Emulator, Operator, Tenant
from test_push import openssl

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("harm")]  # they share a control plane

FAILING = 40
SHARING = 300
COSTLY = 40
COSTLY_ROUNDS = "2000000"  # as many as are allowed: seconds each
RESTLESS = 5
SECONDS_BETWEEN = 0.25


@pytest.fixture
def calm(plane: ControlPlane, emulator: Emulator, crowd_operator: Operator) -> Tenant:
    return Tenant(plane, emulator, crowd_operator)


@pytest.fixture
def busy(plane: ControlPlane, crowd: Emulator, crowd_operator: Operator) -> Tenant:
    return Tenant(plane, crowd, crowd_operator)



class Repeatedly:
    """Calls something four times a second, on a thread of its own, from start() to the end."""

    def __init__(self, what: Callable[[int], Any]) -> None:
        self._what = what
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.times = 0

    def __enter__(self) -> Repeatedly:
        return self

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(SECONDS_BETWEEN):
            self._what(self.times)
            self.times += 1

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()


def connections(busy: Tenant, count: int, dialect: str, credentials: Callable[[int], Any]) -> list[Any]:
    """Requests that create them, each with its own connection in Omni."""
    path = CONNECTIONS_PATH.format(busy.ns)
    return [
        (
            "POST",
            path,
            {
                "apiVersion": GROUP,
                "kind": "OmniConnection",
                "metadata": {"name": f"busy-{index}"},
                "spec": {
                    "instanceRef": {"name": "omni"},
                    "connectionID": busy.emulator.new_connection(dialect),
                    "credentials": credentials(index),
                },
            },
        )
        for index in range(count)
    ]


def password_of(secret: str) -> dict[str, Any]:
    return {"password": {"secretRef": {"name": secret}}}


def test_connections_that_always_fail(
    calm: Tenant, busy: Tenant, bulk: KubeBulk, figures: Figures
) -> None:
    def disturb() -> Tenant:
        busy.emulator.admin("POST", "faults", {"method": "PATCH", "action": "respond", "status": 500})
        busy.secret("db", password="refused")
        bulk.send(connections(busy, FAILING, "postgres", lambda _: password_of("db")))
        return busy

    def tried() -> bool:
        return sum(1 for r in busy.emulator.requests() if r["method"] == "PATCH") >= 5

    check_harm(figures, f"{FAILING} connections that answer 500", calm, disturb, tried)


def test_keys_that_are_costly_to_decrypt(
    calm: Tenant, busy: Tenant, bulk: KubeBulk, figures: Figures
) -> None:
    rsa_key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    key = openssl(
        "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", COSTLY_ROUNDS,
        "-passout", "pass:phrase", stdin=rsa_key,
    )  # fmt: skip
    path = SECRETS_PATH.format(busy.ns)
    data = lambda index: {"tls.key": f"number {index}\n{key}", "passphrase": "phrase"}  # noqa: E731
    secrets = [
        ("POST", path, {"metadata": {"name": f"key-{index}"}, "stringData": data(index)})
        for index in range(COSTLY)
    ]
    reference = lambda index: {"name": f"key-{index}", "passphraseKey": "passphrase"}  # noqa: E731

    def disturb() -> Tenant:
        bulk.send(secrets)
        bulk.send(
            connections(
                busy, COSTLY, "snowflake",
                lambda index: {"snowflakePrivateKey": {"secretRef": reference(index)}},
            )  # fmt: skip
        )
        return busy

    def begun() -> bool:
        return any(r["method"] == "PATCH" for r in busy.emulator.requests())

    check_harm(
        figures, f"{COSTLY} keys of {COSTLY_ROUNDS} rounds of SHA-512", calm, disturb, begun
    )


def test_many_objects_that_name_one_large_secret(
    calm: Tenant, busy: Tenant, bulk: KubeBulk, figures: Figures
) -> None:
    def disturb() -> Tenant:
        large = base64.b64encode(b"p" * 1_000_000).decode()
        secret = {"metadata": {"name": "large"}, "data": {"password": large}}
        bulk.send([("POST", SECRETS_PATH.format(busy.ns), secret)])
        bulk.send(connections(busy, SHARING, "postgres", lambda _: password_of("large")))
        return busy

    def read() -> bool:
        refused = f'omni_connections{{ready="False",reason="InvalidCredential"}} {SHARING}\n'
        return refused in calm.operator.scrape()

    check_harm(figures, f"{SHARING} objects that name one Secret of 1 MB", calm, disturb, read)


def check_while(
    repeatedly: Callable[[int], Any], trouble: str, objects: int, calm: Tenant, busy: Tenant,
    bulk: KubeBulk, figures: Figures,
) -> None:  # fmt: skip
    """With so many objects of the busy tenant that follow its Secret `db`."""
    with Repeatedly(repeatedly) as changes:

        def disturb() -> Tenant:
            busy.secret("db", password="restless")
            bulk.send(connections(busy, objects, "postgres", lambda _: password_of("db")))
            changes.start()
            return busy

        check_harm(figures, trouble, calm, disturb, lambda: changes.times > 8)


def test_annotations_that_change_all_the_time(
    calm: Tenant, busy: Tenant, bulk: KubeBulk, figures: Figures
) -> None:
    path = CONNECTIONS_PATH.format(busy.ns)

    def change(number: int) -> None:
        notes = {f"reconcile.omniconnection.io/{which}At": str(number) for which in ("requested", "force")}
        body = {"metadata": {"annotations": notes}}
        bulk.send(("PATCH", f"{path}/busy-{index}", body) for index in range(RESTLESS))

    trouble = f"{RESTLESS} objects whose two annotations change 4 times a second"
    check_while(change, trouble, RESTLESS, calm, busy, bulk, figures)


def test_a_secret_that_two_tools_rewrite(
    calm: Tenant, busy: Tenant, bulk: KubeBulk, figures: Figures
) -> None:
    path = SECRETS_PATH.format(busy.ns)

    def rewrite(number: int) -> None:
        value = {"password": f"of-tool-{number % 2}"}
        bulk.send([("PATCH", f"{path}/db", {"stringData": value})])

    trouble = f"a Secret of {FAILING} objects that is rewritten 4 times a second"
    check_while(rewrite, trouble, FAILING, calm, busy, bulk, figures)
