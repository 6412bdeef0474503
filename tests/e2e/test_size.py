"""What objects and Secrets of the largest size that the API server takes cost: memory that stays
below the chart's limit, and nobody else's rotation."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from harm import memory_limit_mib
from installation import install_crds
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk
from tenant import GROUP, Emulator, Operator, Tenant

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("size")]

LARGE = 90
ANNOTATED = 200
SECRETS = 250
VALUES = 100  # of the longest, whose characters take four bytes each
VALUE_CHARACTERS = 1024
ANNOTATION_BYTES = 250_000  # of 262,144 for all annotations of an object
SYNCED = f'omni_connections{{ready="True",reason="Synced"}} {LARGE + ANNOTATED + 1}\n'
OTHERS = 200  # connections of one organization with such settings: a list of more than 64 MiB
SETTLE_SECONDS = 180


@pytest.fixture(params=["streams", "pages"])
def plane(request: pytest.FixtureRequest, control_plane_bin: Path) -> Iterator[ControlPlane]:
    """Lists come as streams, or in pages from an API server that offers nothing else."""
    flags = () if request.param == "streams" else ("--feature-gates=WatchList=false",)
    with ControlPlane(control_plane_bin, apiserver_flags=flags) as own:
        install_crds(own)
        yield own


def at_once(operator: Operator) -> int:
    """Rotations that were in Omni a second after the operator saw them; all have to be."""
    found = {
        name: int(value)
        for name, value in (line.split() for line in operator.scrape().splitlines() if line[0] != "#")
        if name.startswith("omni_rotation_latency_seconds_")
        if name.endswith(("_count", '{le="1"}'))
    }
    within, seen = (value for _, value in sorted(found.items()))
    assert within == seen
    return seen


def connection(name: str, note: str = "", **spec: Any) -> dict[str, Any]:
    annotations = {"reconcile.omniconnection.io/requestedAt": note} if note else {}
    return {
        "apiVersion": GROUP,
        "kind": "OmniConnection",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"instanceRef": {"name": "omni"}, **spec},
    }


def largest_setting(index: int) -> dict[str, Any]:
    values = [f"{index:04}{number:04}".ljust(VALUE_CHARACTERS, "\U0001d11e") for number in range(VALUES)]
    return {"attributeName": "env", "defaultValues": values}


def test_the_largest_objects_fit_into_the_memory(
    plane: ControlPlane,
    bulk: KubeBulk,
    emulator: Emulator,
    crowd: Emulator,
    crowd_operator: Operator,
    figures: Callable[[str, str], None],
    request: pytest.FixtureRequest,
) -> None:
    large = Tenant(plane, crowd, crowd_operator)
    calm = Tenant(plane, emulator, crowd_operator)
    warehouse = calm.in_step("warehouse", "calm-password-0")
    took: list[float] = []  # by rotations of another tenant

    def rotate() -> None:
        calm.secret("db", password=f"calm-password-{len(took) + 1}")
        written = time.monotonic()
        calm.wait_patches(warehouse, len(took) + 2)
        took.append(time.monotonic() - written)

    ids = [crowd.new_connection() for _ in range(LARGE + ANNOTATED)]
    path = CONNECTIONS_PATH.format(large.ns)
    bulk.send(
        ("POST", path, connection(f"large-{i}", connectionID=ids[i],
                                  environmentUserAttribute=largest_setting(i)))
        for i in range(LARGE)
    )
    bulk.send(
        ("POST", path, connection(f"annotated-{i}", f"{i:04}".ljust(ANNOTATION_BYTES, "t"),
                                  connectionID=ids[LARGE + i], baseRole="VIEWER"))
        for i in range(ANNOTATED)
    )
    note = "n" * ANNOTATION_BYTES
    bulk.send(
        ("POST", SECRETS_PATH.format(large.ns),
         {"metadata": {"name": f"s-{i}", "annotations": {"note": note}}}) for i in range(SECRETS)
    )
    rotate()
    synced = lambda: SYNCED in crowd_operator.scrape()  # noqa: E731
    wait_until(synced, SETTLE_SECONDS, "all are Synced", every_seconds=0.5)
    rotate()
    first = crowd_operator.memory_mib()
    assert at_once(crowd_operator) == 3  # whatever kube-apiserver takes, which has most to do

    crowd_operator.restart()
    rotate()
    wait_until(synced, SETTLE_SECONDS, "all are Synced after a restart", every_seconds=0.5)
    rotate()
    again = crowd_operator.memory_mib()
    pushes = sum(1 for r in crowd.requests() if r["method"] == "PATCH")

    figures(
        f"size, {request.node.callspec.id}",
        f"{LARGE} connections with settings of 400 KB, {ANNOTATED} and {SECRETS} Secrets with"
        f" annotations of {ANNOTATION_BYTES // 1000} KB: {first[1]:.0f} MiB at the most,"
        f" {again[1]:.0f} after a restart, {again[0]:.0f} then; another's"
        f" rotations {', '.join(f'{seconds:.2f}' for seconds in took)} s; {pushes} pushes",
    )
    assert pushes == LARGE + ANNOTATED, "each value is sent once"
    assert max(first[1], again[1]) < memory_limit_mib()


@pytest.mark.parametrize("plane", ["streams"], indirect=True)
def test_omni_lists_more_than_is_kept(
    crowd_operator: Operator,
    plane: ControlPlane,
    crowd: Emulator,
    figures: Callable[[str, str], None],
) -> None:
    for index in range(OTHERS):
        crowd.new_connection(environmentUserAttribute=largest_setting(index))
    tenant = Tenant(plane, crowd, crowd_operator)
    warehouse = tenant.in_step("warehouse", "password-0")  # the list says what it is
    crowd_operator.restart()
    tenant.secret("db", password="password-1")
    tenant.wait_patches(warehouse, 2)
    assert tenant.conditions("omni", "omniinstance")["Ready"]["reason"] == "Synced"
    most = crowd_operator.memory_mib()[1]
    figures("size, Omni's list", f"{OTHERS} connections with settings of 400 KB: {most:.0f} MiB")
    assert most < memory_limit_mib() / 4
