"""Requests go on few connections, which stay: in steady state nobody shakes hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from control_plane import ControlPlane, wait_until
from fault_proxy import FaultProxy
from installation import install_crds, operator_kubeconfig
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk
from tenant import Emulator, Operator, Tenant
from test_push import password

CONNECTIONS = 60
BURSTS = 3


def test_bursts_need_no_new_connections(
    control_plane_bin: Path,
    operator_bin: Path,
    emulator: Emulator,
    tmp_path: Path,
    figures: Callable[[str, str], None],
) -> None:
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        kube = FaultProxy(("127.0.0.1", plane.port), 1)
        omni = FaultProxy(("127.0.0.1", int(emulator.host.split(":")[1])), 1)
        config = plane.kubeconfig_through(kube.host, operator_kubeconfig(plane))
        operator = Operator(
            operator_bin, plane, tmp_path / "log", "--allowed-hosts", omni.host, kubeconfig=config
        )
        bulk = KubeBulk(plane)
        try:
            kube.start()
            omni.start()
            operator.start()
            line = run(plane, bulk, emulator, operator, kube, omni)
        finally:
            bulk.close()
            operator.close()
            kube.close()
            omni.close()
    figures("connections", line)


def run(
    plane: ControlPlane,
    bulk: KubeBulk,
    emulator: Emulator,
    operator: Operator,
    kube: FaultProxy,
    omni: FaultProxy,
) -> str:
    tenant = Tenant(plane, emulator, operator)
    tenant.instance("omni", baseURL=f"https://{omni.host}")
    ids = [emulator.new_connection("postgres") for _ in range(CONNECTIONS)]

    def rotate(number: int) -> None:
        method, path = ("POST", SECRETS_PATH.format(tenant.ns)) if number == 0 else ("PATCH", "")
        bulk.send(
            (method, path or f"{SECRETS_PATH.format(tenant.ns)}/db-{index}",
             {"metadata": {"name": f"db-{index}"},
              "stringData": {"password": f"rotation-{number}-of-{index}"}})
            for index in range(CONNECTIONS)
        )  # fmt: skip

    def arrived(number: int) -> bool:
        held = emulator.admin("GET", "connections")["connections"]
        passwords = {entry["id"]: entry.get("password") for entry in held}
        return all(passwords[c] == f"rotation-{number}-of-{i}" for i, c in enumerate(ids))

    def written() -> bool:
        """All statuses say so, too."""
        return f'omni_connections{{ready="True",reason="Synced"}} {CONNECTIONS}\n' in operator.scrape()

    def watches() -> int:
        """How many were begun."""
        return int(operator.counted("rest_client_requests_total", 'method="WATCH"'))

    def settle(number: int) -> None:
        wait_until(lambda: arrived(number) and written(), 60, f"rotation {number} in Omni")

    rotate(0)
    bulk.send(("POST", CONNECTIONS_PATH.format(tenant.ns), body(i, c)) for i, c in enumerate(ids))
    settle(0)
    rotate(1)
    settle(1)
    # A watch may begin again meanwhile, on a connection of its own.
    begun = watches()
    before = (kube.accepted, omni.accepted)
    for number in range(2, 2 + BURSTS):
        rotate(number)
        settle(number)
    more = (kube.accepted - before[0] - (watches() - begun), omni.accepted - before[1])
    line = (
        f"{BURSTS} bursts of {CONNECTIONS} rotations: {more[0]} new connections to the API server,"
        f" {more[1]} to Omni; {before[0]} and {before[1]} before"
    )
    # Not one for each request: some, where an answer takes long or the most are not open yet.
    assert sum(more) <= BURSTS * CONNECTIONS / 10, line
    return line


def body(index: int, connection: str) -> dict[str, Any]:
    return {
        "apiVersion": "omniconnection.io/v1alpha1",
        "kind": "OmniConnection",
        "metadata": {"name": f"c{index}"},
        "spec": {
            "instanceRef": {"name": "omni"},
            "connectionID": connection,
            "credentials": password(f"db-{index}"),
        },
    }
