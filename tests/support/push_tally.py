"""Accounts for every PATCH that rotations led to: what it carried, whether its answer came through,
and why it was sent. Goes by what a FaultProxy saw, not by what the operator says."""

from __future__ import annotations

import secrets
from bisect import bisect
from collections import Counter
from dataclasses import dataclass
from typing import Any, Iterable, Sequence

from fault_proxy import Exchange

SETTLING_SECONDS = 60  # a value that follows an unanswered one is sent again after so long
# An unanswered attempt is given up after ten seconds, and feared for a minute more.
LANDS_WITHIN_SECONDS = 72


class Values:
    """Passwords, each of a length of its own, so that a PATCH can be told by its size. Every
    connection (`index`) has one for each rotation (`number`)."""

    def __init__(self, connections: int, rotations: int) -> None:
        self.rotations = rotations
        self.secrets = [
            [secrets.token_urlsafe(24) for _ in range(rotations)] for _ in range(connections)
        ]
        # So many that the Content-Length of the PATCH has three digits for all of them.
        self._filling = 100
        assert self._filling + connections * rotations < 900

    def __getitem__(self, at: tuple[int, int]) -> str:
        index, number = at
        length = self._filling + index * self.rotations + number
        return f"{self.secrets[index][number]}#{index:02}#{number:02}#" + "." * length

    @staticmethod
    def decode(body: dict[str, Any]) -> tuple[int, int]:
        """The index and the number of what a PATCH carried."""
        _, index, number, _ = body["passwordUnencrypted"].split("#")
        return int(index), int(number)


@dataclass(frozen=True)
class Attempt:
    """A PATCH that an operator began to send."""

    index: int
    number: int
    time: float
    passed: bool  # Omni got it
    answered: bool  # the operator got all of Omni's answer


class Sizes:
    """Learns from rotation 0, sent without faults, how long a PATCH and its answer are."""

    def __init__(self, values: Values, calm: Sequence[Exchange]) -> None:
        self._rotations = values.rotations
        count = len(values.secrets)
        steps = {index * values.rotations for index in range(count)}
        self._base = max(exchange.size for exchange in calm) - max(steps)
        patches = [e for e in calm if e.size >= self._base]
        assert sorted(e.size - self._base for e in patches) == sorted(steps), "not one PATCH each"
        answers = {exchange.answers[-1] for exchange in patches}
        assert len(answers) == 1, "answers of several sizes"
        (self._answer,) = answers

    def attempts(self, exchanges: Iterable[Exchange]) -> list[Attempt]:
        return [
            Attempt(
                *divmod(exchange.size - self._base, self._rotations),
                time=exchange.time,
                passed=exchange.passed,
                answered=self._answer in exchange.answers,
            )
            for exchange in exchanges
            if exchange.size >= self._base
        ]


def reasons(
    attempts: Sequence[Attempt], terms: Sequence[float], cuts: Sequence[float] = ()
) -> list[str]:
    """Why each attempt for one connection was made; AssertionError if one has no reason.

    `terms`: when each leader began. What a leader remembers ends with it. `cuts`: when the proxy cut
    a connection, and with it perhaps an attempt that it had not read. The reasons are:

    - `value`: it is newer than all before. (An older one than the one before never has a reason.)
    - `unknown`: the attempt before, with the same value, went unanswered
    - `take-over`: it is the first of a leader; the last one may not have recorded its success
    - `settling`: it is sent again, a minute later, because an unanswered attempt with another value
      could still land when it was accepted. A new leader knows that there was one, not its value.
      `settling unread`, if it can only have been one that was cut unread
    """
    found: list[str] = []
    late: dict[int, float] = {}  # unanswered values, and until when they may land
    unknown_until = 0.0  # the same of a leader before
    for before, attempt in zip([None, *attempts], attempts):
        new_leader = before is None or bisect(terms, before.time) != bisect(terms, attempt.time)
        if new_leader:
            if any(until + LANDS_WITHIN_SECONDS > attempt.time for until in late.values()):
                unknown_until = attempt.time + LANDS_WITHIN_SECONDS
            late.clear()
        if before is None or attempt.number > before.number:
            found.append("value")
        elif attempt.number < before.number:
            raise AssertionError(f"{attempt} is older than {before}")
        elif not before.answered:
            found.append("unknown")
        elif new_leader:
            found.append("take-over")
        else:
            others = [until for number, until in late.items() if number != attempt.number]
            feared = max([unknown_until, *others], default=0.0) > before.time
            unread = any(0 < before.time - cut < LANDS_WITHIN_SECONDS for cut in cuts)
            waited = attempt.time - before.time >= SETTLING_SECONDS
            if not waited or "settling" in found[-1] or not (feared or unread):
                raise AssertionError(f"{attempt} has no reason after {before}")
            found.append("settling" if feared else "settling unread")
            late.clear()
            unknown_until = 0.0
        if not attempt.answered:
            late[attempt.number] = attempt.time + LANDS_WITHIN_SECONDS
    return found


def count_pushes(
    attempts: Sequence[Attempt], terms: Sequence[float], cuts: Sequence[float]
) -> Counter[str]:
    """How many attempts reached Omni, by reason, over all connections."""
    counts: Counter[str] = Counter()
    for index in sorted({attempt.index for attempt in attempts}):
        own = [attempt for attempt in attempts if attempt.index == index]
        counts.update(why for a, why in zip(own, reasons(own, terms, cuts)) if a.passed)
    return counts
