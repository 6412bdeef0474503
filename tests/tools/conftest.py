"""A machine of its own for the scripts that find programs: a copy of them, an empty cache, a PATH
without the programs that they look for, a Go that builds nothing, and servers on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

LOOKED_FOR = ("etcd", "kube-apiserver", "kubectl", "helm", "go")
# Where Go gets the modules of setup-envtest from.
PASSED_ON = ("GOPROXY", "GOSUMDB", "GOMODCACHE", "GOPATH", "GOFLAGS", "HTTPS_PROXY", "https_proxy")
PASSED_ON += ("SSL_CERT_FILE", "SSL_CERT_DIR")
SERVERS = ("etcd", "kube-apiserver")
KUBERNETES = re.search(  # of the version that is built
    r"k8s\.io/kubernetes (v1\.(\d+)\.\d+)", (ROOT / "tests/control-plane/go.mod").read_text()
)
assert KUBERNETES
VERSION, MINOR = KUBERNETES[1], int(KUBERNETES[2])

# Builds setup-envtest for real. Of the rest it notes what it is to build, lets the test go on, and
# writes programs that only say their version.
GO = """#!/bin/bash
case "$*" in env* | *setup-envtest*) exec {real} "$@" ;; esac
echo "$$ $*" >>{calls}
if [[ -e {gate} ]]; then read -r <{gate}; fi
if [[ -e {failure} ]]; then cat {failure}; exit 1; fi
while [[ "$1" != -o ]]; do shift; done
directory=$2
for package in "${{@:3}}"; do
    name="$(basename "${{package%/v3}}")"
    said="{version}"
    printf '#!/bin/sh\\n# built\\necho Kubernetes %s\\n' "$said" >"$directory/$name"
    chmod +x "$directory/$name"
done
"""


def program(path: Path, says: str, origin: str) -> Path:
    """A program that says nothing but its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n# {origin}\necho '{says}'\n")
    path.chmod(0o755)
    return path


def programs(
    directory: Path, origin: str, names: tuple[str, ...] = (*SERVERS, "kubectl"), minor: int = MINOR
) -> Path:
    says = {
        "etcd": "etcd Version: 3.6.8",
        "kube-apiserver": f"Kubernetes v1.{minor}.1",
        "kubectl": f"Client Version: v1.{minor}.2",
    }
    for name in names:
        program(directory / name, says[name], origin)
    return directory


def origin(path: Path) -> str:
    """What `program`, or the Go above, wrote into it."""
    return path.read_text().splitlines()[1].removeprefix("# ")


class Server:
    """Serves `files`; to what is in `silent` it gives no answer."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self._end = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # pylint: disable=invalid-name
                server.asked.append(self.path)
                if self.path in server.silent:
                    server._end.wait()
                    return
                body = server.files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:  # pylint: disable=arguments-differ
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server()
    yield serving
    serving.close()


class Machine:
    """Runs the scripts of a copy of the repository, in an environment of its own."""

    def __init__(self, directory: Path, go: str, index: str) -> None:
        directory.mkdir()
        self.tests = directory / "tests"
        for folder in ("tools", "control-plane"):
            shutil.copytree(ROOT / "tests" / folder, self.tests / folder)
        self.bin = directory / "bin"  # first in PATH
        self.cache = directory / "cache" / "omni-connection-operator"
        self.gate = directory / "gate"
        self.failure = directory / "failure"
        self._calls = directory / "calls"
        system = directory / "system"
        for path in (self.bin, system, directory / "tmp"):
            path.mkdir()
        for found in Path("/usr/bin").iterdir():
            if found.name not in LOOKED_FOR:
                (system / found.name).symlink_to(found)
        names = {"calls": self._calls, "gate": self.gate, "failure": self.failure}
        (self.bin / "go").write_text(GO.format(real=go, version=VERSION, **names))
        (self.bin / "go").chmod(0o755)
        self.environment = {
            "HOME": os.environ["HOME"],
            "GOCACHE": subprocess.check_output([go, "env", "GOCACHE"], text=True).strip(),
            "XDG_CACHE_HOME": str(self.cache.parent),
            "TMPDIR": str(directory / "tmp"),
            "PATH": f"{self.bin}:{system}",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": f"{index}/simple",
            "OCO_ENVTEST_INDEX": f"{index}/index.yaml",
        }
        for name in PASSED_ON:
            if name in os.environ:
                self.environment[name] = os.environ[name]

    @property
    def builds(self) -> list[str]:
        """What Go was to build, by the names of the programs."""
        text = self._calls.read_text() if self._calls.exists() else ""
        return re.findall(r"(?<=[/])(kube-apiserver|kubectl|helm|server)(?=/v3| |$)", text, re.M)

    @property
    def builders(self) -> list[int]:
        """The processes that build, or have built."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [int(line.split()[0]) for line in lines]

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.tests / script), *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[Path, str]:
        """The directory that the script printed, and what it logged."""
        process = self.start(script, *arguments, **environment)
        printed, log = process.communicate(timeout=300)
        assert process.returncode == 0, log
        prefix = "tools: " if script.startswith("tools") else "control-plane: "
        assert all(line.startswith(prefix) for line in log.splitlines()), log
        return Path(printed.splitlines()[-1]), log

    def control_plane(self, **environment: str) -> tuple[Path, str]:
        directory, log = self.run("control-plane/build.sh", **environment)
        for name in (*SERVERS, "kubectl"):
            assert os.access(directory / name, os.X_OK), name
        return directory, log


@pytest.fixture(scope="session")
def real_go() -> str:
    """As the scripts find it; they install one if need be."""
    script = 'log_name=go; source "$0/go.sh"; find_go "$0/setup-envtest"; echo "$go"'
    tools = str(ROOT / "tests" / "tools")
    done = subprocess.run(
        ["bash", "-euc", script, tools], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path, real_go: str, server: Server) -> Machine:
    return Machine(tmp_path / "machine", real_go, server.url)


