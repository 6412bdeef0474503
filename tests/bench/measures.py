"""What is measured: a contender at work on a control plane and an Omni of its own."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from contender import Contender
from control_plane import ControlPlane, wait_until
from installation import install_crds
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk
from omni_traffic import Journal, connect
from tenant import GROUP, TOKEN, Emulator

PATIENCE_SECONDS = 180
QUIET_SECONDS = 20
NS = "bench"


@dataclass(frozen=True)
class Size:
    connections: int
    rotations: int  # one at a time


@dataclass(frozen=True)
class Figures:
    """Times in seconds, memory in bytes."""

    connections: int
    binary_bytes: int
    empty_bytes: int  # resident, with one connection
    most_bytes: int  # resident, when all have just been pushed
    full_bytes: int  # resident, a minute and a half later
    first_sync: float  # from the start until Omni holds the credentials of all
    first_sync_cpu: float
    alone: list[float]  # from before a Secret is written until Omni gets the PATCH
    alone_floor: list[float]  # the same by a client that writes, reads and sends, and does no more
    alone_cpu: float  # for each rotation
    burst: float  # from the first Secret that is written until Omni has the last PATCH
    burst_cpu: float  # for each rotation
    idle_cpu: float  # for each minute

    def median(self) -> float:
        return statistics.median(self.alone)

    def slow(self) -> float:
        """The 99th percentile."""
        return statistics.quantiles(self.alone, n=100)[-1]

    def floor(self) -> float:
        return statistics.median(self.alone_floor)

    def per_burst(self) -> float:
        return self.burst / self.connections

    def bytes_each(self) -> float:
        return (self.full_bytes - self.empty_bytes) / self.connections


class Bench:
    def __init__(
        self, contender: Contender, plane: ControlPlane, emulator: Emulator, ids: list[str], log: Path
    ) -> None:
        self.contender, self.plane, self.emulator, self.ids = contender, plane, emulator, ids
        self.bulk = KubeBulk(plane)
        self.journal = Journal(emulator)
        self.ca = log.parent / "omni-ca.crt"
        self.ca.write_text(emulator.ca)
        self.log = log
        self.number = 0

    def start(self) -> None:
        self.contender.start(self.plane.kubeconfig, self.emulator.host, self.ca, self.log)

    # What there is

    def prepare(self) -> None:
        install_crds(self.plane)
        for name in (NS, "omni-connection-operator-system"):
            self.plane.kubectl("create", "namespace", name)
        self.plane.apply(
            [
                self.secret("omni-token", token=TOKEN),
                self.secret("omni-ca", **{"ca.crt": self.emulator.ca}),
                {
                    "apiVersion": GROUP,
                    "kind": "OmniInstance",
                    "metadata": {"name": "omni", "namespace": NS},
                    "spec": {
                        "baseURL": self.emulator.url,
                        "apiTokenSecretRef": {"name": "omni-token", "key": "token"},
                        "caBundleSecretRef": {"name": "omni-ca"},
                        "rateLimit": {"requestsPerMinute": 60000},
                    },
                },
            ]
        )

    def create(self, indexes: Iterable[int]) -> None:
        self.bulk.send(("POST", SECRETS_PATH.format(NS), self.credential(i)) for i in indexes)
        self.bulk.send(
            ("POST", CONNECTIONS_PATH.format(NS), self.connection(index)) for index in indexes
        )

    def secret(self, name: str, **values: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": NS}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}

    def credential(self, index: int) -> dict[str, Any]:
        return self.secret(f"c{index}", password=self.value(index))

    def value(self, index: int) -> str:
        return f"bench-{self.number}-{index}"

    def connection(self, index: int) -> dict[str, Any]:
        return {
            "apiVersion": GROUP,
            "kind": "OmniConnection",
            "metadata": {"name": f"c{index}", "namespace": NS},
            "spec": {
                "instanceRef": {"name": "omni"},
                "connectionID": self.ids[index],
                "credentials": {"password": {"secretRef": {"name": f"c{index}", "key": "password"}}},
            },
        }

    # What happens

    def rotation(self, index: int) -> tuple[str, str, Any]:
        body = {"stringData": {"password": self.value(index)}}
        return ("PATCH", f"{SECRETS_PATH.format(NS)}/c{index}", body)

    def arrivals(self, wanted: int, every_seconds: float) -> list[float]:
        """When Omni got the next PATCHes, as time.time() has it."""
        found: list[float] = []

        def enough() -> bool:
            self.contender.check_alive()
            patches = (e for e in self.journal.read() if e["method"] == "PATCH")
            found.extend(e["timeUnixMs"] / 1000 for e in patches)
            return len(found) >= wanted

        wait_until(enough, PATIENCE_SECONDS, f"{wanted} PATCHes", every_seconds=every_seconds)
        return found

    def all_ready(self) -> bool:
        (listed,) = self.bulk.send([("GET", CONNECTIONS_PATH.format(NS), None)])
        conditions = (item.get("status", {}).get("conditions", []) for item in listed["items"])
        ready = {"type": "Ready", "status": "True"}
        return all(any(ready.items() <= c.items() for c in of_one) for of_one in conditions)

    def settle(self) -> None:
        wait_until(self.all_ready, PATIENCE_SECONDS, "all are Ready", every_seconds=1)

    def quiet(self) -> float:
        """CPU seconds for a minute in which nothing happens. Events of what was before may be written
        for a while yet, and memory be given back: a minute is let go first."""
        self.pass_time(60)
        before, begun = self.contender.cpu_seconds(), time.monotonic()
        self.pass_time(QUIET_SECONDS)
        return (self.contender.cpu_seconds() - before) * 60 / (time.monotonic() - begun)

    def pass_time(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end, 2 * seconds, "time to pass", every_seconds=0.5)

    def rotate_alone(self, count: int) -> list[float]:
        times = []
        for index in random.Random(1).sample(range(len(self.ids)), count):
            begun = time.time()
            self.bulk.send([self.rotation(index)])
            times.append(self.arrivals(1, 0.001)[0] - begun)
        return times

    def floor(self, count: int) -> list[float]:
        """One client that writes a Secret, reads it, and sends it to Omni."""
        omni = connect(self.emulator)
        connection_id = str(uuid.uuid4())
        self.emulator.admin("PUT", f"connections/{connection_id}", {"dialect": "mysql", "name": "x"})
        self.bulk.send([("POST", SECRETS_PATH.format(NS), self.secret("floor", password="0"))])
        path = f"{SECRETS_PATH.format(NS)}/floor"
        times = []
        for number in range(count):
            begun = time.time()
            self.bulk.send([("PATCH", path, {"stringData": {"password": str(number)}})])
            self.bulk.send([("GET", path, None)])
            push(omni, connection_id, str(number))
            times.append(self.arrivals(1, 0.001)[0] - begun)
        return times


def push(omni: http.client.HTTPSConnection, connection_id: str, password: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps({"passwordUnencrypted": password})
    omni.request("PATCH", f"/api/v1/connections/{connection_id}", body, headers)
    answer = omni.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def measure(
    contender: Contender, size: Size, binaries: Path, emulator_bin: Path, directory: Path
) -> Figures:
    directory.mkdir()
    ids = [str(uuid.uuid4()) for _ in range(size.connections)]
    seed = [{"id": id_, "name": f"c{i}", "dialect": "postgres"} for i, id_ in enumerate(ids)]
    emulator = Emulator(emulator_bin, directory / "emulator", seed)
    try:
        with ControlPlane(binaries) as plane:
            bench = Bench(contender, plane, emulator, ids, directory / "log")
            try:
                return _measure(bench, size)
            except Exception:
                print(bench.log.read_text()[-2000:], file=sys.stderr)
                raise
            finally:
                contender.stop()
                bench.bulk.close()
    finally:
        emulator.close()


def _measure(bench: Bench, size: Size) -> Figures:
    contender = bench.contender
    everything = range(size.connections)
    bench.prepare()
    bench.create(everything[:1])
    bench.start()
    bench.arrivals(1, 0.05)
    bench.settle()
    empty_bytes = contender.resident_bytes()
    contender.stop()

    bench.create(everything[1:])
    begun = time.time()
    bench.start()
    first_sync = max(bench.arrivals(size.connections - 1, 0.05)) - begun
    first_sync_cpu = contender.cpu_seconds()
    bench.settle()
    most_bytes = contender.resident_bytes()
    idle_cpu = bench.quiet()
    full_bytes = contender.resident_bytes()

    bench.number += 1
    before = contender.cpu_seconds()
    alone = bench.rotate_alone(size.rotations)
    bench.settle()
    alone_cpu = (contender.cpu_seconds() - before) / size.rotations
    floor = bench.floor(size.rotations)

    bench.number += 1
    before, begun = contender.cpu_seconds(), time.time()
    bench.bulk.send(bench.rotation(index) for index in everything)
    burst = max(bench.arrivals(size.connections, 0.05)) - begun
    bench.settle()
    burst_cpu = (contender.cpu_seconds() - before) / size.connections
    return Figures(
        connections=size.connections,
        binary_bytes=contender.binary.stat().st_size,
        empty_bytes=empty_bytes,
        most_bytes=most_bytes,
        full_bytes=full_bytes,
        first_sync=first_sync,
        first_sync_cpu=first_sync_cpu,
        alone=alone,
        alone_floor=floor,
        alone_cpu=alone_cpu,
        burst=burst,
        burst_cpu=burst_cpu,
        idle_cpu=idle_cpu,
    )
