"""What one tenant's trouble costs another: the time of its rotations, the operator's memory, and how
long the operator takes to end. Each trouble is a line of the figures, so that all make a table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

import yaml

from control_plane import wait_until
from tenant import Tenant

EXTRA_SECONDS = 1.0  # that what one tenant does may cost another's rotation
END_SECONDS = 10.0
ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "omni-connection-operator" / "values.yaml"

Figures = Callable[[str, str], None]


def memory_limit_mib() -> float:
    limit = yaml.safe_load(CHART.read_text())["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    return float(limit.removesuffix("Mi"))


def synced_connection(tenant: Tenant, name: str) -> str:
    """Follows the Secret of its name."""
    connection = tenant.emulator.new_connection("postgres")
    tenant.secret(name, password=f"{name}-password-0")
    tenant.connection(name, connection, credentials={"password": {"secretRef": {"name": name}}})
    tenant.wait_reason(name, "Synced")
    return connection


def slowest_rotation(tenant: Tenant, name: str, connection: str) -> float:
    """Of two, in seconds from the Secret to the PATCH; a third would be paced."""
    slowest = 0.0
    for number in (1, 2):
        tenant.secret(name, password=f"{name}-password-{number}")
        begun = time.monotonic()
        tenant.wait_patches(connection, number + 1)
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


def check_harm(
    figures: Figures,
    trouble: str,
    calm: Tenant,
    disturb: Callable[[], Tenant],
    is_on: Callable[[], bool],
) -> None:
    """Rotations before `disturb`, which yields the tenant who does it, and once the trouble `is_on`;
    then the operator is ended in it."""
    first, second = (synced_connection(calm, name) for name in ("first", "second"))
    usual = slowest_rotation(calm, "first", first)
    other = disturb()
    wait_until(is_on, 60, f"the trouble is on: {trouble}")
    with_trouble = slowest_rotation(calm, "second", second)
    assert calm.operator.get(calm.operator.health, "/healthz")[0] == 200
    most = calm.operator.memory_mib()[1]
    begun = time.monotonic()
    assert calm.operator.stop() == 0
    ended = time.monotonic() - begun
    figures(
        f"harm of {trouble}",
        f"another's rotation {with_trouble:.2f} s (before it {usual:.2f}, bound +{EXTRA_SECONDS:.0f}),"
        f" {most:.0f} MiB at the most (bound {memory_limit_mib():.0f}),"
        f" SIGTERM {ended:.1f} s (bound {END_SECONDS:.0f})",
    )
    other.kubectl("delete", "oconn,oinst", "--all")  # or it would go on in the next test
    assert with_trouble <= usual + EXTRA_SECONDS
    assert most < memory_limit_mib()
    assert ended < END_SECONDS
