"""A Tenant with an operator, an Omni and a rate limit of its own, and with so many connections that
the limit is felt. What went over it is judged by the times at which Omni got the requests."""

from __future__ import annotations

import os
import re
import signal
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Iterable

from control_plane import ControlPlane, wait_until
from installation import ACCOUNT, allow_lease
from kube_bulk import CONNECTIONS_PATH, SECRETS_PATH, KubeBulk
from minute_windows import full_windows, largest_window, reuse
from omni_traffic import SECOND_CLIENT_PATH, Journal, is_rotation, number_of, times_of
from tenant import GROUP, TOKEN, Emulator, Operator, Tenant

KEY = "omni_osk_of_the_measured_minutes"
AMPLE = 60_000  # requests a minute, while things are set up
VALUE_MARK = "budget-rotation"  # is in every credential, and to be found nowhere else
PREPARED_SECONDS = 180
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Measure:
    """How much is shown. The bounds are the same for each."""

    per_minute: int
    minutes: int  # full minutes of rotations that nothing disturbs
    settle_seconds: float  # beside a second client: until it is judged...
    shared_seconds: float  # ...and for how long
    soon_seconds: float | None  # a lone rotation's way to Omni; None: other tests run beside

    @staticmethod
    def of_environment() -> Measure:
        """$OCO_REQUESTS_PER_MINUTE, and $OCO_FULL_LENGTH=1 for what takes a quarter of an hour.

        Beside a second client the shorter stretch is of minutes 3 to 5, not of 4 to 13.
        """
        per_minute = int(os.environ.get("OCO_REQUESTS_PER_MINUTE", "600"))
        if os.environ.get("OCO_FULL_LENGTH") == "1":
            return Measure(per_minute, 6, settle_seconds=240, shared_seconds=540, soon_seconds=1)
        return Measure(per_minute, 2, settle_seconds=120, shared_seconds=120, soon_seconds=None)


@dataclass(frozen=True)
class Binaries:
    operator: Path
    emulator: Path


@dataclass
class Account:
    """What became of the rotations and role changes, by the journal of Omni."""

    requests: int  # of the operator
    refused: int  # answered 429
    largest: int  # window
    windows: list[int]
    reuse: float
    lost: int  # connections that do not hold their newest value
    stale: int  # older values that came after newer ones

    def __str__(self) -> str:
        lowest = f"{min(self.windows)}" if self.windows else "-"
        return (
            f"{self.requests} requests, {self.refused} × 429, largest window {self.largest}, "
            f"full windows {self.windows} (least {lowest}), used {100 * self.reuse:.1f} %, "
            f"lost {self.lost}, stale {self.stale}"
        )


class BudgetTenant(Tenant):
    """Connections `c0`, `c1`, ... each with a Secret of the same name; those from `roles_from` on
    have a role instead. prepare() sets all up and in step, with the whole budget unspent."""

    def __init__(
        self,
        plane: ControlPlane,
        binaries: Binaries,
        directory: Path,
        per_minute: int,
        count: int,
        *,
        roles_from: int | None = None,
        elsewhere: int = 0,  # so many of the last are in another namespace
    ) -> None:
        directory.mkdir()
        self.per_minute, self.count = per_minute, count
        self._roles_from = count if roles_from is None else roles_from
        self._elsewhere_from = count - elsewhere
        self.ids = [str(uuid.uuid4()) for _ in range(count)]
        self._index = {connection_id: i for i, connection_id in enumerate(self.ids)}
        seed = [
            {"id": connection_id, "name": f"postgres {i}", "dialect": "postgres"}
            for i, connection_id in enumerate(self.ids)
        ]
        emulator = Emulator(binaries.emulator, directory / "emulator", seed)
        spaces = [plane.create_namespace("budget"), plane.create_namespace("budget-elsewhere")]
        self.namespaces = spaces
        flags = ["--allowed-hosts", emulator.host]
        operator_namespace = plane.create_namespace("budget-operator")
        allow_lease(plane, ACCOUNT, operator_namespace)
        flags += ["--operator-namespace", operator_namespace]
        for ns in spaces:
            flags += ["--namespace", ns]
        operator = Operator(binaries.operator, plane, directory / "log", *flags)
        self.bulk = KubeBulk(plane)
        self._aside = ThreadPoolExecutor(1)
        super().__init__(plane, emulator, operator, spaces[0])
        self.credentials.append(VALUE_MARK)
        self.numbers = [0] * count  # of the newest value of each
        self.versions = [""] * count  # of its Secret
        self.written_at = [0.0] * count  # before it was written, as time.time() has it
        self._new_roles = False
        self._journal = Journal(emulator)
        self._entries: list[dict[str, Any]] = []

    def close(self) -> None:
        self.operator.close()
        self.emulator.close()
        self._aside.shutdown()
        self.bulk.close()

    # Setting up

    def prepare(self) -> None:
        self.emulator.admin("PUT", "tokens", {"tokens": [TOKEN, KEY]})
        self.instance("omni", allowedNamespaces={"from": "All"})
        with_secret = range(self._roles_from)
        self.bulk.send(
            ("POST", SECRETS_PATH.format(self.namespace_of(i)), self._secret(i))
            for i in with_secret
        )
        self.bulk.send(
            ("POST", CONNECTIONS_PATH.format(self.namespace_of(i)), self._connection(i))
            for i in range(self.count)
        )
        self.operator.start()
        self.await_reason("Synced", self.count)
        # Another key has another budget, of which nothing was spent yet.
        self.limit(self.per_minute)
        self.use_key(KEY)

    def limit(self, per_minute: int) -> None:
        self.instance(
            "omni",
            allowedNamespaces={"from": "All"},
            rateLimit={"requestsPerMinute": per_minute},
        )

    def limits(self, window: str = "sliding", count_refused: bool = False) -> None:
        """What Omni enforces from now on."""
        limits = {"requestsPerMinute": self.per_minute, "rateWindow": window}
        self.emulator.admin("PUT", "limits", {**limits, "countRefused": count_refused})

    def use_key(self, key: str) -> None:
        self.secret("omni-token", token=key)

    def await_budget(self) -> None:
        """Until nothing of it is spent or held in reserve any more; then the account begins."""
        name = f'omni_rate_limit_remaining{{omni_instance="{self.ns}/omni"}}'
        wait_until(
            lambda: self._metric(name) == self.per_minute, PREPARED_SECONDS,
            "the budget is unspent", every_seconds=0.5,
        )  # fmt: skip
        self.begin()

    def _metric(self, series: str) -> float:
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.operator.scrape(), re.MULTILINE)
        return float(found[1]) if found else 0

    def await_reason(self, reason: str, count: int, seconds: float = PREPARED_SECONDS) -> None:
        """Until Ready has this reason for so many, by the metrics, and then by the statuses too."""
        status = {"Synced": "True", "RateLimited": "Unknown"}.get(reason, "False")
        series = f'omni_connections{{ready="{status}",reason="{reason}"}}'
        what = f"{count} are {reason}"
        end = time.monotonic() + seconds
        wait_until(lambda: self._metric(series) >= count, seconds, what, every_seconds=0.3)
        wait_until(
            lambda: len(self.reasons(reason)) >= count, max(1, end - time.monotonic()), what,
            every_seconds=0.5,
        )  # fmt: skip

    def begin(self) -> None:
        """The account begins here."""
        self._journal.read()
        self._entries.clear()

    # Changes

    def namespace_of(self, index: int) -> str:
        return self.namespaces[index >= self._elsewhere_from]

    def value(self, index: int) -> str:
        return f"{VALUE_MARK}#{self.numbers[index]}#{index}"

    def rotate(self, indices: Iterable[int]) -> None:
        """Each of these gets a new value, all at once."""
        chosen = list(indices)
        for index in chosen:
            self.numbers[index] += 1
            self.written_at[index] = time.time()
        answers = self.bulk.send(
            (
                "PATCH",
                f"{SECRETS_PATH.format(self.namespace_of(i))}/c{i}",
                {"stringData": {"password": self.value(i)}},
            )
            for i in chosen
        )
        for index, answer in zip(chosen, answers):
            self.versions[index] = answer["metadata"]["resourceVersion"]

    def rotate_aside(self, indices: Iterable[int]) -> Future[None]:
        """The same, and does not wait until all is written."""
        return self._aside.submit(self.rotate, indices)

    def set_roles(self, role: str) -> None:
        self._new_roles = True
        change = {"spec": {"baseRole": role}}
        self.bulk.send(
            ("PATCH", f"{CONNECTIONS_PATH.format(self.namespace_of(i))}/c{i}", change)
            for i in range(self._roles_from, self.count)
        )

    def _secret(self, index: int) -> dict[str, Any]:
        return {"metadata": {"name": f"c{index}"}, "stringData": {"password": self.value(index)}}

    def _connection(self, index: int) -> dict[str, Any]:
        managed: dict[str, Any] = {"baseRole": "VIEWER"}
        if index < self._roles_from:
            managed = {"credentials": {"password": {"secretRef": {"name": f"c{index}"}}}}
        reference = {"name": "omni", "namespace": self.ns}
        return {
            "apiVersion": GROUP,
            "kind": "OmniConnection",
            "metadata": {"name": f"c{index}"},
            "spec": {"instanceRef": reference, "connectionID": self.ids[index], **managed},
        }

    # What the cluster says

    def statuses(self) -> list[dict[str, Any]]:
        """By index."""
        lists = self.bulk.send(("GET", CONNECTIONS_PATH.format(ns), None) for ns in self.namespaces)
        items = [item for one in lists for item in one["items"]]
        items.sort(key=lambda item: int(item["metadata"]["name"][1:]))
        return [item.get("status", {}) for item in items]

    def reasons(self, *wanted: str) -> list[int]:
        """The indices of those whose Ready has one of these reasons."""
        return [
            i for i, status in enumerate(self.statuses())
            for c in status.get("conditions", []) if c["type"] == "Ready" and c["reason"] in wanted
        ]  # fmt: skip

    def ready_since(self, indices: Iterable[int]) -> float:
        """When the last of these became Ready, by their statuses: the end of that second."""
        told = self.statuses()
        ready = [c for i in indices for c in told[i]["conditions"] if c["type"] == "Ready"]
        times = [datetime.fromisoformat(c["lastTransitionTime"]).timestamp() for c in ready]
        return max(times) + 1

    # What Omni got since begin()

    def entries(self) -> list[dict[str, Any]]:
        """All requests, the second client's too, oldest first."""
        self._entries += self._journal.read()
        return self._entries

    def own(self) -> list[dict[str, Any]]:
        """The operator's requests."""
        return [e for e in self.entries() if e["path"] != SECOND_CLIENT_PATH]

    def pushes(self) -> list[tuple[int, dict[str, Any]]]:
        """The PATCHes, each with the index of its connection."""
        return [(self._index[e["connectionID"]], e) for e in self.own() if e["method"] == "PATCH"]

    def behind(self) -> list[int]:
        """Those of which Omni does not hold the newest value."""
        held = {i: number_of(e) for i, e in self.pushes() if e["applied"] and is_rotation(e)}
        return [i for i in range(self._roles_from) if self.numbers[i] > held.get(i, 0)]

    def await_pushes(self, count: int, seconds: float) -> None:
        wait_until(lambda: len(self.pushes()) >= count, seconds, f"{count} PATCHes")

    def first_push(self, index: int) -> dict[str, Any] | None:
        """Of the newest value of this one."""
        newest = (
            e for i, e in self.pushes()
            if i == index
            and is_rotation(e)
            and number_of(e) == self.numbers[index]
            and e["applied"]
        )  # fmt: skip
        return next(newest, None)

    def latency(self, index: int) -> float:
        """Seconds from the write of the newest value to Omni."""
        found = wait_until(
            lambda: self.first_push(index), 90, f"c{index} is pushed", every_seconds=POLL_SECONDS
        )
        return found["timeUnixMs"] / 1000 - self.written_at[index]

    def sent_before(self, index: int) -> int:
        """How many pushes of others Omni got between the write of the newest value and its own."""
        own = self.first_push(index)
        assert own, f"c{index} is not pushed"
        written = self.written_at[index] * 1000
        return sum(written < e["timeUnixMs"] < own["timeUnixMs"] for i, e in self.pushes())

    def account(self) -> Account:
        own = self.own()
        times = times_of(own)
        stale = 0
        newest: dict[int, int] = {}
        for index, entry in self.pushes():
            if is_rotation(entry):
                stale += number_of(entry) < newest.get(index, 0)
                newest[index] = number_of(entry)
        return Account(
            requests=len(own),
            refused=sum(e["status"] == 429 for e in own),
            largest=largest_window(times),
            windows=full_windows(times),
            reuse=reuse(times, self.per_minute),
            lost=len(self.behind()),
            stale=stale,
        )

    def await_told_to_wait(self) -> int:
        """Until everything that waits is RateLimited and says when it is to be tried; how many."""

        def silent() -> list[int]:
            told = self.statuses()
            waiting = self.unsent()
            counts.append(len(waiting))
            return [i for i in waiting if not _is_told_to_wait(told[i])]

        counts: list[int] = []
        wait_until(lambda: not silent(), 30, "who waits is told so", every_seconds=1)
        return counts[-1]

    def unsent(self) -> set[int]:
        """Those of which the newest change was not sent since begin(), be it accepted or not."""
        waiting = set(self.behind())
        if self._new_roles:
            waiting.update(range(self._roles_from, self.count))
        return waiting - {
            i for i, e in self.pushes() if not is_rotation(e) or number_of(e) == self.numbers[i]
        }

    # Restarts

    def restart(self, stop_signal: int, writing: Future[None] | None = None) -> int:
        """How many changes Omni had got of which no status told when the operator was gone.
        `writing` goes on meanwhile."""
        self.operator.stop(stop_signal)
        if writing:
            writing.result()
        last: list[Any] = [None]

        def at_rest() -> bool:  # what it had sent has arrived
            seen = (len(self.entries()), [s.get("applied") for s in self.statuses()])
            same = seen == last[0]
            last[0] = seen
            return same

        wait_until(at_rest, 20, "what was under way has arrived", every_seconds=0.5)
        untold = self._untold()
        self.operator.start()
        return untold

    def _untold(self) -> int:
        sent = {i: e["body"] for i, e in self.pushes() if e["applied"]}
        statuses = self.statuses()

        def told(index: int, body: dict[str, Any]) -> bool:
            # What is sent once more, to settle, does not count as applied yet.
            if ("baseRole" if "baseRole" in body else "credential") in statuses[index].get(
                "unanswered", []
            ):
                return True
            applied = statuses[index].get("applied", {})
            if "baseRole" in body:
                return applied.get("baseRole", {}).get("value") == body["baseRole"]
            recorded = applied.get("credential", {})
            return recorded.get("secretResourceVersion") == self.versions[index]

        return sum(not told(index, body) for index, body in sent.items())

    def excess(self, stop_signal: int | None, untold: int) -> int:
        """By how much a window may exceed the limit: not at all, except for what a process that was
        killed could not tell the next, which keeps a tenth back for that."""
        return max(0, untold - self.per_minute // 10) if stop_signal == signal.SIGKILL else 0


def _is_told_to_wait(status: dict[str, Any]) -> bool:
    ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
    return ready.get("reason") == "RateLimited" and "nextAttemptTime" in status
