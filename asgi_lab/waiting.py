"""Who holds an event loop, and who cannot run meanwhile.

A trace does not say whether what a connection awaits has come. It says that another held the
loop: then it could not run in any case, and that is all that is claimed here.
"""

from collections.abc import Callable

from asgi_lab.connection import NEEDS_LOOP, Connection
from asgi_lab.loop import Busy, Hold
from asgi_lab.measures import Measures

SOON = 5_000_000
"""Nanoseconds after a loop was held in which what comes may have waited for it."""

Between = Callable[[int, int], int]
"""Says for how many nanoseconds between two times of the trace a loop was held."""


def holder(measures: Measures, pid: int) -> Connection | None:
    """Return who holds a process's loop at the moment, if anyone does."""
    busy = measures.loops.busy.get(pid)
    free = busy.ends[-1] if busy else 0  # somebody gave it back then: so nobody held it
    holders = [
        c for c in measures.open.values()
        if c.pid == pid and c.holds and c.type != "wsgi" and c.since >= free
    ]  # fmt: skip
    return max(holders, key=lambda c: c.since, default=None)


def held(measures: Measures, pid: int, now: int) -> Between:
    """Return what says how long a process's loop was held; the slice under way ends `now`."""
    busy, current = measures.loops.busy.get(pid) or Busy(), holder(measures, pid)
    if current is None:
        return busy.between
    since = current.since

    def between(begin: int, end: int) -> int:
        return busy.between(begin, end) + max(min(end, now) - max(begin, since), 0)

    return between


def blocked(measures: Measures, c: Connection, now: int) -> int:
    """Return for how many nanoseconds a connection could not run: another held the loop."""
    between = held(measures, c.pid, now)
    return sum(between(a, b) for a, b, what in c.phases_until(now) if what in NEEDS_LOOP)


def during(measures: Measures, hold: Hold) -> list[Connection]:
    """Return the others that were in flight while a loop was held, by number."""
    return [
        c for c in measures.connections
        if c.pid == hold.pid and c.conn != hold.conn and c.type != "lifespan"
        and c.started < hold.ended and c.until(measures.last) > hold.began
    ]  # fmt: skip


def just_after(measures: Measures, hold: Hold) -> list[Connection]:
    """Return those that came as soon as a loop was free: they may have waited for it."""
    return [
        c for c in measures.connections
        if c.pid == hold.pid and hold.ended <= c.started < hold.ended + SOON
    ]  # fmt: skip
