"""Where control-plane/build.sh takes etcd, kube-apiserver and kubectl from, and in which order."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from conftest import MINOR, SERVERS, VERSION, Machine, Server, origin, programs
from control_plane import wait_until

BUILT = ["server", "kube-apiserver"]  # etcd's package is named server
ARCHIVE = f"envtest-{VERSION}-linux-amd64.tar.gz"


def offer(server: Server, directory: Path, checksum: str = "") -> None:
    """An index as envtest's, with one archive: of the programs in a directory."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(directory, arcname="controller-tools/envtest")
    checksum = checksum or hashlib.sha512(packed.getvalue()).hexdigest()
    names = [ARCHIVE, ARCHIVE.replace("amd64", "arm64")]
    server.files["/archive"] = packed.getvalue()
    server.files["/index.yaml"] = f"releases:\n  {VERSION}:\n".encode() + b"".join(
        f"    {name}:\n      hash: {checksum}\n      selfLink: {server.url}/archive\n".encode()
        for name in names
    )


def origins(directory: Path) -> list[str]:
    return [origin(directory / name) for name in (*SERVERS, "kubectl")]


def test_kubebuilder_assets_come_first(machine: Machine, server: Server, tmp_path: Path) -> None:
    programs(machine.bin, "path")
    assets = programs(tmp_path / "assets", "assets")
    directory, _ = machine.control_plane(KUBEBUILDER_ASSETS=str(assets))
    assert directory == assets
    assert not machine.builds and not server.asked


def test_path_comes_before_a_download(machine: Machine, server: Server) -> None:
    programs(machine.bin, "path")
    offer(server, programs(machine.bin.parent / "offered", "envtest"))
    directory, _ = machine.control_plane(KUBEBUILDER_ASSETS="/nonexistent")
    assert directory == machine.bin
    assert not machine.builds and not server.asked


def test_servers_in_path_that_are_too_old_are_not_used(machine: Machine, server: Server) -> None:
    programs(machine.bin, "path", minor=32)
    offer(server, programs(machine.bin.parent / "offered", "envtest"))
    directory, log = machine.control_plane()
    assert origins(directory) == ["envtest"] * 3
    assert "not 1.33 or newer" in log


@pytest.mark.parametrize("skew", [-1, 0, 1])
def test_kubectl_in_path_may_be_one_version_off(
    machine: Machine, server: Server, tmp_path: Path, skew: int
) -> None:
    assets = programs(tmp_path / "assets", "assets", SERVERS)
    programs(machine.bin, "path", ("kubectl",), minor=MINOR + skew)
    directory, _ = machine.control_plane(KUBEBUILDER_ASSETS=str(assets))
    assert origins(directory) == ["assets", "assets", "path"]
    assert not machine.builds and not server.asked


@pytest.mark.parametrize("skew", [-2, 2])
def test_kubectl_in_path_that_is_two_versions_off_is_not_used(
    machine: Machine, tmp_path: Path, skew: int
) -> None:
    assets = programs(tmp_path / "assets", "assets", SERVERS)
    programs(machine.bin, "path", ("kubectl",), minor=MINOR + skew)
    directory, _ = machine.control_plane(KUBEBUILDER_ASSETS=str(assets))
    assert origins(directory) == ["assets", "assets", "built"]
    assert machine.builds == ["kubectl"]


def test_envtest_once(machine: Machine, server: Server, tmp_path: Path) -> None:
    offer(server, programs(tmp_path / "offered", "envtest"))
    directory, _ = machine.control_plane()
    assert origins(directory) == ["envtest"] * 3
    assert "/archive" in server.asked and not machine.builds

    server.asked.clear()
    assert machine.control_plane() == (directory, "")
    assert not server.asked


def test_what_is_built_is_built_once(machine: Machine, server: Server) -> None:
    directory, log = machine.control_plane()  # there is no index
    assert origins(directory) == ["built"] * 3
    assert machine.builds == [*BUILT, "kubectl"]
    assert "minutes on 2 cores" in log

    server.asked.clear()
    assert machine.control_plane() == (directory, "")
    assert machine.builds == [*BUILT, "kubectl"] and not server.asked


@pytest.mark.parametrize("silent", ["/index.yaml", "/archive"])
def test_envtest_that_does_not_answer_is_given_up(
    machine: Machine, server: Server, tmp_path: Path, silent: str
) -> None:
    offer(server, programs(tmp_path / "offered", "envtest"))
    server.silent.add(silent)
    directory, log = machine.control_plane(OCO_ENVTEST_SECONDS="1")
    assert silent in server.asked and "nothing arrives" in log
    assert origins(directory)[:2] == ["built"] * 2


def test_a_download_with_a_wrong_checksum_is_not_used(
    machine: Machine, server: Server, tmp_path: Path
) -> None:
    offer(server, programs(tmp_path / "offered", "envtest"), checksum="0" * 128)
    directory, log = machine.control_plane()
    assert "checksum mismatch" in log
    assert origins(directory)[:2] == ["built"] * 2
    assert not list(machine.cache.glob("envtest-*/*"))


def test_a_download_of_another_version_is_not_used(
    machine: Machine, server: Server, tmp_path: Path
) -> None:
    offer(server, programs(tmp_path / "offered", "envtest", minor=MINOR - 1))
    directory, log = machine.control_plane()
    assert f"is not 1.{MINOR}" in log
    assert origins(directory)[:2] == ["built"] * 2


def test_who_waits_sees_that_a_build_failed(machine: Machine) -> None:
    machine.failure.write_text("go: downloading example v1\nmain.go:1: undefined: x\n")
    process = machine.start("control-plane/build.sh")
    printed, log = process.communicate(timeout=300)
    assert process.returncode == 1 and printed == ""
    assert "control-plane: main.go:1: undefined: x\n" in log and "downloading example" not in log
    assert not list(machine.cache.glob("control-plane-*/*"))

    machine.failure.unlink()
    directory, _ = machine.control_plane()
    assert origins(directory)[:2] == ["built"] * 2


def test_two_at_once_build_once(machine: Machine) -> None:
    os.mkfifo(machine.gate)
    runs = [machine.start("control-plane/build.sh") for _ in range(2)]
    with open(machine.gate, "w", encoding="utf-8") as gate:  # until a build reads
        machine.gate.unlink()
        gate.write("go on\n")
    printed = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0] and printed[0] == printed[1]
    assert machine.builds == [*BUILT, "kubectl"]


def test_stopping_it_stops_what_it_runs(machine: Machine) -> None:
    os.mkfifo(machine.gate)
    process = machine.start("control-plane/build.sh")
    wait_until(lambda: machine.builders, 120, "the build")
    (builder,) = machine.builders
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM

    def gone() -> bool:
        stat = Path(f"/proc/{builder}/stat")
        return not stat.exists() or stat.read_text().split()[2] == "Z"

    wait_until(gone, 60, "the build's end")
    process.communicate(timeout=60)
