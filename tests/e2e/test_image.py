"""The image of Dockerfile: what is in it, that its binary can be built again, and a rotation from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane
from installation import ACCOUNT, OPERATOR_NAMESPACE, OVERLAYS, kustomize, operator_kubeconfig
from tenant import Emulator, Operator, Tenant

ROOT = Path(__file__).resolve().parents[2]
BUILDAH = str(ROOT / "scripts" / "buildah.sh")
BINARY = "usr/bin/omni-connection-operator"
TOTAL_BYTES_MAX = 20_000_000
USER = 65532  # as deploy/ has it
pytestmark = pytest.mark.long
MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Image:
    """What is in the archive that scripts/image.sh writes."""

    def __init__(self, archive: Path, directory: Path) -> None:
        self.root = directory / "root"
        with tarfile.open(archive) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
            self.name: str = manifest["RepoTags"][0].split("/")[-1]
            config = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
            self.config: dict[str, Any] = config["config"]
            self.entries: list[tarfile.TarInfo] = []
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=tar.extractfile(layer)) as files:
                    self.entries += files.getmembers()
                    files.extractall(self.root)

    def files(self) -> list[tarfile.TarInfo]:
        return [entry for entry in self.entries if entry.isfile()]


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    # A build takes minutes, and its progress must be seen.
    with capture.global_and_fixture_disabled():
        subprocess.run([str(ROOT / "scripts" / "image.sh")], check=True)
    archive = ROOT / "build" / "image" / "omni-connection-operator.tar"
    return Image(archive, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[str]:
    name = output(BUILDAH, "from", "--pull-never", image.name).strip()
    yield name
    output(BUILDAH, "rm", name)


def test_size(image: Image, figures: Callable[[str, str], None]) -> None:
    total = sum(entry.size for entry in image.files())
    binary = next(entry.size for entry in image.files() if entry.name == BINARY)
    figures(
        "image", f"{total / 1e6:.1f} MB in {len(image.files())} files, binary {binary / 1e6:.1f} MB"
    )
    assert total <= TOTAL_BYTES_MAX


def test_only_the_binary_and_the_libraries_that_it_needs(image: Image) -> None:
    executables = {entry.name for entry in image.files() if entry.mode & 0o111}
    libraries = executables - {BINARY}
    assert BINARY in executables and all(".so" in Path(name).name for name in libraries)

    def needed_by(name: str) -> list[str]:
        dynamic = output("readelf", "--dynamic", str(image.root / name))
        return re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)

    by_name = {Path(name).name: name for name in libraries}
    needed: set[str] = set()
    todo = needed_by(BINARY)
    while todo:
        library = todo.pop()
        if library not in needed:
            needed.add(library)
            todo += needed_by(by_name[library])
    # The kernel loads the loader.
    assert {name for name in by_name if not name.startswith("ld-linux")} == {
        name for name in needed if not name.startswith("ld-linux")
    }


def test_nothing_in_it_can_be_changed_by_its_user(image: Image) -> None:
    for entry in image.entries:
        assert (entry.uid, entry.gid) == (0, 0), entry.name
        assert entry.issym() or not entry.mode & 0o6022, entry.name
        assert entry.isfile() or entry.isdir() or entry.issym() or entry.islnk(), entry.name


def test_certificate_authorities_are_found_by_their_hash(image: Image) -> None:
    links = [e for e in image.entries if re.fullmatch(r"etc/ssl/certs/[0-9a-f]{8}\.\d", e.name)]
    assert len(links) > 100
    for link in links:
        first = image.root / "etc/ssl/certs" / link.linkname
        target = image.root / os.readlink(first).removeprefix("/") if first.is_symlink() else first
        assert target.read_text().startswith("-----BEGIN CERTIFICATE-----"), link.name


def test_scanners_find_the_packages(image: Image) -> None:
    status = image.root / "var/lib/dpkg/status.d"
    for package in ("libc6", "libc-ares2", "libssl3", "libstdc++6", "ca-certificates"):
        text = (status / package).read_text()
        assert f"Package: {package}\n" in text and "\nVersion: " in text
    assert {path.name for path in status.iterdir()} <= {
        path.parent.name for path in (image.root / "usr/share/doc").glob("*/copyright")
    }


def test_how_it_starts(image: Image, control_plane: ControlPlane) -> None:
    assert image.config["User"] == f"{USER}:{USER}"
    assert image.config["Entrypoint"] == [f"/{BINARY}"] and not image.config.get("Cmd")
    labels = image.config["Labels"]
    assert re.fullmatch(r"[0-9a-f]{12}", labels["org.opencontainers.image.revision"])
    assert image.name.endswith(":" + labels["org.opencontainers.image.version"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.title"]

    rendered = kustomize(control_plane, OVERLAYS / "cluster-wide")
    pod = next(o for o in rendered if o["kind"] == "Deployment")["spec"]["template"]["spec"]
    (operator,) = pod["containers"]
    assert "command" not in operator and pod["securityContext"]["runAsUser"] == USER
    ports = {f"{port['containerPort']}/tcp" for port in operator["ports"]}
    assert ports == set(image.config["ExposedPorts"])


def test_the_commit_that_it_names_has_what_is_here(image: Image) -> None:
    commit = image.config["Labels"]["org.opencontainers.image.revision"]
    git = ("git", "-C", str(ROOT))
    output(*git, "merge-base", "--is-ancestor", commit, "HEAD")
    sources = output(str(ROOT / "scripts" / "source_commit.sh"), "--paths").split()
    assert not output(*git, "diff", "--name-only", commit, "HEAD", "--", *sources)


def test_it_is_not_built_twice(image: Image) -> None:
    archive = ROOT / "build" / "image" / "omni-connection-operator.tar"
    before = archive.stat().st_mtime_ns
    environment = {name: value for name, value in os.environ.items() if name != "FORCE"}
    script = str(ROOT / "scripts" / "image.sh")
    said = subprocess.run(
        [script], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert "image is up to date" in said.stdout and archive.stat().st_mtime_ns == before


def test_version_and_help(container: str, image: Image) -> None:
    version = image.config["Labels"]["org.opencontainers.image.version"]
    said = output(BUILDAH, "run", container, "--", f"/{BINARY}", "version")
    assert said.startswith(f"omni-connection-operator {version}")
    assert image.config["Labels"]["org.opencontainers.image.revision"] in said
    for arguments in (["--help"], ["run", "--help"]):
        assert "--allowed-hosts" in output(BUILDAH, "run", container, "--", f"/{BINARY}", *arguments)
    shell = subprocess.run(
        [BUILDAH, "run", container, "--", "/bin/sh", "-c", "true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shell.returncode != 0 and "no such file" in shell.stderr.lower()


def test_it_is_the_binary_that_is_built_here(image: Image, operator_bin: Path) -> None:
    """Built twice: in another directory, on another system, by another number of compilers. Both say
    that they are of the same commit, which scripts/source_commit.sh finds."""
    commit = image.config["Labels"]["org.opencontainers.image.revision"]
    assert commit in output(str(operator_bin), "version")
    same = checksum(image.root / BINARY) == checksum(operator_bin)
    assert same, f"{operator_bin} is of other sources, or a build depends on where it is done"
    assert str(ROOT).encode() not in operator_bin.read_bytes()


def innermost(pid: str) -> str:
    """The process at the end of a chain of processes that begins with this one."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = "".join(path.read_text() for path in tasks).split()
    return innermost(children[0]) if children else pid


class OperatorInImage(Operator):
    """Behind a buildah that would kill it, and ends with its exit code when it ends."""

    def _send(self, process: subprocess.Popen[str], number: int) -> None:
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        output(*as_root, "kill", f"-{number}", innermost(str(process.pid)))


@pytest.fixture
def from_image(
    container: str, control_plane: ControlPlane, emulator: Emulator, tmp_path: Path
) -> Iterator[Operator]:
    """The operator in the image as a pod would have it: as its user, with the files and variables
    that Kubernetes gives it."""
    operator_kubeconfig(control_plane)  # applies the overlay
    account = tmp_path / "serviceaccount"
    account.mkdir()
    token = control_plane.kubectl("create", "token", ACCOUNT, "--namespace", OPERATOR_NAMESPACE)
    (account / "token").write_text(token.stdout.strip())
    (account / "namespace").write_text(OPERATOR_NAMESPACE)
    (account / "ca.crt").write_bytes(control_plane.ca_file.read_bytes())
    host, port = control_plane.server.removeprefix("https://").split(":")
    command = [BUILDAH, "run", "--network", "host", "--volume", f"{account}:{MOUNTED}:ro"]
    command += ["--env", f"KUBERNETES_SERVICE_HOST={host}"]
    command += ["--env", f"KUBERNETES_SERVICE_PORT={port}", container, "--", f"/{BINARY}"]
    script = tmp_path / "run"
    script.write_text(f"#!/bin/sh\nexec {shlex.join(command)} \"$@\"\n")
    script.chmod(0o755)
    log = tmp_path / "log"
    process = OperatorInImage(
        script, control_plane, log, "--allowed-hosts", emulator.host, kubeconfig="in-cluster"
    )
    process.start()
    yield process
    process.close()


def test_a_rotation_from_the_image(
    control_plane: ControlPlane, emulator: Emulator, from_image: Operator
) -> None:
    tenant = Tenant(control_plane, emulator, from_image)
    connection = emulator.new_connection("postgres")
    tenant.secret("db", password="before-the-rotation")
    credentials = {"password": {"secretRef": {"name": "db"}}}
    tenant.connection("sales", connection, credentials=credentials)
    tenant.wait_reason("sales", "Synced")
    tenant.secret("db", password="after-the-rotation")
    tenant.eventually(lambda: len(emulator.bodies(connection)) == 2, "the rotation")
    assert emulator.bodies(connection)[-1] == {"passwordUnencrypted": "after-the-rotation"}
    assert not tenant.leaked()
    assert from_image.stop(signal.SIGTERM) == 0
