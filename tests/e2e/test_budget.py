"""What stands between wanted pushes and Omni's rate limit, in real time.

Each scenario has an operator, an Omni and a key of its own, and all run side by side, since they
mostly wait for a minute to pass; a test takes the verdict of one. `make soak` runs them at 60
requests a minute and for longer.
"""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from budget_tenant import KEY, Account, Binaries, BudgetTenant, Measure
from control_plane import ControlPlane, wait_until
from installation import install_crds
from kube_bulk import CONNECTIONS_PATH
from minute_windows import full_windows, largest_window, reuse
from omni_traffic import SECOND_CLIENT_PATH, SecondClient, times_of
from tenant import TOKEN

USED = 0.98  # of the budget, in each full minute
# For a minute after a start a tenth of the budget is kept for what the process before did not tell.
USED_AFTER_A_START = USED - 0.1
USED_BESIDE_ANOTHER = 0.9  # of what a second client leaves
REFUSED_BESIDE_ANOTHER = 2  # 429 a minute
READY_AGAIN_SECONDS = 10  # with a good key again
MOST_AT_ONCE = 20  # requests under way: among them the order of arrival is chance
STALLED_SECONDS = 4  # far longer than between two requests that are paced, also at 60 a minute
SETTLED_SECONDS = 30
SETTLED_AFTER_A_CRASH_SECONDS = 180  # what goes in the first minute after it goes once more
POLL_SECONDS = 0.2

pytestmark = pytest.mark.xdist_group("budget")  # the scenarios run side by side


class Stage:
    """Makes sites, one after the other: making one takes both cores for some seconds, and so they
    reach the limit at different times."""

    def __init__(
        self, plane: ControlPlane, binaries: Binaries, directory: Path, measure: Measure
    ) -> None:
        self.measure = measure
        self._plane, self._binaries, self._directory = plane, binaries, directory
        self._turn = threading.Lock()
        self._made = 0

    @contextmanager
    def tenant(self, count: int, *, rested: bool = True, **more: Any) -> Iterator[BudgetTenant]:
        """A tenant in step; `rested`: its whole budget is free. Afterwards no credential may be
        readable."""
        with self._turn:
            self._made += 1
            directory = self._directory / str(self._made)
            per_minute = self.measure.per_minute
            made = BudgetTenant(self._plane, self._binaries, directory, per_minute, count, **more)
            try:
                made.prepare()
            except BaseException:
                made.close()
                raise
        try:
            if rested:
                made.await_budget()
            yield made
            assert not made.leaked()
        finally:
            made.close()


def check(account: Account, limit: int, excess: int = 0) -> None:
    """What holds whenever the operator is alone with its key; see BudgetTenant.excess()."""
    assert account.refused <= excess, account
    assert account.largest <= limit + excess, account
    assert account.lost == 0 and account.stale == 0, account


def check_used(account: Account, per_minute: int) -> None:
    assert account.windows, f"no full minute: {account}"
    assert min(account.windows) >= USED * per_minute, account
    assert account.reuse >= USED, account


def await_all(
    tenant: BudgetTenant,
    minutes: float,
    but: frozenset[int] = frozenset(),
    settled_seconds: float = SETTLED_SECONDS,
) -> None:
    """Until Omni holds every newest value, and all is Synced."""
    wait_until(
        lambda: not set(tenant.behind()) - but, 60 * minutes, "every newest value is in Omni",
        every_seconds=POLL_SECONDS,
    )  # fmt: skip
    tenant.await_reason("Synced", tenant.count - len(but), settled_seconds)


# --- scenarios ------------------------------------------------------------------------------------


def alone(stage: Stage) -> str:
    """Far more rotations than a minute has room for. Beside them: a connection that Omni fails on
    each time, one it forbids, one with a misspelt role, and rotations that come later."""
    n, minutes = stage.measure.per_minute, stage.measure.minutes
    count = int(n * (minutes + 0.2))
    failing, forbidden, misspelt, late, elsewhere = 0, 1, 2, count - 2, count - 1
    again = range(count - 2 - n // 10, count - 2)
    with stage.tenant(count, elsewhere=1) as tenant:
        tenant.limits()
        tenant.emulator.fault(tenant.ids[failing], "respond", status=500)
        tenant.emulator.fault(tenant.ids[forbidden], "respond", status=403)
        role = ("PATCH", f"{CONNECTIONS_PATH.format(tenant.ns)}/c{misspelt}",
                {"spec": {"baseRole": "QUERRIER"}})  # fmt: skip
        tenant.rotate(range(late))
        tenant.bulk.send([role])
        tenant.await_pushes(int(0.95 * n), 30)
        tenant.rotate(again)
        tenant.rotate([late, elsewhere])
        told = tenant.await_told_to_wait()
        await_all(tenant, minutes + 1, frozenset({failing, forbidden, misspelt}))

        account = tenant.account()
        account.lost -= 2  # what Omni does not take
        check(account, n)
        check_used(account, n)

        after = tenant.written_at[elsewhere] * 1000
        order = [i for i, e in tenant.pushes() if e["timeUnixMs"] > after and i not in (0, 1, 2)]
        place, of = order.index(late), len(order)
        assert order.index(elsewhere) <= MOST_AT_ONCE, "another namespace has the next turn"
        assert place >= of - MOST_AT_ONCE - of // 10, f"turn {place} of {of} in its namespace"

        tenant.wait_reason(f"c{misspelt}", "Rejected")
        tenant.wait_reason(f"c{forbidden}", "Forbidden")
        assert tenant.reasons("OmniUnavailable", "RateLimited") == [failing]
        held = {c["id"]: c for c in tenant.emulator.admin("GET", "connections")["connections"]}
        assert held[tenant.ids[misspelt]]["password"] == tenant.value(misspelt)
        return (
            f"{account}; {told} told to wait; the other namespace's was number "
            f"{order.index(elsewhere) + 1}, one of the same {place + 1} of {of}"
        )


def at_once(stage: Stage, window: str, stop_signal: int | None = None) -> str:
    """As many rotations as fill a minute and begin the next, and a restart in the middle."""
    n = stage.measure.per_minute
    minutes = stage.measure.minutes // 2
    count = int(n * (minutes + 0.2))
    with stage.tenant(count) as tenant:
        tenant.limits(window)
        if stop_signal:  # so that it comes while requests are under way
            delay = {"method": "PATCH", "action": "delay", "delayMs": 200}
            tenant.emulator.admin("POST", "faults", delay)
        writing = tenant.rotate_aside(range(count))
        tenant.await_pushes(n // 2, 30)
        untold = tenant.restart(stop_signal, writing) if stop_signal else 0
        writing.result()
        tenant.rotate(range(count - n // 10, count))
        crashed = stop_signal == signal.SIGKILL
        settled_seconds = SETTLED_AFTER_A_CRASH_SECONDS if crashed else SETTLED_SECONDS
        await_all(tenant, minutes + 2, settled_seconds=settled_seconds)
        account = tenant.account()
        check(account, n, tenant.excess(stop_signal, untold))
        if not stop_signal:
            check_used(account, n)
            return str(account)
        first, *rest = account.windows
        assert first >= USED_AFTER_A_START * n, account
        if not crashed:
            assert all(used >= USED * n for used in rest), account
        return f"{account}; untold {untold}"


def roles_in_arrears(stage: Stage) -> str:
    """Many role changes wait: at the start, after restarts, and with all spent that they may spend.
    A rotation goes out at once all the same."""
    n = stage.measure.per_minute
    burst, singles, roles = n // 2, 4, n
    credentials = burst + singles
    with stage.tenant(credentials + roles, roles_from=credentials) as tenant:
        tenant.limits()
        rotations = iter(range(burst, credentials))
        took: dict[str, float] = {}
        before: dict[str, int] = {}

        def rotate_one(when: str) -> None:
            index = next(rotations)
            tenant.rotate([index])
            took[when] = tenant.latency(index)
            before[when] = tenant.sent_before(index)

        def go_on(stop_signal: int) -> int:
            untold = tenant.restart(stop_signal)
            tenant.await_pushes(len(tenant.pushes()) + 2, 90)
            return untold

        def stalled() -> bool:
            return time.time() - times_of(tenant.entries())[-1] > STALLED_SECONDS

        tenant.rotate(range(burst))
        tenant.set_roles("QUERIER")
        tenant.await_pushes(burst + n // 20, 60)
        told = tenant.await_told_to_wait()
        rotate_one("early")
        untold = go_on(signal.SIGKILL)
        rotate_one("after SIGKILL")
        # The burst holds its slots for a minute, and the role changes have come up to what is kept
        # free for rotations.
        wait_until(stalled, 60, "role changes have spent their share", every_seconds=POLL_SECONDS)
        rotate_one("with the rest spent")
        tenant.await_pushes(burst + int(0.6 * n), 120)
        untold_after_sigterm = go_on(signal.SIGTERM)
        rotate_one("after SIGTERM")
        assert tenant.unsent(), "the backlog ended too early to show anything"
        wait_until(lambda: not tenant.unsent(), 240, "every role is in Omni")
        await_all(tenant, 1, settled_seconds=SETTLED_AFTER_A_CRASH_SECONDS)
        held = tenant.emulator.admin("GET", "connections")["connections"]
        held_roles = {c["id"]: c["baseRole"] for c in held}
        assert {held_roles[c] for c in tenant.ids[credentials:]} == {"QUERIER"}
        account = tenant.account()
        latencies = ", ".join(f"{when} {1000 * seconds:.0f} ms" for when, seconds in took.items())
        line = f"{account}; untold {untold}; {told} told to wait; rotations: {latencies}"
        check(account, n, tenant.excess(signal.SIGKILL, untold))
        assert untold_after_sigterm == 0, line
        # Of those that go evenly, no more than go in two seconds; how long it takes is for a
        # machine that has nothing else to do.
        assert max(before.values()) <= max(2, 0.9 * n / 30), f"{before}: {line}"
        soon = stage.measure.soon_seconds
        assert soon is None or max(took.values()) <= soon, line
        return f"{line}; {max(before.values())} role changes before one"


def shared(stage: Stage, count_refused: bool) -> str:
    """A second client takes half of what the key allows, which nobody told the operator."""
    measure, n = stage.measure, stage.measure.per_minute
    count = int(0.9 * n)
    with stage.tenant(count) as tenant:
        tenant.limits(count_refused=count_refused)
        with SecondClient(tenant.emulator, KEY, n / 2):
            wait_until(tenant.entries, 10, "the second client")
            begin = times_of(tenant.entries())[0] + measure.settle_seconds
            end = begin + measure.shared_seconds

            def is_over() -> bool:
                waiting = set(tenant.behind())
                if len(waiting) < 0.4 * n:  # there is always something to send
                    tenant.rotate(set(range(count)) - waiting)
                return times_of(tenant.entries())[-1] >= end

            wait_until(is_over, end - time.time() + 60, "the time", every_seconds=POLL_SECONDS)
        judged = [e for e in tenant.entries() if begin <= e["timeUnixMs"] / 1000 < end]
        others = [e for e in judged if e["path"] == SECOND_CLIENT_PATH]
        own = [e for e in judged if e["path"] != SECOND_CLIENT_PATH]
        minutes = measure.shared_seconds / 60

        def refused(entries: list[dict[str, Any]]) -> int:
            return sum(e["status"] == 429 for e in entries)

        left = n * minutes - len(others) + (0 if count_refused else refused(others))
        used = (len(own) - refused(own)) / left
        refused_a_minute = refused(own) / minutes
        account = tenant.account()
        line = (
            f"{len(own)} requests in {minutes:.1f} min, {refused_a_minute:.1f} × 429 a minute "
            f"({refused(tenant.own()) - refused(own)} before), the other's {refused(others)} of "
            f"{len(others)}, used {100 * used:.1f} % of what it left, stale {account.stale}"
        )
        assert account.stale == 0, line
        assert refused_a_minute <= REFUSED_BESIDE_ANOTHER, line
        assert used >= USED_BESIDE_ANOTHER, line
        return line


def revoked(stage: Stage) -> str:
    """The key is revoked, and rotations pile up behind it, over two restarts; then a new key."""
    n = stage.measure.per_minute
    in_step, count = n // 5, int(1.4 * n)
    new_key = f"{KEY}_renewed"
    with stage.tenant(count, rested=False) as tenant:
        tenant.limits()
        tenant.emulator.admin("PUT", "tokens", {"tokens": [TOKEN]})
        tenant.rotate([count - 1])
        tenant.await_reason("Unauthorized", count, 60)
        tenant.begin()
        tenant.rotate(range(in_step, count))
        restarts = (signal.SIGTERM, signal.SIGKILL)
        for done, stop_signal in enumerate(restarts):
            tenant.restart(stop_signal)
            # What was pushed while all was set up counts for a minute, whichever key it was with.
            wait_until(lambda: len(tenant.own()) > done, 90, "the key is tried after the restart")
        asked = len(tenant.own())
        wait_until(lambda: len(tenant.own()) > asked, 75, "the key is tried again")
        probes = times_of(tenant.own())
        # Each new process tries the key once.
        assert largest_window(probes, 59.9) <= 1 + len(restarts), probes
        assert probes[-1] - probes[-2] >= 59.9, probes
        assert not tenant.reasons("Synced")

        tenant.emulator.admin("PUT", "tokens", {"tokens": [TOKEN, new_key]})
        tenant.begin()
        replaced = time.time()
        tenant.use_key(new_key)
        wait_until(
            lambda: set(range(in_step)) <= set(tenant.reasons("Synced")), 60, "Ready again",
            every_seconds=0.5,
        )  # fmt: skip
        took = tenant.ready_since(range(in_step)) - replaced
        assert took <= READY_AGAIN_SECONDS, took
        await_all(tenant, 3)
        account = tenant.account()
        assert not [i for i, _ in tenant.pushes() if i < in_step], "pushed without a change"
        check(account, n)
        times = times_of(tenant.own())
        account.windows, account.reuse = full_windows(times), reuse(times, n)
        check_used(account, n)
        return (
            f"{len(probes)} requests while revoked, {len(restarts)} of them by restarts; "
            f"{in_step} in step Ready after {took:.1f} s; then {account}"
        )


Scenario = Callable[[Stage], str]
# The longest first.
SCENARIOS: dict[str, Scenario] = {
    "beside another, refused not counted": lambda stage: shared(stage, False),
    "beside another, refused counted": lambda stage: shared(stage, True),
    "alone": alone,
    "role changes in arrears": roles_in_arrears,
    "revoked key": revoked,
    "SIGKILL": lambda stage: at_once(stage, "sliding", signal.SIGKILL),
    "SIGTERM": lambda stage: at_once(stage, "sliding", signal.SIGTERM),
    "fixed window": lambda stage: at_once(stage, "fixed"),
}


@pytest.mark.parametrize(
    ("times", "largest", "full"),
    [
        ([], 0, []),
        ([0, 1, 59.9], 3, []),
        ([0, 60, 120], 1, [1, 1]),  # exactly a minute apart is never together
        ([0, 59, 60, 61, 118, 119], 4, [2]),
        ([5, 30, 65, 66, 126], 3, [2, 2]),
    ],
)
def test_windows(times: list[float], largest: int, full: list[int]) -> None:
    assert (largest_window(times), full_windows(times)) == (largest, full)


def test_reuse() -> None:
    assert reuse([0, 0, 60, 60, 120], 2) == 1
    assert reuse([0, 1, 75, 76], 2) == 0.8


@pytest.fixture(scope="module")
def running(
    control_plane_bin: Path,
    operator_bin: Path,
    emulator_bin: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, Future[str]]]:
    """The scenarios of the tests that were asked for, by name."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {call.params.get("scenario") for call in calls if call}
    with ControlPlane(control_plane_bin) as plane, ThreadPoolExecutor(len(SCENARIOS)) as pool:
        install_crds(plane)
        binaries = Binaries(operator_bin, emulator_bin)
        directory = tmp_path_factory.mktemp("budget")
        stage = Stage(plane, binaries, directory, Measure.of_environment())
        yield {name: pool.submit(run, stage) for name, run in SCENARIOS.items() if name in asked}


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_budget(
    running: dict[str, Future[str]], scenario: str, figures: Callable[[str, str], None]
) -> None:
    figures(f"budget, {scenario}", running[scenario].result())
