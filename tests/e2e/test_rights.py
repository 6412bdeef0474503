"""deploy/kustomize gives the operator the rights that it needs, and none that it does not: without
any one of them, something goes wrong that can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

import pytest

from control_plane import ControlPlane, wait_until
from installation import install_crds
from kube_bulk import KubeBulk
from tenant import LEASE_LOST, Emulator
from rights import Right, Trial, rights, set_up

NAMESPACED = "namespaced"
OVERLAYS = ("cluster-wide", NAMESPACED)
NO_SECRETS = Right(NAMESPACED, "watched", "secrets", "get")
SECONDS = 40  # many processes begin at once
SECOND = "the-second-password"

pytestmark = pytest.mark.xdist_group("rights")  # they share a control plane


@pytest.fixture(scope="module", name="trials")
def fixture_trials(
    control_plane_bin: Path,
    operator_bin: Path,
    emulator: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[list[Trial]]:
    """For each overlay one with all its rights, and one without each; or no more than the quick tests
    need. A rotation has been, and then everything was sent once more."""
    all_of_them = any(item.get_closest_marker("long") for item in request.session.items)
    # Else a watch brings what there is, and nothing is ever listed: as on Kubernetes 1.33.
    flags = ["--feature-gates=WatchList=false"]
    with ControlPlane(control_plane_bin, apiserver_flags=flags) as plane:
        install_crds(plane)
        missing = [(o, right) for o in OVERLAYS for right in (None, *rights(plane, o))]
        if not all_of_them:
            missing = [of for of in missing if of == (NAMESPACED, None) or of[1] == NO_SECRETS]
        trials = [Trial(plane, emulator, *of, number) for number, of in enumerate(missing)]
        bulk = KubeBulk(plane)
        set_up(bulk, trials)
        logs = tmp_path_factory.mktemp("rights")
        for trial in trials:
            trial.launch(operator_bin, logs)
        followers = [trial for trial in trials if trial.begins_as_standby and not trial.missing]
        waits = lambda trial: trial.said("waiting for the Lease", trial.own)  # noqa: E731
        wait_until(lambda: all(map(waits, followers)), SECONDS, "they stand by")
        bulk.send(trial.release() for trial in followers)
        complete = [trial for trial in trials if not trial.missing]
        wait_until(lambda: all(map(in_step, complete)), SECONDS, "all is in step")
        bulk.send(trial.rotation(SECOND) for trial in trials)
        rotated = lambda trial: SECOND in trial.passwords(trial.ns)  # noqa: E731
        wait_until(lambda: all(map(rotated, complete)), SECONDS, "the second password at Omni")
        bulk.send(trial.force("once") for trial in trials)
        yield trials
        for trial in trials:
            trial.operator.close()
        bulk.close()


def in_step(trial: Trial) -> bool:
    places = ((trial.ns, "oconn"), (trial.guest, "oconn"), (trial.ns, "oinst"))
    return all(trial.reason(*place) == "Synced" for place in places)


def counts_events(trial: Trial) -> bool:
    return any("series" in event for event in trial.events())


@pytest.mark.long
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_rights_are_enough(trials: list[Trial], overlay: str) -> None:
    (trial,) = [t for t in trials if t.overlay == overlay and not t.missing]
    wait_until(lambda: counts_events(trial), SECONDS, "an Event that repeats is counted")
    assert trial.passwords(trial.ns) == ["the-first-password", SECOND, SECOND]
    wait_until(lambda: in_step(trial), SECONDS, "all is in step")
    assert trial.readiness() == "ok\n"
    denied = [line for line in trial.operator.scrape().splitlines() if 'code="403"' in line]
    assert not denied
    assert not trial.said("watch interrupted", "leases")


# What goes wrong without a right: what the log then says, and what is to be seen of it.
Wrong = tuple[str, Callable[[Trial], bool]]


def not_ready(trial: Trial) -> bool:
    return trial.readiness() != "ok\n" and not trial.passwords(trial.ns)


def not_leading(trial: Trial) -> bool:
    return not trial.operator.said("leading") and not trial.passwords(trial.ns)


def not_watched(verb: str, resource: str) -> Wrong:
    told = f'cannot {verb} resource "{resource}"'
    return ("watch interrupted", lambda trial: told in trial.readiness() and not_ready(trial))


def polls_the_lease(verb: str) -> Wrong:
    """It leads in the end, when the holder that never was is past its term."""
    told = f"cannot {verb} resource"
    leads = lambda trial: bool(trial.operator.said("leading"))  # noqa: E731
    return (
        "watch interrupted",
        lambda trial: trial.said("watch interrupted", told) and leads(trial),
    )


NO_DIGEST_KEY: Wrong = ("waiting for the digest key", not_ready)
NO_LEASE: Wrong = ("waiting for the Lease", not_leading)
GUEST_UNKNOWN: Wrong = (
    "watch interrupted",
    lambda trial: trial.reason(trial.guest) == "NamespaceNotAllowed",
)

WITHOUT: dict[tuple[str, str, str], Wrong] = {
    ("watched", "omniconnections", "list"): not_watched("list", "omniconnections"),
    ("watched", "omniconnections", "watch"): not_watched("watch", "omniconnections"),
    ("watched", "omniinstances", "list"): not_watched("list", "omniinstances"),
    ("watched", "omniinstances", "watch"): not_watched("watch", "omniinstances"),
    ("watched", "secrets", "list"): not_watched("list", "secrets"),
    ("watched", "secrets", "watch"): not_watched("watch", "secrets"),
    ("watched", "omniconnections/status", "patch"): (
        "status not written",
        lambda trial: not trial.reason(trial.ns) and bool(trial.passwords(trial.ns)),
    ),
    ("watched", "omniinstances/status", "patch"): (
        "status not written",
        lambda trial: not trial.reason(trial.ns, "oinst") and trial.reason(trial.ns) == "Synced",
    ),
    ("watched", "events", "create"): ("Event not written", lambda trial: not trial.events()),
    ("watched", "events", "patch"): (
        "Event not written",
        lambda trial: bool(trial.events()) and not counts_events(trial),
    ),
    ("watched", "namespaces", "list"): GUEST_UNKNOWN,
    ("watched", "namespaces", "watch"): GUEST_UNKNOWN,
    ("own", "leases", "create"): NO_LEASE,
    ("own", "leases", "get"): NO_LEASE,
    ("own", "leases", "list"): polls_the_lease("list"),
    ("own", "leases", "watch"): polls_the_lease("watch"),
    ("own", "leases", "update"): (
        "the Lease was not renewed",
        lambda trial: trial.operator.said(LEASE_LOST) is not None,
    ),
    ("own", "secrets", "create"): NO_DIGEST_KEY,
}
# In all namespaces, the operator's among them, or in that one and in the others apart.
WITHOUT_IN = {
    ("cluster-wide", "watched", "secrets", "get"): NO_DIGEST_KEY,
    ("namespaced", "own", "secrets", "get"): NO_DIGEST_KEY,
    ("namespaced", "watched", "secrets", "get"): (
        "OmniInstance",
        lambda trial: trial.reason(trial.ns, "oinst") == "SecretAccessDenied",
    ),
}


def needless(right: Right, trial: Trial) -> str:
    """Why the right that this trial lacks should not be given; empty: it is missed."""
    key = (right.role, right.resource, right.verb)
    wrong = WITHOUT_IN.get((right.overlay, *key)) or WITHOUT.get(key)
    if not wrong:
        return f"{right}: nobody knows what for"
    message, is_seen = wrong
    kind = right.resource.partition("/")[0]
    try:
        wait_until(lambda: trial.said(message, kind) and is_seen(trial), SECONDS, "it is missed")
    except TimeoutError:
        return f"{right}: not missed"
    return ""


@pytest.mark.long
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_right_is_needed(
    trials: list[Trial], overlay: str, figures: Callable[[str, str], None]
) -> None:
    without = [(t.missing, t) for t in trials if t.overlay == overlay and t.missing]
    assert not list(filter(None, (needless(*each) for each in without)))
    figures(f"rights, {overlay}", f"{len(without)}, each of them missed when it is taken away")


def test_a_right_that_is_missing_is_told(trials: list[Trial]) -> None:
    (trial,) = [t for t in trials if t.missing == NO_SECRETS]
    assert needless(NO_SECRETS, trial) == ""
