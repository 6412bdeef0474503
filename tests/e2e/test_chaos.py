"""Rotations while the network fails, operators die, the API server restarts and etcd forgets: none
is lost, no older value follows a newer one, and every push has a reason.

The faults come from a seed; CHAOS_SEED sets another. It fixes what is drawn, not what it meets."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from leak_search import LeakSearch
from fault_proxy import FaultProxy, Faults
from installation import OPERATOR_NAMESPACE, install_crds, operator_kubeconfig
from tenant import LEASE_LOST, Emulator, Operator, Tenant
from push_tally import Attempt, Sizes, Values, count_pushes, reasons
from test_leaks import shown
from test_push import password

SEED = int(os.environ.get("CHAOS_SEED", "7"))
CONNECTIONS = 25
ROTATIONS = 20  # of each, besides the first value
PACE_SECONDS = 4  # what has not arrived by then overlaps with the next rotation
TAKEOVER_SECONDS = 60  # a Lease that runs out (15 s), and requests that are swallowed
RELIST_SECONDS = 90  # watches back off for up to 30 s, and a black hole may swallow the next try
SETTLE_SECONDS = 150  # the settling push comes after 60 s, after a back-off that may have grown
LEASE_SECONDS = (5, TAKEOVER_SECONDS)  # a dead leader's: 15 s from a renewal up to 10 s before

OMNI_FAULTS = Faults(
    a_piece={"delay": 0.08, "reset": 0.03, "finish": 0.02, "half": 0.04, "black hole": 0.012},
    a_minute={"finish": 8, "half": 8, "black hole": 2, "refuse": 4},
)
KUBE_FAULTS = Faults(
    a_piece={"delay": 0.03, "reset": 0.01, "finish": 0.01, "half": 0.01, "black hole": 0.001},
    a_minute={"reset": 8, "finish": 8, "half": 6, "delay": 8, "black hole": 2, "refuse": 3},
)


class Chaos:
    """A control plane, an Omni and two operators that reach both through faulty proxies."""

    def __init__(self, plane: ControlPlane, emulator: Emulator, binary: Path, logs: Path) -> None:
        self.plane, self.emulator = plane, emulator
        self.kube = FaultProxy(("127.0.0.1", plane.port), SEED)
        self.omni = FaultProxy(("127.0.0.1", int(emulator.host.split(":")[1])), SEED + 1)
        config = plane.kubeconfig_through(self.kube.host, operator_kubeconfig(plane))
        self.operators = [
            Operator(
                binary, plane, logs / name, "--allowed-hosts", self.omni.host, kubeconfig=config
            )
            for name in ("a.log", "b.log")
        ]
        self.tenant = Tenant(plane, emulator, self.operators[0])
        self.tenant.instance("omni", baseURL=f"https://{self.omni.host}")
        self.values = Values(CONNECTIONS, ROTATIONS + 1)
        self.ids = [emulator.new_connection("postgres") for _ in range(CONNECTIONS)]
        self.done: Counter[str] = Counter()
        self.crashes: list[float] = []
        self.relists: list[int] = []  # of each compaction
        self.before_compaction: tuple[int, int] | None = None  # expired, began to lead

    def close(self) -> None:
        for operator in self.operators:
            operator.close()
        self.kube.close()
        self.omni.close()

    # Waiting

    def tend(self) -> None:
        """Starts an operator that ended by itself again, as a kubelet does."""
        for operator in self.operators:
            if operator.ended():
                assert not operator.leads(), "a leader ended by itself"
                self.done["gave up"] += 1
                self.launch(operator)

    def launch(self, operator: Operator) -> None:
        operator.launch()
        self.done["launched"] += 1

    def wait(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        def tended() -> Any:
            self.tend()
            return condition()

        return wait_until(tended, seconds, what)

    def behind(self, number: int) -> list[int]:
        """The connections of which Omni does not hold this rotation's value."""
        held = self.emulator.admin("GET", "connections")["connections"]
        passwords = {entry["id"]: entry.get("password") for entry in held}
        return [i for i, c in enumerate(self.ids) if passwords[c] != self.values[i, number]]

    def leader_and_standby(self) -> list[Operator]:
        def found() -> list[Operator] | None:
            ready = all(operator.said("synced") for operator in self.operators)
            leads = [operator for operator in self.operators if operator.leads()]
            others = [operator for operator in self.operators if operator not in leads]
            return leads + others if ready and len(leads) == 1 else None

        return self.wait(found, TAKEOVER_SECONDS, "one leads, and the other stands by")

    # Steps

    def set_up(self) -> None:
        """All is in Omni and Synced, and then the faults begin."""
        self.kube.start()
        self.omni.start()
        self.rotate(0)
        self.plane.apply(
            [
                {
                    "apiVersion": "omniconnection.io/v1alpha1",
                    "kind": "OmniConnection",
                    "metadata": {"name": f"c{index}", "namespace": self.tenant.ns},
                    "spec": {
                        "instanceRef": {"name": "omni"},
                        "connectionID": connection,
                        "credentials": password(f"db-{index}"),
                    },
                }
                for index, connection in enumerate(self.ids)
            ]
        )
        for operator in self.operators:
            operator.start()
        self.wait(lambda: not self.behind(0), TAKEOVER_SECONDS, "the first values")
        self.wait(self.all_synced, TAKEOVER_SECONDS, "all are Synced at first")
        self.sizes = Sizes(self.values, self.omni.exchanges)
        self.kube.rage(KUBE_FAULTS)
        self.omni.rage(OMNI_FAULTS)

    def rotate(self, number: int) -> None:
        self.plane.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": f"db-{index}", "namespace": self.tenant.ns},
                    "stringData": {"password": self.values[index, number]},
                }
                for index in range(CONNECTIONS)
            ]
        )

    def crash(self) -> None:
        self.note_relists()
        leader, _ = self.leader_and_standby()
        leader.stop(signal.SIGKILL)
        self.crashes.append(time.time())
        self.launch(leader)

    def terminate(self) -> None:
        leader, _ = self.leader_and_standby()
        assert leader.stop() == 0
        self.done["terminated"] += 1
        self.launch(leader)

    def restart_api_server(self) -> None:
        self.note_relists()
        self.plane.stop_apiserver()
        self.plane.start_apiserver()
        self.done["restarted"] += 1

    def compact(self) -> None:
        """While all watches are cut, what they would go on from is forgotten. The API server's own
        memory of it, its watch cache, ends with a restart."""
        self.leader_and_standby()
        self.note_relists()
        led = len(self.times_of("leading"))
        self.kube.shut()
        self.rotate(self.number)
        self.plane.stop_apiserver()
        self.plane.compact()
        self.plane.start_apiserver()
        self.before_compaction = (self.expired(), led)
        self.kube.open()
        self.kube.rage(KUBE_FAULTS)
        self.done["restarted"] += 1

    STEPS = {
        2: crash,
        4: restart_api_server,
        5: terminate,
        7: compact,
        9: crash,
        11: terminate,
        12: compact,
        14: crash,
    }
    # The next rotation follows at once; or not before who takes over has sent this one.
    PACES = dict.fromkeys({6, 10, 13, 17, 18, 19}, 0) | {14: TAKEOVER_SECONDS}

    def run(self) -> None:
        start = time.monotonic()
        for self.number in range(1, ROTATIONS + 1):
            step = self.STEPS.get(self.number)
            late = len(self.behind(self.number - 1))
            then = f"rotation {self.number}" + (f", {step.__name__}" if step else "")
            print(f"{time.monotonic() - start:6.1f} s: {late} behind; {then}")
            if step is not Chaos.compact:
                self.rotate(self.number)
            if step:
                step(self)
            try:
                pace = self.PACES.get(self.number, PACE_SECONDS)
                self.wait(lambda: not self.behind(self.number), pace, "")
            except TimeoutError:
                pass  # it overlaps with the next

    # Figures

    def expired(self) -> int:
        """How many watches were told that their version is too old, which makes them list again."""
        lines = [l for operator in self.operators for l in operator.log.read_text().splitlines()]
        interrupted = [l for l in lines if '"msg":"watch interrupted"' in l]
        return sum(1 for line in interrupted if re.search("too old", line))

    def note_relists(self) -> None:
        """Those that the last compaction led to: three, of the watches of an operator that lived
        through it, or six. Who has taken the Lease since then has listed all for that. To be called
        before an operator ends."""
        if self.before_compaction is None:
            return
        expired, led = self.before_compaction
        self.before_compaction = None

        def listed_again() -> bool:
            return self.expired() - expired >= 3 or len(self.times_of("leading")) > led

        self.wait(listed_again, RELIST_SECONDS, "the watches list again")
        self.relists.append(self.expired() - expired)

    def all_synced(self) -> bool:
        items = json.loads(self.tenant.kubectl("get", "omni", "--output=json"))["items"]
        ready = [
            condition
            for item in items
            for condition in item["status"].get("conditions", [])
            if condition["type"] == "Ready"
        ]
        return len(ready) == CONNECTIONS + 1 and all(c["reason"] == "Synced" for c in ready)

    def times_of(self, message: str) -> list[float]:
        """When the operators logged this, in order."""
        lines = [line for o in self.operators for line in o.log.read_text().splitlines()]
        found = [json.loads(line) for line in lines if f'"msg":"{message}"' in line]
        return sorted(datetime.fromisoformat(line["ts"]).timestamp() for line in found)

    def leaks(self) -> set[str]:
        leak_search = LeakSearch()
        for index, row in enumerate(self.values.secrets):
            for number, text in enumerate(row):
                leak_search.keep(text, f"{number} of {index}")
        other = self.operators[1]
        return leak_search.leaks("\n".join([shown(self.tenant), other.log.read_text(), other.scrape()]))


@pytest.fixture
def chaos(
    control_plane_bin: Path, operator_bin: Path, emulator_bin: Path, tmp_path: Path
) -> Iterator[Chaos]:
    with ControlPlane(control_plane_bin) as plane:
        install_crds(plane)
        emulator = Emulator(emulator_bin, tmp_path / "emulator")
        run = Chaos(plane, emulator, operator_bin, tmp_path)
        yield run
        run.close()
        emulator.close()


@pytest.mark.long
def test_chaos(chaos: Chaos, figures: Callable[[str, str], None]) -> None:
    print(f"CHAOS_SEED={SEED}")
    chaos.set_up()
    chaos.run()
    chaos.note_relists()
    chaos.kube.calm()
    chaos.omni.calm()
    chaos.wait(lambda: not chaos.behind(ROTATIONS), SETTLE_SECONDS, "the last values at Omni")
    chaos.wait(chaos.all_synced, SETTLE_SECONDS, "all are Synced")
    chaos.leader_and_standby()
    attempts = chaos.sizes.attempts(chaos.omni.exchanges)
    check_journal(chaos, attempts)
    pushes = count_pushes(attempts, chaos.times_of("leading"), chaos.omni.cuts)
    figures("chaos", summary(chaos, attempts, pushes))
    check_take_overs(chaos)
    assert not chaos.leaks()


def check_take_overs(chaos: Chaos) -> None:
    """Every leader's end led to one take-over, a dead one's after its Lease had run out. One that
    has lost the Lease may get it again."""
    began = chaos.times_of("leading")
    lost = len(chaos.times_of(LEASE_LOST))
    ends = len(chaos.crashes) + chaos.done["terminated"]
    assert len(began) == 1 + ends + lost, (began, chaos.crashes, chaos.done, lost)
    for crash in chaos.crashes:
        after = min(time for time in began if time > crash) - crash
        assert LEASE_SECONDS[0] < after < LEASE_SECONDS[1], after
    lease = chaos.plane.get("lease", "omni-connection-operator", OPERATOR_NAMESPACE)["spec"]
    # Who takes the Lease and does not get the answer waits until it has run out again.
    assert ends <= lease["leaseTransitions"] <= 2 * (ends + lost)


def check_journal(chaos: Chaos, attempts: list[Attempt]) -> None:
    """Omni received what the proxy passed on, and of no connection an older value after a newer."""
    received = [r for r in chaos.emulator.requests() if r["method"] == "PATCH"]
    assert {r["status"] for r in received} <= {200, 0}  # 0: nobody was there any more
    values = [chaos.values.decode(r["body"]) for r in received]
    assert Counter(values) == Counter((a.index, a.number) for a in attempts if a.passed)
    for index in range(CONNECTIONS):
        numbers = [number for of, number in values if of == index]
        assert numbers == sorted(numbers), f"connection {index}: an older value after a newer one"
        assert numbers[-1] == ROTATIONS


def summary(chaos: Chaos, attempts: list[Attempt], pushes: Counter[str]) -> str:
    faults = chaos.kube.counts + chaos.omni.counts
    abandoned = faults.pop("abandoned", 0)
    unanswered = sum(not attempt.answered for attempt in attempts)
    kinds = ", ".join(f"{count} {fault}" for fault, count in sorted(faults.items()))
    done = chaos.done
    return (
        f"seed {SEED}, {CONNECTIONS * ROTATIONS} rotations over {len(chaos.crashes)} crashes, "
        f"{done['terminated']} SIGTERMs, {len(chaos.times_of(LEASE_LOST))} leaders that lost the Lease, "
        f"{done['restarted']} restarts of the API server, {len(chaos.relists)} compactions "
        f"({sum(chaos.relists)} relists), {faults.total()} faults ({kinds}), "
        f"{abandoned} requests abandoned: {pushes.total()} pushes ({pushes['value']} values + "
        f"{pushes['unknown']} of {unanswered} unanswered + {pushes['take-over']} after take-overs "
        f"+ {pushes['settling']} + {pushes['settling unread']} settling), lost 0, stale 0"
    )


def attempt(number: int, time: float, *, answered: bool = True) -> Attempt:
    return Attempt(0, number, time, passed=True, answered=answered)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([attempt(0, 1), attempt(1, 2), attempt(5, 3)], ["value"] * 3),
        ([attempt(0, 1), attempt(0, 2)], None),
        ([attempt(1, 1), attempt(0, 2)], None),
        ([attempt(0, 1, answered=False), attempt(0, 2)], ["value", "unknown"]),
        ([attempt(0, 1, answered=False), attempt(0, 2), attempt(0, 63)], None),
        (
            [attempt(0, 1, answered=False), attempt(1, 2), attempt(1, 63)],
            ["value", "value", "settling"],
        ),
        ([attempt(0, 1, answered=False), attempt(1, 2), attempt(1, 61)], None),
        ([attempt(0, 1, answered=False), *(attempt(1, t) for t in (2, 63, 124))], None),
        (
            [attempt(0, 1, answered=False), *(attempt(*a) for a in ((0, 2), (1, 30), (1, 91)))],
            ["value", "unknown", "value", "settling"],
        ),
        ([attempt(0, 1, answered=False), *(attempt(*a) for a in ((0, 2), (1, 90), (1, 151)))], None),
        ([attempt(0, 998), attempt(0, 1001)], ["value", "take-over"]),
        ([attempt(0, 998), attempt(0, 1001), attempt(0, 1002)], None),
        ([attempt(1, 998), attempt(0, 1001)], None),
        ([attempt(0, 1, answered=False), *(attempt(1, t) for t in (2, 1001, 1062))], None),
    ],
)
def test_the_account_knows_what_has_no_reason(
    attempts: list[Attempt], expected: list[str] | None
) -> None:
    terms = [0.0, 1000.0]
    if expected is None:
        with pytest.raises(AssertionError):
            reasons(attempts, terms)
    else:
        assert reasons(attempts, terms) == expected
