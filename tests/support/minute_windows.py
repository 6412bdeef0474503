"""What a server that limits requests per minute would see of the times (seconds) at which they
came. Two requests exactly a minute apart are never in one window, as in omni-emulator."""

from __future__ import annotations

from bisect import bisect_left
from typing import Sequence

MINUTE = 60.0


def largest_window(times: Sequence[float], length: float = MINUTE) -> int:
    """The most requests in any window of this length, wherever it begins."""
    return max((bisect_left(times, t + length) - i for i, t in enumerate(times)), default=0)


def full_windows(times: Sequence[float]) -> list[int]:
    """How many came in each minute, one after the other, from the first request on; without the
    last, which is not full."""
    if not times:
        return []
    whole = int((times[-1] - times[0]) // MINUTE)
    edges = [bisect_left(times, times[0] + MINUTE * i) for i in range(whole + 1)]
    return [after - before for before, after in zip(edges, edges[1:])]


def reuse(times: Sequence[float], per_minute: int) -> float:
    """Of a backlog that was never empty: how much of the budget was used, from 0 to 1. Each slot of
    the budget could be used again after a minute; this is a minute by how long it took on average.
    Unlike full_windows() it notices when bursts come ever later."""
    spans = [later - earlier for earlier, later in zip(times, times[per_minute:])]
    return MINUTE * len(spans) / sum(spans) if spans else 1.0
