"""The demo: a real Kubernetes control plane, something that stands in for Omni, and the operator.

    python3 demo/run.py --bin build/release/bin [--keep]

Everything listens on loopback, and its files are in build/demo. `make demo` builds first.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from control_plane import ControlPlane, ControlPlaneError, die_with_parent, wait_until  # noqa: E402

WORK = ROOT / "build" / "demo"
SAMPLES = Path("deploy/samples")
NAMESPACE = "analytics"
OPERATOR_NAMESPACE = "omni-connection-operator-system"
WAIT_SECONDS = 45
STOP_SECONDS = 12
NAMES = {
    "0f8fad5b-d9cb-469f-a165-70867728950e": "Sales (Postgres)",
    "7c9e6679-7425-40de-944b-e07fc1f90ae7": "Events (BigQuery)",
    "16fd2706-8baf-433b-82eb-8c7fada847da": "Finance (Snowflake)",
}


class DemoError(RuntimeError):
    """Something did not go as it should; the message is one line."""


# Showing


def style(text: str, code: str) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\033[{code}m{text}\033[0m"


def say(text: str = "") -> None:
    print(f"   {text}".rstrip(), flush=True)


def show(text: str) -> None:
    for line in text.rstrip().splitlines():
        say(line)


def show_command(text: str) -> None:
    say(style(f"$ {text}", "36"))


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Says so when it takes longer than a moment."""
    done = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        while not done.wait(5):
            say(style(f"… {what}, {time.monotonic() - started:.0f} s so far", "2"))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


class Steps:
    """Numbered headings."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0

    def __call__(self, title: str) -> None:
        self.number += 1
        print(f"\n{style(f'[{self.number}/{self.total}] {title}', '1')}", flush=True)


# Parts


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"openssl {arguments[0]} failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def write_private(path: Path, text: str) -> Path:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


def is_ready(operator: Program) -> bool:
    """Whether /readyz says so; the log says where it is served."""
    operator.require_running()
    served = re.search(r"serving health.*address=(\S+)", operator.log.read_text(errors="replace"))
    if not served:
        return False
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(f"http://{served[1]}/readyz", timeout=5):
        return True
    return False


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def service_account(key_id: int) -> str:
    """A key file as Google makes it."""
    email = "omni@example-analytics.iam.gserviceaccount.com"
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "example-analytics",
            "private_key_id": str(key_id),
            "private_key": openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
            "client_email": email,
        }
    )


class Program:
    """A child process whose output goes to a file."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.log = WORK / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this program, which then stops the others
                preexec_fn=lambda: die_with_parent(signal.SIGTERM),
            )

    def require_running(self) -> None:
        code = self.process.poll()
        if code is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
            raise DemoError(f"{self.name} ended with {code}: {last[0]}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Omni:
    """The emulator, over TLS with a certificate of its own."""

    def __init__(self, bin_dir: Path) -> None:
        self.certificate, key = WORK / "omni.crt", WORK / "omni.key"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=omni",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
                "-out", str(self.certificate))  # fmt: skip
        self.token_file = write_private(WORK / "omni-api-key", f"omni_osk_{secrets.token_hex(16)}")
        command = [
            str(bin_dir / "omni-emulator"),
            "--listen=127.0.0.1:0",
            f"--connections={ROOT / 'demo' / 'connections.yaml'}",
            f"--token-file={self.token_file}",
            f"--tls-cert={self.certificate}",
            f"--tls-key={key}",
        ]
        self.program = Program("omni-emulator", command)
        self.url = wait_until(self._listening, 10, "omni-emulator listening")
        self.seen = 1
        handler = urllib.request.HTTPSHandler(
            context=ssl.create_default_context(cafile=str(self.certificate))
        )
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)

    def _listening(self) -> str | None:
        self.program.require_running()
        text = self.program.log.read_text()
        return text.split()[-1] if text.endswith("\n") else None

    @property
    def address(self) -> str:
        return self.url.removeprefix("https://")

    def _get(self, path: str) -> Any:
        with self._opener.open(f"{self.url}/_emulator/{path}", timeout=5) as answer:
            return json.load(answer)

    def new_requests(self) -> list[dict[str, Any]]:
        answer = self._get(f"requests?since={self.seen}&mask=1")
        self.seen = answer["next"]
        return answer["requests"]

    def show_new_requests(self, changed: float | None = None) -> None:
        """What came since the last time; `changed`: when the kubectl that changes something began."""
        requests = self.new_requests()
        say(style("Omni received:" if requests else "Omni received nothing.", "32"))
        for request in requests:
            path = request["path"]
            for identifier, name in NAMES.items():
                path = path.replace(identifier, f"{identifier[:8]}…")
                if request["connectionID"] == identifier:
                    path += f"  {name}"
            when = ""
            if changed and request["method"] == "PATCH":
                late_ms = request["timeUnixMs"] - changed * 1000
                when = f", {late_ms:.0f} ms after kubectl was started"
            say(f"  {request['method']:5} {path}  → {request['status']}{when}")
            if request["body"]:
                say(f"        {compact(request['body'])}")


class Demo:
    def __init__(self, bin_dir: Path, plane: ControlPlane, programs: list[Program]) -> None:
        self.bin_dir = bin_dir
        self.plane = plane
        self.programs = programs
        self.step = Steps(8)

    def kubectl(self, *args: str, shown: str | None = None, quiet: bool = False) -> str:
        """Runs what a user would type, and shows it; `shown` where it holds a secret or a path."""
        show_command(shown or shlex.join(["kubectl", *args]))
        with waiting_for("kubectl " + args[0]):
            done = self.plane.kubectl(*args, check=False)
        if done.returncode != 0:
            for program in self.programs:
                program.require_running()
            text = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise DemoError(f"kubectl {args[0]} failed: {text[-1] if text else done.returncode}")
        if not quiet:
            show(done.stdout)
        return done.stdout

    def wait(self, condition: str, *what: str) -> None:
        self.kubectl("wait", f"--for={condition}", *what, f"--timeout={WAIT_SECONDS}s", quiet=True)

    def run(self) -> None:
        omni = self.start_omni()
        self.start_operator(omni)
        self.first_connections(omni)
        self.rotate_password(omni)
        self.rotate_bigquery_key(omni)
        self.rotate_snowflake_key(omni)
        self.change_role(omni)
        self.make_a_mistake(omni)

    def start_omni(self) -> Omni:
        self.step("Start a Kubernetes control plane, and omni-emulator in place of Omni")
        version = json.loads(self.plane.kubectl("version", "--output=json").stdout)
        say(f"kube-apiserver {version['serverVersion']['gitVersion']} at {self.plane.server}")
        omni = Omni(self.bin_dir)
        self.programs.append(omni.program)
        say(f"omni-emulator at {omni.url}, with the connections of demo/connections.yaml:")
        for name in NAMES.values():
            say(f"  {name}")
        return omni

    def start_operator(self, omni: Omni) -> None:
        self.step("Start the operator")
        self.kubectl("apply", "-f", "crds/")

        def have_conditions() -> bool:
            crds = json.loads(self.plane.kubectl("get", "crd", "-o", "json").stdout)["items"]
            return all(crd.get("status", {}).get("conditions") for crd in crds)

        # kubectl wait fails at once on an object that has no conditions yet.
        wait_until(have_conditions, 30, "the CRDs are being established")
        self.wait("condition=Established", "crd", "--all")
        self.kubectl("create", "namespace", OPERATOR_NAMESPACE)
        flags = [
            "--kubeconfig=" + str(self.plane.kubeconfig),
            "--allowed-hosts=" + omni.address,
            "--leader-elect=false",
            "--operator-namespace=" + OPERATOR_NAMESPACE,
            "--metrics-bind-address=127.0.0.1:0",
            "--health-bind-address=127.0.0.1:0",
            "--log-format=text",
        ]
        show_command(f"omni-connection-operator run --allowed-hosts={omni.address} … &")
        operator = Program("operator", [str(self.bin_dir / "omni-connection-operator"), "run", *flags])
        self.programs.append(operator)
        with waiting_for("operator starting"):
            wait_until(lambda: is_ready(operator), WAIT_SECONDS, "operator ready")
        say(f"ready; its log: {relative(operator.log)}")

    def first_connections(self, omni: Omni) -> None:
        self.step("Declare in Kubernetes what Omni should hold: deploy/samples")
        self.kubectl("create", "namespace", NAMESPACE)
        self.kubectl("config", "set-context", "--current", f"--namespace={NAMESPACE}")
        self.secret("omni-api-key", "token", omni.token_file)
        self.secret("omni-ca", "ca.crt", omni.certificate)
        self.secret("sales-db", "password", write_private(WORK / "password", secrets.token_hex(12)))
        self.secret("events-bigquery", "service-account.json",
                    write_private(WORK / "bigquery-key.json", service_account(1)))  # fmt: skip
        self.secret("finance-snowflake", "tls.key",
                    write_private(WORK / "snowflake.pem", openssl("genrsa", "2048")))  # fmt: skip
        self.apply_instance(omni)
        for name in ("postgres", "bigquery", "snowflake"):
            self.kubectl("apply", "-f", f"{SAMPLES}/{name}.yaml")
        self.wait("condition=Ready", "oinst,oconn", "--all")
        self.kubectl("get", "omni")
        omni.show_new_requests()

    def secret(self, name: str, key: str, file: Path) -> None:
        command = ("create", "secret", "generic", name)
        self.kubectl(
            *command,
            f"--from-file={key}={file}",
            shown=shlex.join(["kubectl", *command, f"--from-file={key}={relative(file)}"]),
            quiet=True,
        )

    def apply_instance(self, omni: Omni) -> None:
        """The sample as it is, except for where Omni is and whom to trust."""
        spec = {"baseURL": omni.url, "caBundleSecretRef": {"name": "omni-ca"}}
        path = SAMPLES / "instance.yaml"
        show_command(
            f"kubectl patch --local -f {path} --type=merge -o yaml "
            f"-p '{compact({'spec': spec})}' | kubectl apply -f -"
        )
        patched = self.plane.kubectl("patch", "--local", "-f", str(path), "--type=merge",
                                     "-o", "yaml", "-p", compact({"spec": spec}))  # fmt: skip
        show(self.plane.kubectl("apply", "-f", "-", input=patched.stdout).stdout)

    def rotate(self, omni: Omni, secret: str, connection: str, key: str, value: str) -> None:
        """Writes a new value with a rotation id, and waits until Omni has that one."""
        rotation = secrets.token_hex(3)
        patch = {
            "metadata": {"annotations": {"omniconnection.io/rotation-id": rotation}},
            "stringData": {key: value},
        }
        changed = time.time()
        self.patch_secret(secret, patch, {**patch, "stringData": {key: "‹new value›"}})
        self.wait(f"jsonpath={{.status.applied.credential.rotationID}}={rotation}",
                  f"oconn/{connection}")  # fmt: skip
        omni.show_new_requests(changed)
        self.kubectl("get", "oconn", connection)

    def patch_secret(self, name: str, patch: Any, shown: Any) -> None:
        self.kubectl(
            *("patch", "secret", name, "-p", compact(patch)),
            shown=f"kubectl patch secret {name} -p '{compact(shown)}'",
        )

    def rotate_password(self, omni: Omni) -> None:
        self.step("Rotate a Postgres password")
        self.rotate(omni, "sales-db", "sales", "password", secrets.token_hex(12))

    def rotate_bigquery_key(self, omni: Omni) -> None:
        self.step("Rotate a BigQuery service account's key")
        key = service_account(2)
        write_private(WORK / "bigquery-key.json", key)
        self.rotate(omni, "events-bigquery", "events", "service-account.json", key)

    def rotate_snowflake_key(self, omni: Omni) -> None:
        self.step("Rotate a Snowflake key (in the older PKCS#1 format, which Omni would reject)")
        key = openssl("genrsa", "-traditional", "2048")
        self.rotate(omni, "finance-snowflake", "finance", "tls.key", key)

    def change_role(self, omni: Omni) -> None:
        self.step("Change a role; a label on a Secret sends nothing")
        self.kubectl("label", "secret", "sales-db", "team=sales")
        changed = time.time()
        self.kubectl("patch", "oconn", "sales", "--type=merge", "-p", '{"spec":{"baseRole":"MODELER"}}')
        self.wait("jsonpath={.status.applied.baseRole.value}=MODELER", "oconn/sales")
        omni.show_new_requests(changed)
        self.kubectl("get", "oconn", "sales")

    def make_a_mistake(self, omni: Omni) -> None:
        self.step("A mistake is found before anything is sent")
        self.kubectl("patch", "secret", "events-bigquery", "-p",
                     '{"stringData":{"service-account.json":"oops"}}')  # fmt: skip
        self.wait("condition=Stalled", "oconn/events")
        self.kubectl("get", "oconn")
        self.kubectl("get", "oconn", "events", "-o",
                     r'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\n"}')  # fmt: skip
        omni.show_new_requests()
        before = {"stringData": {"service-account.json": (WORK / "bigquery-key.json").read_text()}}
        shown = {"stringData": {"service-account.json": "‹previous value›"}}
        self.patch_secret("events-bigquery", before, shown)
        self.wait("condition=Ready", "oconn/events")
        omni.show_new_requests()
        say("Omni already has that value. The Events of this demo:")
        self.kubectl("events")

    def keep(self) -> None:
        certificate, url = relative(WORK / "omni.crt"), self.omni_url()
        print(f"\n{style('Left running.', '1')} In another terminal, in {ROOT}:\n")
        for line in (
            f"export KUBECONFIG={self.plane.kubeconfig}",
            f'export PATH="{self.plane.binaries}:$PATH"',
            "kubectl get omni -o wide",
            "kubectl describe oconn sales",
            """kubectl patch secret sales-db -p '{"stringData":{"password":"another one"}}'""",
            f"curl --cacert {certificate} '{url}/_emulator/requests?mask=1'",
            f"tail -f {relative(WORK / 'operator.log')}",
        ):
            print(f"  {line}")
        print(f"\nCtrl-C here, or kill {os.getpid()}, stops and removes everything.", flush=True)
        while True:
            signal.pause()

    def omni_url(self) -> str:
        return self.programs[0].log.read_text().split()[-1]


def relative(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def require_programs(bin_dir: Path) -> None:
    for name in ("omni-emulator", "omni-connection-operator"):
        if not os.access(bin_dir / name, os.X_OK):
            raise DemoError(f"{bin_dir / name} does not exist: run make build")


def play(bin_dir: Path, keep: bool) -> None:
    require_programs(bin_dir)
    started = time.monotonic()
    plane = ControlPlane(directory=WORK / "control-plane")
    programs: list[Program] = []
    try:
        with waiting_for("starting etcd and kube-apiserver"):
            plane.start()
        demo = Demo(bin_dir, plane, programs)
        demo.run()
        print(f"\n{style('Done', '1')} in {time.monotonic() - started:.0f} s.", flush=True)
        if keep:
            demo.keep()
    except BaseException:
        for name in ("etcd", "kube-apiserver"):
            with contextlib.suppress(OSError):
                shutil.copy(plane.directory / f"{name}.log", WORK)
        raise
    finally:
        for program in reversed(programs):
            program.stop()
        plane.close()
        for name in ("omni.key", "omni-api-key", "password", "bigquery-key.json", "snowflake.pem"):
            (WORK / name).unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Shows the operator at work on this machine.")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="directory of the programs")  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    lock = open(WORK / "lock", "w")  # held until this program ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"demo: another one is running in {WORK}; stop it first", file=sys.stderr)
        return 1
    for log in WORK.glob("*.log"):
        log.unlink()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        play(arguments.bin.resolve(), arguments.keep)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if arguments.keep else 130
    except (DemoError, ControlPlaneError, TimeoutError, OSError) as error:
        print(f"\n{style('demo:', '31')} {error}", file=sys.stderr)
        print(f"The logs are in {relative(WORK)}: operator.log, omni-emulator.log, "
              "kube-apiserver.log, etcd.log.", file=sys.stderr)  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
