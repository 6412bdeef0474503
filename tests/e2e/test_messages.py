"""What the operator says when something around it is wrong: first what, then what to do."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from installation import operator_kubeconfig
from tenant import Operator, Tenant
from test_process import complaint, run
from test_push import openssl

Launch = Callable[..., Operator]

SERVE_NOTHING = ("--metrics-bind-address", "0", "--health-bind-address", "0")
SECONDS = 20  # for a line of the log


@pytest.fixture
def launch(control_plane: ControlPlane, operator_bin: Path, tmp_path: Path) -> Iterator[Launch]:
    """Starts an operator, and waits for nothing."""
    operators: list[Operator] = []

    def begin(*flags: str, kubeconfig: Path | None = None) -> Operator:
        log = tmp_path / f"log-{len(operators)}"
        flags = ("--leader-elect=false", *flags)
        operators.append(Operator(operator_bin, control_plane, log, *flags, kubeconfig=kubeconfig))
        operators[-1].launch()
        return operators[-1]

    yield begin
    for operator in operators:
        operator.close()


def is_ready(operator: Operator) -> bool:
    return operator.get(operator.health, "/readyz")[0] == 200


# --- the start -------------------------------------------------------------------------------

# By name: what differs in the cluster and in the user of a good kubeconfig (None: it is taken out),
# and what is said.
REFUSED_STARTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "another host": (
        {"tls-server-name": "elsewhere.example"},
        {},
        [
            "the certificate of 127.0.0.1 is not trusted: it is for",
            "not for elsewhere.example: correct the kubeconfig's tls-server-name",
        ],
    ),
    "an unknown CA": (
        {"certificate-authority-data": None},
        {},
        ["cannot be trusted", '"test-control-plane-ca" is unknown', "certificate-authority-data"],
    ),
    "a token that is not accepted": (
        {},
        {"token": "of-another-cluster"},
        ["does not accept the operator's token (401", "put a valid one into the kubeconfig"],
    ),
}


@pytest.mark.parametrize("case", REFUSED_STARTS)
def test_a_start_that_is_refused_says_why(
    control_plane: ControlPlane, operator_bin: Path, tmp_path: Path, case: str
) -> None:
    cluster, user, says = REFUSED_STARTS[case]
    config = json.loads(operator_kubeconfig(control_plane).read_text())
    for entry, changes in (
        (config["clusters"][0]["cluster"], cluster),
        (config["users"][0]["user"], user),
    ):
        entry.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del entry[name]
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    done = run(operator_bin, "--kubeconfig", str(path), *SERVE_NOTHING)
    assert done.returncode == 1
    line = complaint(done.stderr)
    assert all(part in line for part in says), line
    assert "of-another-cluster" not in done.stderr and "forbidden" not in done.stderr


STATUS = json.dumps({"kind": "Status", "message": "not now, says the stub"})


@pytest.fixture
def stub() -> Iterator[tuple[Callable[..., None], str]]:
    """A server that answers everything alike, which the first chooses."""
    answer: list[Any] = [503, STATUS]

    def choose(status: int, body: str = STATUS) -> None:
        answer[:] = [status, body]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, text = answer
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield choose, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def kubeconfig_for(folder: Path, server: str) -> Path:
    path = folder / "config"
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
    }
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_answer_is_no_silence(
    stub: tuple[Callable[..., None], str], launch: Launch, tmp_path: Path, status: int
) -> None:
    choose, server = stub
    choose(status)
    operator = launch(kubeconfig=kubeconfig_for(tmp_path, server))
    said = "the API server answered with an error; the operator goes on"
    line = wait_until(lambda: operator.said(said), SECONDS, "it says what was answered")
    assert line["status"] == str(status) and "not now, says the stub" in line["error"]
    wait_until(lambda: operator.said("watch interrupted") or operator.said(
        "waiting for the CRDs to be installed"), SECONDS, "it goes on")
    assert "does not answer" not in operator.log.read_text()
    assert operator.stop() == 0


@pytest.mark.parametrize("status", [302, 403, 404, 503])
def test_what_answers_as_no_api_server_does_is_told_once(
    stub: tuple[Callable[..., None], str], launch: Launch, tmp_path: Path, status: int
) -> None:
    choose, server = stub
    choose(status, "<html>a portal</html>")
    operator = launch(kubeconfig=kubeconfig_for(tmp_path, server))
    line = wait_until(
        lambda: operator.said("the API server answered with an error; the operator goes on"),
        SECONDS, "it says what was answered")
    assert "check the server's address" in line["error"], line
    wait_until(lambda: operator.counted("rest_client_requests_total", "WATCH") >= 6, SECONDS, "it tries again")
    text = operator.log.read_text()
    assert "service account" not in text
    assert text.count('"watch interrupted"') + text.count('"waiting for the CRDs') <= 2, text
    assert operator.stop() == 0


# --- namespaces ------------------------------------------------------------------------------


def test_a_namespace_that_does_not_exist_is_told(launch: Launch, namespace: str) -> None:
    absent = f"{namespace}-absent"
    operator = launch("--namespace", namespace, "--namespace", absent)
    said = "a namespace given with --namespace does not exist"
    line = wait_until(lambda: operator.said(said), SECONDS, "it says so")
    assert line["namespace"] == absent and f"kubectl create namespace {absent}" in line["advice"]
    wait_until(lambda: is_ready(operator), SECONDS, "it goes on")
    assert operator.log.read_text().count(said) == 1
    assert operator.stop() == 0


def test_an_operator_namespace_that_does_not_exist_is_told(
    control_plane: ControlPlane, launch: Launch, namespace: str
) -> None:
    absent = f"{namespace}-ops"
    flags = ("--namespace", namespace, "--operator-namespace", absent)
    create = f"does not exist: create it (kubectl create namespace {absent})"
    with_few_rights = launch(*flags)  # to whom it is forbidden to create anything there
    operator = launch(*flags, kubeconfig=control_plane.kubeconfig)
    for each in (with_few_rights, operator):
        line = wait_until(lambda: each.said("waiting for the digest key"), SECONDS, "it says so")
        assert create in line["error"] and "--operator-namespace" in line["error"]
        assert "forbidden" not in line["error"]
        assert create in each.get(each.health, "/readyz")[1]
    control_plane.kubectl("create", "namespace", absent)
    wait_until(lambda: is_ready(operator), SECONDS, "it goes on")
    assert operator.stop() == 0 and with_few_rights.stop() == 0


# --- objects ---------------------------------------------------------------------------------


def test_an_instance_says_what_to_change(tenant: Tenant) -> None:
    host = tenant.emulator.host
    cases = {
        "plain": ({"baseURL": f"http://{host}"}, "HostNotAllowed", "begins with http://", "https://"),
        "elsewhere": ({"baseURL": "https://omni.example.com"}, "HostNotAllowed", host,
                      "have omni.example.com added"),
        "port": ({"baseURL": f"https://{host.partition(':')[0]}"}, "HostNotAllowed",
                 "port 443 of host 127.0.0.1", host),
        "untrusted": ({"caBundleSecretRef": None}, "TLSVerificationFailed", "it is self-signed",
                      "add it to spec.caBundleSecretRef"),
    }  # fmt: skip
    for name, (spec, *_) in cases.items():
        tenant.instance(name, **spec)
    for name, (_, reason, *says) in cases.items():
        message = tenant.wait_reason(name, reason, "oinst")["Ready"]["message"]
        assert all(part in message for part in says), message


def test_an_address_in_place_of_a_name_is_named(tenant: Tenant) -> None:
    name = "https://acme.omniapp.co/connections/8e2f"
    tenant.connection("sales", "", connectionName=name, baseRole="VIEWER")
    tenant.wait_reason("sales", "ConnectionNotFound")
    says = tenant.conditions("sales")["Ready"]["message"]
    assert "not its address" in says and "spec.connectionID" in says, says


def test_what_is_stored_in_place_of_a_credential_is_named(tenant: Tenant) -> None:
    pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    lines = pem.strip().splitlines()[1:-1]
    jwk = json.dumps({"kty": "RSA", "n": lines[0], "d": lines[1]})
    account = json.dumps({"type": "service_account", "private_key": pem})
    key, file = ("snowflakePrivateKey", "tls.key"), ("bigQueryServiceAccount", "service-account.json")
    cases = {
        "bare": (key, "\n".join(lines), "base64 -d FILE | openssl pkey -inform der"),
        "jwk": (key, jwk, "is a JWK"),
        "path": (key, "/run/secrets/the-key-of-snowflake.p8", "is the path of a file"),
        "encoded": (file, base64.b64encode(account.encode()).decode(), "was encoded twice"),
        "pem": (file, pem, "a key or certificate alone, not JSON"),
        "where": (file, "/run/secrets/of-big-query.json", "is the path of a file"),
    }
    dialects = {"snowflakePrivateKey": "snowflake", "bigQueryServiceAccount": "bigquery"}
    for name, ((kind, field), value, _) in cases.items():
        tenant.secret(name, **{field: value})
        connection = tenant.emulator.new_connection(dialects[kind])
        tenant.connection(name, connection, credentials={kind: {"secretRef": {"name": name}}})
    for name, (_, _, says) in cases.items():
        message = tenant.wait_reason(name, "InvalidCredential")["Ready"]["message"]
        assert says in message, message
