"""CRDs that are older than the operator: Helm leaves them as they are when the operator is upgraded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml

from control_plane import ControlPlane, wait_until
from installation import CRDS, install_crds
from tenant import Emulator, Operator, Tenant

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("older CRDs")]

NOTICE_SECONDS = 30


@pytest.fixture
def installed(control_plane_bin: Path) -> Iterator[ControlPlane]:
    with ControlPlane(control_plane_bin) as own:
        install_crds(own)
        yield own


@pytest.fixture
def operator_of(
    installed: ControlPlane, operator_bin: Path, emulator: Emulator, tmp_path: Path
) -> Iterator[Operator]:
    process = Operator(
        operator_bin, installed, tmp_path / "log", "--allowed-hosts", emulator.host
    )
    yield process
    process.close()


def install_older(plane: ControlPlane, age: Callable[[dict[str, Any]], None]) -> None:
    """The CRD of OmniConnections, after `age` has taken something out of its status' schema."""
    manifest = yaml.safe_load((CRDS / "omniconnections.yaml").read_text())
    (version,) = manifest["spec"]["versions"]
    age(version["schema"]["openAPIV3Schema"]["properties"]["status"])
    plane.apply(manifest)


def without_field(status: dict[str, Any]) -> None:
    del status["properties"]["applied"]["properties"]["target"]
    status["properties"]["applied"].pop("required", None)


def without_default(status: dict[str, Any]) -> None:
    del status["default"]


def test_a_field_that_would_be_dropped_is_named_and_nothing_is_sent(
    installed: ControlPlane, operator_of: Operator, emulator: Emulator
) -> None:
    operator_of.start()
    sales = Tenant(installed, emulator, operator_of)
    connection = sales.in_step("sales", "older-crds-0")
    assert operator_of.stop() == 0

    install_older(installed, without_field)
    operator_of.launch()
    notice = lambda: operator_of.said("the CRDs do not fit")  # noqa: E731
    line = wait_until(notice, NOTICE_SECONDS, "the older CRDs are noticed")
    assert "omniconnections status.applied.target" in line["error"]
    status, page = operator_of.get(operator_of.health, "/readyz")
    assert status == 503 and "status.applied.target" in page
    sales.secret("db", password="older-crds-1")
    assert operator_of.stop() == 0
    operator_of.launch()
    wait_until(notice, NOTICE_SECONDS, "they are noticed after a restart")
    assert len(emulator.patches(connection)) == 1

    install_crds(installed)
    bodies = sales.wait_patches(connection, 2)
    assert bodies[1:] == [{"passwordUnencrypted": "older-crds-1"}]
    sales.wait_reason("sales", "Synced")
    status, page = operator_of.get(operator_of.health, "/readyz")
    assert (status, page) == (200, "ok\n")


def test_a_missing_default_is_named_and_nothing_is_sent_twice(
    installed: ControlPlane, operator_of: Operator, emulator: Emulator
) -> None:
    install_older(installed, without_default)
    operator_of.start()
    sales = Tenant(installed, emulator, operator_of)
    connection = sales.in_step("sales", "older-crds-0")
    operator_of.restart()
    sales.synced_marker()
    assert len(emulator.patches(connection)) == 1
    status, page = operator_of.get(operator_of.health, "/readyz")
    assert status == 200 and "no default for the status of omniconnections" in page
