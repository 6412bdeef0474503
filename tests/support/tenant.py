"""What an end-to-end test works with: the emulator and the operator as processes, and a Tenant, a
namespace with an OmniInstance that reaches the emulator over TLS."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import urllib.request
import uuid
from pathlib import Path
from typing import IO, Any, Callable, Iterator, Literal, Sequence

from control_plane import ControlPlane, die_with_parent, wait_until
from installation import operator_kubeconfig

GROUP = "omniconnection.io/v1alpha1"
LEASE_LOST = "the Lease is lost: beginning again, as a standby"
EMULATOR_NAME = "omni.invalid"  # its certificate has it; no look-up finds it
TOKEN = "omni_osk_end_to_end_token"
AFTER_CRASH_SECONDS = 150  # a Lease runs out, then twice a minute
SETTLE_SECONDS = 20  # for a condition that follows at once, on a busy machine


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and EMULATOR_NAME, and its key."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=omni-emulator"]
        + ["-addext", f"subjectAltName=IP:127.0.0.1,DNS:{EMULATOR_NAME}"],
        check=True,
        capture_output=True,
    )
    return certificate, key


def _start(arguments: list[str], **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        text=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        **streams,
    )


class Emulator:
    """omni-emulator over TLS on a port of the kernel's choice, and its admin interface."""

    def __init__(
        self, binary: Path, directory: Path, connections: Sequence[dict[str, Any]] = ()
    ) -> None:
        directory.mkdir(exist_ok=True)
        certificate, key = make_certificate(directory)
        seed = directory / "connections.yaml"
        seed.write_text(json.dumps(list(connections)))  # JSON is YAML
        self.ca = certificate.read_text()
        self._process = _start(
            [str(binary), "--listen", "127.0.0.1:0", "--connections", str(seed)]
            + ["--token", TOKEN, "--requests-per-minute", "60000"]
            + ["--tls-cert", str(certificate), "--tls-key", str(key)],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        self.host = self.url.removeprefix("https://")
        self._context = ssl.create_default_context(cadata=self.ca)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, context=self._context, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def new_connection(self, dialect: str = "postgres", **fields: Any) -> str:
        """Adds a connection and returns its id."""
        connection_id = str(uuid.uuid4())
        fields.setdefault("name", f"{dialect} {connection_id[:8]}")
        self.admin("PUT", f"connections/{connection_id}", {"dialect": dialect, **fields})
        return connection_id

    def requests(self, since: int = 1) -> list[dict[str, Any]]:
        return self.admin("GET", f"requests?since={since}")["requests"]

    def patches(self, connection_id: str) -> list[dict[str, Any]]:
        return [
            r
            for r in self.requests()
            if r["method"] == "PATCH" and r["connectionID"] == connection_id
        ]

    def bodies(self, connection_id: str) -> list[Any]:
        return [r["body"] for r in self.patches(connection_id)]

    def fault(self, connection_id: str, action: str, **fields: Any) -> None:
        """Injects a fault into the PATCHes of one connection."""
        match = {"method": "PATCH", "connectionID": connection_id}
        self.admin("POST", "faults", {**match, "action": action, **fields})

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Operator:
    """The release binary as a process; by default with the rights that it has in a cluster."""

    def __init__(
        self,
        binary: Path,
        plane: ControlPlane,
        log: Path,
        *flags: str,
        kubeconfig: Path | Literal["in-cluster"] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.log = log
        self._environment = environment  # None: that of the tests
        self._arguments = [str(binary)]
        if kubeconfig != "in-cluster":  # where it has what a pod has
            self._arguments += ["--kubeconfig", str(kubeconfig or operator_kubeconfig(plane))]
        self._arguments += ["--metrics-bind-address", "127.0.0.1:0"]
        self._arguments += ["--health-bind-address", "127.0.0.1:0", *flags]
        self._process: subprocess.Popen[str] | None = None
        self.starts = 0
        # It takes over from one that died: what it sends in its first minute it sends once more a
        # minute later, and until then nothing of that is Synced.
        self.distrusts_statuses = False

    def launch(self, stderr: IO[Any] | None = None) -> None:
        """Starts it and does not wait for anything. Its standard error is the log, unless given."""
        before = len(self.log.read_text()) if self.log.exists() else 0
        self._read_from = before
        with self.log.open("a") as log:
            self._process = _start(self._arguments, stderr=stderr or log, env=self._environment)
        self.starts += 1

    def start(self) -> None:
        self.launch()
        wait_until(lambda: self.get(self.health, "/readyz")[0] == 200, 40, "the operator is ready")

    def stop(self, stop_signal: int = signal.SIGTERM) -> int:
        """The exit code; within the ten seconds that it promises."""
        assert self._process is not None
        self.distrusts_statuses |= stop_signal == signal.SIGKILL
        self._send(self._process, stop_signal)
        code = self._process.wait(10)
        self._process = None
        return code

    def _send(self, process: subprocess.Popen[str], number: int) -> None:
        process.send_signal(number)

    def restart(self, stop_signal: int = signal.SIGTERM) -> None:
        self.stop(stop_signal)
        self.start()

    def note_lost_lease(self) -> None:
        """A leader that can't renew its Lease, since the API server takes long to start, begins again
        and leads as after a crash."""
        self.distrusts_statuses |= self.said(LEASE_LOST) is not None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def said(self, message: str) -> dict[str, Any] | None:
        """The first line of its log with this message since it was started last."""
        lines = self.log.read_text()[self._read_from :].splitlines(keepends=True)
        found = (json.loads(l) for l in lines if f'"msg":"{message}"' in l and l[-1] == "\n")
        return next(found, None)

    def leads(self) -> bool:
        """By its log: it has begun to lead, and not lost the Lease since."""
        log = self.log.read_text()[self._read_from :]
        began = log.rfind('"msg":"leading"')
        return began >= 0 and began > log.rfind(f'"msg":"{LEASE_LOST}"')

    def get(self, address: str, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def scrape(self) -> str:
        return self.get(self.metrics, "/metrics")[1]

    def counted(self, metric: str, label: str = "") -> float:
        """The sum of the metric's series, or of those with a label such as `method="WATCH"`."""
        lines = [l for l in self.scrape().splitlines() if l.startswith(f"{metric}{{") and label in l]
        return sum(float(line.split()[-1]) for line in lines)

    def reconciles(self) -> float:
        """How often any object was looked at since the start."""
        return self.counted("workqueue_adds_total")

    def limits(self) -> dict[str, list[str]]:
        """Of its process: soft and hard."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/limits").read_text().splitlines()
        return {l[:25].strip(): l[25:].split()[:2] for l in lines}

    def memory_mib(self) -> tuple[float, float]:
        """Resident, now and at the most since the start."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        now, most = (
            next(int(l.split()[1]) for l in status.splitlines() if l.startswith(f"{name}:")) / 1024
            for name in ("VmRSS", "VmHWM")
        )
        return now, most

    @property
    def metrics(self) -> str:
        return self._address("serving metrics")

    @property
    def health(self) -> str:
        return self._address("serving health")

    def _address(self, message: str) -> str:
        def find() -> str | None:
            if self.ended():
                raise RuntimeError(f"the operator ended: {self.log.read_text()[-2000:]}")
            line = self.said(message)
            return line["address"] if line else None

        return wait_until(find, 30, f"the log line {message!r}")  # type: ignore[return-value]


def launch_to_fail(binary: Path, kubeconfig: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """For a fixture: an operator that will give up, with what it says of it on stderr."""
    process = _start(
        [str(binary), "--kubeconfig", str(kubeconfig), "--metrics-bind-address", "127.0.0.1:0"]
        + ["--health-bind-address", "127.0.0.1:0", *flags],
        stderr=subprocess.PIPE,
    )
    yield process
    process.kill()
    process.wait()


class Tenant:
    """A fresh namespace with the OmniInstance `omni`. Remembers every credential it hands out, so
    that leaked() can look for them."""

    def __init__(
        self, plane: ControlPlane, emulator: Emulator, operator: Operator, ns: str | None = None
    ) -> None:
        self.plane, self.emulator, self.operator = plane, emulator, operator
        self.ns = ns or plane.create_namespace()
        self.credentials: list[str] = [TOKEN]
        self.secret("omni-token", token=TOKEN)
        self.secret("omni-ca", **{"ca.crt": emulator.ca})
        self.instance("omni")

    def secret(self, name: str, ns: str | None = None, *, note: str = "", **values: str) -> None:
        """Applies a Secret; `note` becomes its omniconnection.io/rotation-id."""
        self.credentials += [v for k, v in values.items() if k != "ca.crt" and len(v) >= 8]
        annotations = {"omniconnection.io/rotation-id": note} if note else {}
        self.plane.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": ns or self.ns, "annotations": annotations},
                "stringData": values,
            }
        )

    def instance(self, name: str, emulator: Emulator | None = None, **spec: Any) -> None:
        defaults = {
            "baseURL": (emulator or self.emulator).url,
            "apiTokenSecretRef": {"name": "omni-token"},
            "caBundleSecretRef": {"name": "omni-ca"},
            "rateLimit": {"requestsPerMinute": 60000},
        }
        spec = {k: v for k, v in {**defaults, **spec}.items() if v is not None}
        self.apply("OmniInstance", name, spec)

    def connection(self, name: str, connection_id: str, ns: str | None = None, **spec: Any) -> None:
        spec.setdefault("instanceRef", {"name": "omni"})
        if connection_id:
            spec["connectionID"] = connection_id
        self.apply("OmniConnection", name, spec, ns)

    def in_step(self, name: str, value: str) -> str:
        """A connection whose password is that of the Secret `db`, once Omni has it; its id."""
        connection_id = self.emulator.new_connection("postgres")
        self.secret("db", password=value)
        reference = {"secretRef": {"name": "db"}}
        self.connection(name, connection_id, credentials={"password": reference})
        self.wait_reason(name, "Synced")
        return connection_id

    def apply(self, kind: str, name: str, spec: dict[str, Any], ns: str | None = None) -> None:
        metadata = {"name": name, "namespace": ns or self.ns}
        self.plane.apply(
            {"apiVersion": GROUP, "kind": kind, "metadata": metadata, "spec": spec}
        )

    def kubectl(self, *arguments: str) -> str:
        return self.plane.kubectl("-n", self.ns, *arguments).stdout

    def status(self, name: str, kind: str = "oconn", ns: str | None = None) -> dict[str, Any]:
        return self.plane.get(kind, name, ns or self.ns).get("status", {})

    def conditions(self, name: str, kind: str = "oconn", ns: str | None = None) -> dict[str, Any]:
        found = self.status(name, kind, ns).get("conditions", [])
        return {c["type"]: c for c in found}

    def wait_reason(
        self, name: str, reason: str, kind: str = "oconn", ns: str | None = None
    ) -> dict[str, Any]:
        """Waits for the reason of Ready; yields all conditions by type."""
        last: dict[str, Any] = {}

        def reached() -> bool:
            last.clear()
            last.update(self.conditions(name, kind, ns))
            return last.get("Ready", {}).get("reason") == reason

        try:
            wait_until(reached, SETTLE_SECONDS, f"{kind}/{name} is {reason}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it has {json.dumps(last, indent=1)}") from None
        return last

    def wait_patches(self, connection_id: str, count: int) -> list[Any]:
        """Waits until Omni has seen `count` PATCHes; yields their bodies."""
        wait_until(
            lambda: len(self.emulator.patches(connection_id)) >= count,
            SETTLE_SECONDS,
            f"PATCH number {count}",
        )
        return self.emulator.bodies(connection_id)

    def synced_marker(self) -> None:
        """Makes a change and waits until it is in Omni: what was to happen before, has."""
        connection_id = self.emulator.new_connection()
        name = f"marker-{connection_id[:8]}"
        self.connection(name, connection_id, baseRole="VIEWER")
        self.wait_reason(name, "Synced")

    def let_operator_settle(self) -> None:
        """Until the operator's first minute after a crash is over: a change is Synced only then."""
        if not self.operator.distrusts_statuses:
            return
        self.connection("settles", self.emulator.new_connection(), baseRole="VIEWER")
        wait_until(
            lambda: self.conditions("settles").get("Ready", {}).get("reason") == "Synced",
            AFTER_CRASH_SECONDS,
            "the operator is over the crash before",
        )
        self.kubectl("delete", "oconn", "settles")
        self.operator.distrusts_statuses = False

    def eventually(self, condition: Callable[[], Any], what: str) -> Any:
        return wait_until(condition, SETTLE_SECONDS, what)

    def event_reasons(self, name: str) -> set[str]:
        events = json.loads(self.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
        return {e["reason"] for e in events if e["regarding"]["name"] == name}

    def leaked(self) -> list[str]:
        """Where a credential of this tenant can be read but should not."""
        places = {
            "log": self.operator.log.read_text(),
            "metrics": self.operator.scrape(),
            "events": self.kubectl("get", "events.events.k8s.io", "-o", "json"),
            "objects": self.kubectl("get", "omni", "-o", "json"),
        }
        found = []
        for value in self.credentials:
            # Of a key or a file, the lines that hold its substance.
            lines = [line for line in re.split(r"[\n\"]", value) if len(line) >= 8]
            pieces = [line for line in lines if len(lines) == 1 or len(line) >= 40]
            for place, text in places.items():
                found += [f"{place}: {piece[:6]}..." for piece in pieces if piece in text]
        return found
