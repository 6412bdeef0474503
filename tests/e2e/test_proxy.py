"""The operator behind an HTTP proxy: whom it asks for a tunnel, and what it says when it gets none.

The proxy alone knows the names of the two servers: no look-up finds them, so what arrives there has
come through it. Loopback addresses are never proxied by HTTPS_PROXY, names are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from connect_proxy import ConnectProxy
from control_plane import ControlPlane
from installation import operator_kubeconfig
from tenant import EMULATOR_NAME, Emulator, Operator, Tenant, launch_to_fail

API_SERVER_NAME = "kubernetes.default.svc"  # its certificate has it
PASSWORD = "proxy-s3cr3t-password"
CREDENTIALS = f"operator:{PASSWORD}"
NAMES = {API_SERVER_NAME: "127.0.0.1", EMULATOR_NAME: "127.0.0.1"}

Start = Callable[..., Tenant]

pytestmark = pytest.mark.xdist_group("proxy")  # they share a control plane


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy(NAMES, CREDENTIALS) as running:
        yield running


@pytest.fixture(scope="module")
def locked_out(
    plane: ControlPlane, operator_bin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[str]]:
    """Has another password in its proxy-url. Gives up after half a minute, beside other tests."""
    with ConnectProxy(NAMES, CREDENTIALS) as running:
        path = tmp_path_factory.mktemp("locked-out") / "config"
        config = kubeconfig(plane, path, running.url("operator:wrong-s3cr3t"))
        yield from launch_to_fail(operator_bin, config, "--leader-elect=false")


def kubeconfig(plane: ControlPlane, path: Path, proxy_url: str = "") -> Path:
    """The operator's, with the server by its name."""
    config = json.loads(operator_kubeconfig(plane).read_text())
    cluster = config["clusters"][0]["cluster"]
    cluster["server"] = f"https://{API_SERVER_NAME}:{plane.port}"
    if proxy_url:
        cluster["proxy-url"] = proxy_url
    path.write_text(json.dumps(config))
    return path


def omni_target(emulator: Emulator) -> str:
    return f"{EMULATOR_NAME}:{emulator.host.rpartition(':')[2]}"


@pytest.fixture
def start(
    plane: ControlPlane, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> Iterator[Start]:
    """Starts an operator, and makes a tenant whose instance has the emulator's name."""
    operators: list[Operator] = []

    def begin(config: Path, **environment: str) -> Tenant:
        hosts = f"{omni_target(emulator)},{emulator.host}"
        flags = ["--allowed-hosts", hosts, "--leader-elect=false"]
        operator = Operator(
            operator_bin,
            plane,
            tmp_path / "log",
            *flags,
            kubeconfig=config,
            environment={"PATH": "/usr/bin:/bin", **environment},
        )
        operators.append(operator)
        operator.start()
        tenant = Tenant(plane, emulator, operator)
        tenant.credentials.append(PASSWORD)
        tenant.instance("omni", baseURL=f"https://{omni_target(emulator)}")
        return tenant

    yield begin
    for operator in operators:
        operator.close()


def rotate(tenant: Tenant) -> None:
    """A password arrives, and so does the next one."""
    connection = tenant.emulator.new_connection("postgres")
    spec: dict[str, Any] = {"password": {"secretRef": {"name": "db"}}}
    tenant.secret("db", password="first-password")
    tenant.connection("sales", connection, credentials=spec)
    tenant.wait_patches(connection, 1)  # where another was before, without a Lease, it has to settle
    tenant.secret("db", password="second-password")
    bodies = tenant.wait_patches(connection, 2)
    assert bodies[-1] == {"passwordUnencrypted": "second-password"}


def message(tenant: Tenant) -> str:
    return tenant.conditions("omni", "oinst")["Ready"]["message"]


@pytest.mark.usefixtures("locked_out")
def test_both_sides_through_proxies(
    start: Start, plane: ControlPlane, proxy: ConnectProxy, emulator: Emulator, tmp_path: Path
) -> None:
    with ConnectProxy(NAMES) as other:  # the kubeconfig's; it wins over the environment's
        config = kubeconfig(plane, tmp_path / "config", other.url())
        tenant = start(config, HTTPS_PROXY=proxy.url())
        rotate(tenant)
        applied = tenant.eventually(lambda: tenant.status("sales").get("applied"), "applied")
        assert applied["target"]["host"] == omni_target(emulator)
        assert set(other.tunnels) == {f"{API_SERVER_NAME}:{plane.port}"}
        assert set(proxy.tunnels) == {omni_target(emulator)}
    assert not tenant.leaked()


@pytest.mark.long
def test_the_environment_alone_and_its_exceptions(
    start: Start, plane: ControlPlane, proxy: ConnectProxy, tmp_path: Path
) -> None:
    config = kubeconfig(plane, tmp_path / "config")
    tenant = start(config, https_proxy=proxy.url(), NO_PROXY=f"10.0.0.0/8, {EMULATOR_NAME}")
    tenant.wait_reason("omni", "OmniUnavailable", "oinst")
    assert f"lookup of {EMULATOR_NAME}" in message(tenant)
    assert set(proxy.tunnels) == {f"{API_SERVER_NAME}:{plane.port}"}


@pytest.mark.long
def test_loopback_goes_directly_and_a_wrong_password_is_told(
    start: Start, plane: ControlPlane, proxy: ConnectProxy
) -> None:
    tenant = start(operator_kubeconfig(plane), HTTPS_PROXY=proxy.url("operator:wrong-s3cr3t"))
    tenant.credentials.append("wrong-s3cr3t")
    tenant.wait_reason("omni", "OmniUnavailable", "oinst")
    assert f"the proxy {proxy.address} rejected the credentials" in message(tenant)
    assert proxy.refused > 0 and not proxy.tunnels
    tenant.instance("omni")  # by its address
    tenant.wait_reason("omni", "Synced", "oinst")
    rotate(tenant)
    assert not proxy.tunnels
    assert not tenant.leaked()


def test_a_proxy_that_cannot_be_used_is_a_start_up_error(
    operator_bin: Path, plane: ControlPlane
) -> None:
    for url, says in (
        (f"https://{CREDENTIALS}@proxy:3128", "use an HTTP proxy, http://host:port"),
        (f"socks5://{CREDENTIALS}@proxy", "use an HTTP proxy, http://host:port"),
        (f"http://{CREDENTIALS}@proxy:x", "no valid port"),
    ):
        done = subprocess.run(
            [str(operator_bin), "--kubeconfig", str(plane.kubeconfig)],
            env={"HTTPS_PROXY": url},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("HTTPS_PROXY ") and says in line
        assert PASSWORD not in line


@pytest.mark.long
def test_a_wrong_password_towards_the_api_server(locked_out: subprocess.Popen[str]) -> None:
    _, said = locked_out.communicate(timeout=60)
    assert locked_out.returncode == 1
    (line,) = (text for text in said.splitlines() if not text.startswith("{"))
    assert "rejected the credentials in its URL (407)" in line
    assert "wrong-s3cr3t" not in said
