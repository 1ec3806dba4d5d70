"""How much was in flight, and how much of it ran, over time."""

from collections.abc import Iterable
from typing import NamedTuple

from asgi_lab.connection import HOLD, THREAD, Connection


class Bin(NamedTuple):
    """One stretch of time. `begin` and `end` in nanoseconds of the trace; the rest are counts."""

    begin: int
    end: int
    in_flight: float
    """Connections in flight, on average."""
    most: int
    """And at most."""
    holding: float
    """Holding the loop, on average: of one loop, the share of the time in which it was held."""
    threads: float
    """At work in worker threads, on average."""


def concurrency(connections: Iterable[Connection], bins: int, begin: int, end: int) -> list[Bin]:
    """Return what was in flight and running from `begin` to `end`, in so many equal bins."""
    width = max((end - begin) / bins, 1.0)
    flying, holding, working = ([0.0] * bins for _ in range(3))
    most = [0] * bins
    edges: list[tuple[int, int]] = []

    def spread(into: list[float], since: int, until: int) -> None:
        low, high = max(since, begin), min(until, end)
        index = min(int((low - begin) / width), bins - 1) if high > low else bins
        while index < bins and (left := begin + index * width) < high:
            into[index] += (min(high, left + width) - max(low, left)) / width
            index += 1

    for c in connections:
        if c.type == "lifespan":
            continue
        ended = c.until(end)
        edges += [(c.started, 1), (ended, -1)]
        spread(flying, c.started, ended)
        for since, until, what in c.phases_until(end):
            if what in (HOLD, THREAD):
                spread(holding if what == HOLD else working, since, until)
    now = 0
    at = 0
    for t, step in sorted(edges):
        index = min(max(int((t - begin) / width), 0), bins - 1)
        for between in range(at, index + 1):  # what was in flight when each bin began
            most[between] = max(most[between], now)
        at = index
        now += step
        most[index] = max(most[index], now)
    return [
        Bin(round(begin + i * width), round(begin + (i + 1) * width), flying[i], most[i],
            holding[i], working[i])
        for i in range(bins)
    ]  # fmt: skip
