"""What a bad network costs: names that never resolve, peers that accept and say nothing, connections
that are closed while they are idle, and a log that nobody reads."""

from __future__ import annotations

import fcntl
import os
import select
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from fault_proxy import Faults, FaultProxy
from harm import Figures, check_harm, slowest_rotation, synced_connection
from installation import OPERATOR_NAMESPACE
from name_server import NameServer
from tenant import Emulator, Operator, Tenant

Start = Callable[..., Operator]

pytestmark = pytest.mark.xdist_group("bad network")  # they share a control plane

AT_ONCE = 8  # instances that the operator reconciles
PIPE_BYTES = 8192  # two pages: with one, each line would have to be read before the next


class PipedOperator(Operator):
    """Logs to a small pipe, which is read while `is_read`, whenever the log is looked at."""

    is_read = True

    def launch(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with open(writer, "wb") as stderr:
            super().launch(stderr)

    def said(self, message: str) -> dict[str, Any] | None:
        while self.is_read:
            try:
                piece = os.read(self._reader, PIPE_BYTES)
            except BlockingIOError:
                break
            if not piece:
                break
            with self.log.open("ab") as log:
                log.write(piece)
        return super().said(message)

    def close_log(self) -> None:
        self.is_read = False
        os.close(self._reader)


@pytest.fixture
def start(
    plane: ControlPlane, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> Iterator[Start]:
    """Starts an operator that may send to the emulator and to `hosts`; with a `resolver`, that is
    its only name server."""
    operators: list[Operator] = []

    def begin(*hosts: str, resolver: str = "", kind: type[Operator] = Operator) -> Operator:
        allowed = ",".join((emulator.host, *hosts))
        operator = kind(operator_bin, plane, tmp_path / "log", "--allowed-hosts", allowed)
        operators.append(operator)
        if resolver:
            conf = tmp_path / "resolv.conf"
            conf.write_text(f"nameserver {resolver}\n")
            script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
            isolated = ["unshare", "--mount", "--", "sh", "-c", script, str(conf)]
            operator._arguments = isolated + operator._arguments
        operator.start()
        return operator

    yield begin
    for operator in operators:
        operator.close()


def disturb(tenant: Tenant, urls: list[str]) -> Tenant:
    """One instance for each URL, in a namespace of another tenant, which is returned."""
    other = Tenant(tenant.plane, tenant.emulator, tenant.operator)
    instances = [
        {
            "apiVersion": "omniconnection.io/v1alpha1",
            "kind": "OmniInstance",
            "metadata": {"name": f"bad-{number}", "namespace": other.ns},
            "spec": {"baseURL": url, "apiTokenSecretRef": {"name": "omni-token"}},
        }
        for number, url in enumerate(urls)
    ]
    tenant.plane.apply({"apiVersion": "v1", "kind": "List", "items": instances})
    return other


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a mount namespace and port 53")
def test_names_that_never_resolve(
    plane: ControlPlane, emulator: Emulator, start: Start, figures: Figures
) -> None:
    with NameServer() as resolver:
        tenant = Tenant(plane, emulator, start("*.silent", resolver=resolver.address))
        urls = [f"https://omni-{number}.silent" for number in range(20)]
        check_harm(
            figures, "20 hosts whose names never resolve", tenant,
            lambda: disturb(tenant, urls), lambda: len(resolver.asked) >= AT_ONCE,
        )  # fmt: skip


@pytest.mark.long
def test_peers_that_accept_and_never_answer(
    plane: ControlPlane, emulator: Emulator, start: Start, figures: Figures
) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(100)]
        hosts = [f"127.0.0.1:{peer.getsockname()[1]}" for peer in peers]
        tenant = Tenant(plane, emulator, start(*hosts))

        def reached() -> int:
            """How many of them have a connection, whose TLS begins."""
            return len(select.select(peers, [], [], 0)[0])

        urls = [f"https://{host}" for host in hosts]
        check_harm(
            figures, "100 hosts that accept and never answer", tenant,
            lambda: disturb(tenant, urls), lambda: reached() >= AT_ONCE,
        )  # fmt: skip


def test_idle_connections_that_the_peer_closes(
    plane: ControlPlane, emulator: Emulator, start: Start
) -> None:
    between = FaultProxy(("127.0.0.1", int(emulator.host.rpartition(":")[2])), seed=1)
    between.start()
    try:
        tenant = Tenant(plane, emulator, start(between.host))
        tenant.instance("omni", baseURL=f"https://{between.host}")
        synced_connection(tenant, "sales")
        assert between.links
        between.rage(Faults(a_minute={"finish": 60_000}))
        # Each goes once the operator has closed it too.
        wait_until(lambda: not between.links, 5, "no connection is half closed")
        assert tenant.operator.stop() == 0
    finally:
        between.close()


def test_a_log_that_nobody_reads(plane: ControlPlane, emulator: Emulator, start: Start) -> None:
    operator = start(kind=PipedOperator)
    assert isinstance(operator, PipedOperator)
    tenant = Tenant(plane, emulator, operator)
    connection = synced_connection(tenant, "sales")
    operator.is_read = False
    disturb(tenant, [f"https://forbidden-{number}.example" for number in range(50)])  # 50 lines
    slowest_rotation(tenant, "sales", connection)

    operator.is_read = True
    dropped = "log lines were dropped: nobody read standard error"
    operator.said(dropped)  # makes room
    disturb(tenant, ["https://forbidden.example"])
    line = wait_until(lambda: operator.said(dropped), 10, "how many lines were dropped")
    assert int(line["lines"]) > 0

    operator.close_log()
    later = synced_connection(tenant, "later")
    slowest_rotation(tenant, "later", later)
    assert operator.stop() == 0
    lease = plane.get("lease", "omni-connection-operator", OPERATOR_NAMESPACE)
    assert not lease["spec"].get("holderIdentity")
