"""A real Kubernetes control plane (etcd and kube-apiserver) on loopback, for tests and the demo.

No controller manager runs: nothing is garbage-collected and no namespace is ever emptied, so each
test takes a fresh namespace. As a program:

    python3 control_plane.py --dir DIR

prints one line of JSON (kubeconfig, server, directory, pids) once the server is ready, stays until
SIGTERM, SIGINT or the death of its parent, and removes DIR.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, TypeVar

BUILD_SCRIPT = Path(__file__).resolve().parents[1] / "control-plane" / "build.sh"
MARKER = ".omni-control-plane"
READY_SECONDS = 60
STOP_SECONDS = 10
KUBECTL_SECONDS = 60

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class ControlPlaneError(RuntimeError):
    """The control plane does not start, or kubectl failed; the message has what it said."""


def wait_until(
    condition: Callable[[], T], deadline_seconds: float, what: str, *, every_seconds: float = 0.05
) -> T:
    """Polls until the condition's result is truthy and returns it; TimeoutError names `what`.

    The only place with a pause: everything that waits in the tests goes through here.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not within {deadline_seconds:g} s: {what}")
        time.sleep(every_seconds)


def find_binaries() -> Path:
    """Directory of etcd, kube-apiserver and kubectl: $CONTROL_PLANE_BIN, or what build.sh finds."""
    given = os.environ.get("CONTROL_PLANE_BIN")
    if given:
        return Path(given)
    built = subprocess.run([str(BUILD_SCRIPT)], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise ControlPlaneError(f"{BUILD_SCRIPT} failed with {built.returncode}; see its messages")
    return Path(built.stdout.splitlines()[-1])


def die_with_parent(death_signal: int) -> None:
    """Asks the kernel for `death_signal` when the parent (the thread that forked) ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)


def _reserve_port() -> socket.socket:
    """A port that stays ours: bound with SO_REUSEADDR and never listened on.

    Servers that set SO_REUSEADDR too (Go's do) can listen on it, the kernel hands it to nobody
    else, and while the server is down a connection is refused, never made to the client itself.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class ControlPlane:
    """etcd and kube-apiserver as child processes. Use as a context manager, or start() / close().

    Start it on a thread that outlives it: the children die with the thread that forked them.
    """

    def __init__(
        self,
        binaries: Path | None = None,
        directory: Path | None = None,
        apiserver_flags: Sequence[str] = (),
    ) -> None:
        self.binaries = Path(binaries) if binaries else find_binaries()
        self.directory = self._prepare_directory(directory)
        self.kubeconfig = self.directory / "admin.kubeconfig"
        self.ca_file = self.directory / "ca.crt"
        self._apiserver_flags = tuple(apiserver_flags)
        self._admin_token = secrets.token_hex(16)
        self._held_ports: list[socket.socket] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._counter = itertools.count(1)
        self.port = 0

    # Life cycle

    def __enter__(self) -> ControlPlane:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        for program in ("etcd", "kube-apiserver", "kubectl"):
            if not os.access(self.binaries / program, os.X_OK):
                raise ControlPlaneError(f"{self.binaries} holds no executable {program}")
        self.port, self._etcd_port, self._etcd_peer_port = (self._take_port() for _ in range(3))
        self._write_service_account_key()
        self._write_certificates()
        self._write_private(
            self.directory / "tokens.csv", f'{self._admin_token},admin,admin,"system:masters"\n'
        )
        self._write_kubeconfig(self.kubeconfig, "admin", self._admin_token)
        self._start_etcd()
        self.start_apiserver()

    def start_apiserver(self) -> None:
        """Starts the server on the port it always had, and waits until it is ready."""
        at = self.directory
        self._spawn(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            # The reconciler refuses loopback addresses as endpoints of the service `kubernetes`.
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            f"--token-auth-file={at / 'tokens.csv'}",
            f"--tls-cert-file={at / 'apiserver.crt'}",
            f"--tls-private-key-file={at / 'apiserver.key'}",
            f"--cert-dir={at / 'certificates'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at / 'service-account.pub'}",
            f"--service-account-signing-key-file={at / 'service-account.key'}",
            # Nothing creates the default service accounts that this plug-in would ask for.
            "--disable-admission-plugins=ServiceAccount",
            "--watch-cache=true",
            "--profiling=false",
            *self._apiserver_flags,
        )
        self._wait_ready("kube-apiserver", self._apiserver_is_ready)

    def stop_apiserver(self, *, stop_signal: int = signal.SIGKILL) -> None:
        """Stops the server and leaves etcd running. Connections are then refused.

        At once by default; with SIGTERM the server drains watches first, for up to 10 s.
        """
        self._stop("kube-apiserver", stop_signal)

    def forget_history(self) -> None:
        """Compacts etcd and starts the server again: what was before is too old to go on from."""
        self.stop_apiserver()
        self.compact()
        self.start_apiserver()

    def renew_certificates(self) -> None:
        """A new CA, and a certificate of it for the server's next start."""
        self._write_certificates()
        self._write_kubeconfig(self.kubeconfig, "admin", self._admin_token)

    def compact(self) -> None:
        """Has etcd forget all that is not current: watches from an earlier version are `expired`."""
        everything = {"key": "AA==", "range_end": "AA==", "count_only": True}
        revision = self._etcd("kv/range", everything)["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})

    def close(self) -> None:
        """Stops everything and removes the directory. May be called more than once."""
        for name in ("kube-apiserver", "etcd"):
            # Nothing here is worth an orderly shutdown, which takes seconds while watches are open.
            self._stop(name, signal.SIGKILL)
        for held in self._held_ports:
            held.close()
        self._held_ports.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Use

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # pylint: disable=redefined-builtin
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as the administrator (or with `kubeconfig`); its output is text."""
        done = subprocess.run(
            [str(self.binaries / "kubectl"), *args],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(self.directory),
                "KUBECONFIG": str(kubeconfig or self.kubeconfig),
                "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
            },
        )
        if check and done.returncode != 0:
            raise ControlPlaneError(
                f"kubectl {' '.join(args)} exited with {done.returncode}:\n"
                f"{done.stderr.strip()}\n{done.stdout.strip()}"
            )
        return done

    def apply(
        self, manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl apply of one manifest or a list of them, as a user would do it."""
        if not isinstance(manifests, Mapping):
            manifests = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return self.kubectl("apply", "-f", "-", input=json.dumps(manifests), check=check)

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """The object as the server has it; ControlPlaneError if there is none."""
        scope = [f"--namespace={namespace}"] if namespace else []
        return json.loads(self.kubectl("get", kind, name, *scope, "--output=json").stdout)

    def create_namespace(self, prefix: str = "test") -> str:
        """A new namespace; its name is unique within this control plane."""
        name = f"{prefix}-{next(self._counter)}-{secrets.token_hex(2)}"
        self.kubectl("create", "namespace", name)
        return name

    def kubeconfig_for(self, namespace: str, name: str, *, duration: str = "1h") -> Path:
        """A kubeconfig with a token of an existing service account (duration 10m or longer)."""
        token = self.kubectl(
            "create", "token", name, f"--namespace={namespace}", f"--duration={duration}"
        ).stdout.strip()
        path = self.directory / f"{namespace}.{name}.{next(self._counter)}.kubeconfig"
        self._write_kubeconfig(path, f"{namespace}:{name}", token, namespace)
        return path

    def kubeconfig_through(self, host: str, kubeconfig: Path) -> Path:
        """Another kubeconfig with another address of the server, `127.0.0.1:PORT`."""
        path = self.directory / f"through-{host.replace(':', '-')}.kubeconfig"
        config = json.loads(kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://{host}"
        self._write_private(path, json.dumps(config, indent=2) + "\n")
        return path

    def log_tail(self, name: str, lines: int = 20) -> str:
        """The last lines that `etcd` or `kube-apiserver` logged."""
        try:
            text = (self.directory / f"{name}.log").read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    # Inside

    @staticmethod
    def _prepare_directory(directory: Path | None) -> Path:
        if directory is None:
            path = Path(tempfile.mkdtemp(prefix="omni-control-plane-"))
        else:
            path = Path(directory).resolve()
            # Removed at the end, so it must be ours: new, empty, or left by a run that was killed.
            if path.exists():
                if any(path.iterdir()) and not (path / MARKER).exists():
                    raise ControlPlaneError(f"{path} is not empty; give a directory of its own")
                shutil.rmtree(path)
            path.mkdir(parents=True, mode=0o700)
        (path / MARKER).touch()
        return path

    def _take_port(self) -> int:
        held = _reserve_port()
        self._held_ports.append(held)
        return held.getsockname()[1]

    def _spawn(self, name: str, *flags: str) -> None:
        running = self._processes.get(name)
        if running and running.poll() is None:
            raise ControlPlaneError(f"{name} is running already")
        parent = os.getpid()

        def before_exec() -> None:
            die_with_parent(signal.SIGKILL)
            if os.getppid() != parent:  # it ended before the kernel was asked
                os._exit(1)

        with open(self.directory / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(self.binaries / name), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                # Ctrl-C in a terminal is for the parent, which then stops the children in order.
                start_new_session=True,
                preexec_fn=before_exec,
            )

    def _stop(self, name: str, stop_signal: int) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.send_signal(stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start_etcd(self) -> None:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._etcd_peer_port}"
        self._spawn(
            "etcd",
            "--name=default",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        self._wait_ready("etcd", lambda: self._answers(f"{client}/health", {}, None))

    def _etcd(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Etcd's JSON gateway."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._etcd_port}/v3/{path}", data=json.dumps(body).encode()
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def _wait_ready(self, name: str, is_ready: Callable[[], bool]) -> None:
        process = self._processes[name]

        def ready() -> bool:
            if process.poll() is not None:
                raise ControlPlaneError(
                    f"{name} exited with {process.returncode}:\n{self.log_tail(name)}"
                )
            return is_ready()

        try:
            wait_until(ready, READY_SECONDS, f"{name} ready")
        except TimeoutError as error:
            raise ControlPlaneError(f"{error}\n{self.log_tail(name)}") from None

    def _apiserver_is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        headers = {"Authorization": f"Bearer {self._admin_token}"}
        return self._answers(f"{self.server}/readyz", headers, context)

    @staticmethod
    def _open(request: urllib.request.Request, context: ssl.SSLContext | None = None) -> Any:
        # Never through a proxy of the environment: it is loopback.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        return urllib.request.build_opener(*handlers).open(request, timeout=5)

    def _answers(self, url: str, headers: dict[str, str], context: ssl.SSLContext | None) -> bool:
        try:
            with self._open(urllib.request.Request(url, headers=headers), context) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _openssl(self, *args: str) -> None:
        try:
            subprocess.run(
                ["openssl", *args],
                cwd=self.directory,
                check=True,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise ControlPlaneError("needs the openssl command (apt-get install openssl)") from None
        except subprocess.CalledProcessError as error:
            raise ControlPlaneError(f"openssl {args[0]} failed:\n{error.stderr}") from None

    def _write_key(self, name: str) -> None:
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        self._openssl("genpkey", *curve, "-out", name)

    def _write_service_account_key(self) -> None:
        self._write_key("service-account.key")
        self._openssl("pkey", "-in", "service-account.key", "-pubout", "-out", "service-account.pub")

    def _write_certificates(self) -> None:
        for key in ("ca.key", "apiserver.key"):
            self._write_key(key)
        # A CA and a leaf of our own, so that strict TLS clients have a real chain to verify.
        self._openssl("req", "-x509", "-key", "ca.key", "-subj", "/CN=test-control-plane-ca",
                      "-days", "3", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                      "-out", "ca.crt")  # fmt: skip
        self._openssl("req", "-new", "-key", "apiserver.key", "-subj", "/CN=kube-apiserver",
                      "-out", "apiserver.csr")  # fmt: skip
        (self.directory / "apiserver.ext").write_text(
            "subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc\n"
            "basicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth\n"
        )
        self._openssl("x509", "-req", "-in", "apiserver.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", "3", "-extfile", "apiserver.ext",
                      "-out", "apiserver.crt")  # fmt: skip

    def _write_kubeconfig(
        self,
        path: Path,
        user: str,
        token: str,
        namespace: str = "default",
    ) -> None:
        # JSON is YAML, and needs no library.
        authority = base64.b64encode(self.ca_file.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "control-plane",
                    "cluster": {
                        "server": self.server,
                        "certificate-authority-data": authority,
                    },
                }
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {
                    "name": "control-plane",
                    "context": {
                        "cluster": "control-plane",
                        "user": user,
                        "namespace": namespace,
                    },
                }
            ],
            "current-context": "control-plane",
        }
        self._write_private(path, json.dumps(config, indent=2) + "\n")

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs etcd and kube-apiserver on loopback.")
    parser.add_argument("--dir", type=Path, help="directory for all files; removed at the end")
    parser.add_argument("--binaries", type=Path, help="where the programs are (default: build.sh)")
    arguments = parser.parse_args()

    # Raised in the main thread, so that the context manager cleans up wherever it is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    parent = os.getppid()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return 0
    try:
        with ControlPlane(arguments.binaries, arguments.dir) as plane:
            line = {
                "kubeconfig": str(plane.kubeconfig),
                "server": plane.server,
                "directory": str(plane.directory),
                "binaries": str(plane.binaries),
                "pids": {"control-plane": os.getpid(), **plane.pids},
            }
            print(json.dumps(line), flush=True)
            while True:
                signal.pause()
    except ControlPlaneError as error:
        print(f"control_plane.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
