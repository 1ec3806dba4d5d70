"""Two requests on the clock: where one takes longer, and where its time goes, in words."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asgi_lab.changes import Change, apart
from asgi_lab.connection import BLOCKED, HOLD, QUEUED, SENDING, THREAD, Connection
from asgi_lab.events import Event, Trace
from asgi_lab.measures import Measures
from asgi_lab.plain import duration
from asgi_lab.scene.phases import NOBODY, Holds, holds_of

MUCH = 2.0
"""How many times as long is much longer, in real time,"""

LONG = 10_000_000
"""if it is so many nanoseconds longer, too."""

SPENT = {
    HOLD: ("holds the loop for {}", "does not"),
    BLOCKED: ("cannot run for {}, for another holds the loop", "can"),
    QUEUED: ("waits {} for a worker thread", "does not"),
    THREAD: ("is in a worker thread for {}", "is not"),
    SENDING: ("waits {} in send", "does not"),
}
"""What a request may spend its time with, in words; and what is said of one that does not."""


@dataclass(frozen=True, slots=True)
class Side:
    """One trace, taken apart: its connections, their events, and who held its loops."""

    connections: Sequence[Connection]
    events: dict[int, list[Event]]
    holds: dict[int, Holds]
    last: int

    def spent(self, c: Connection, what: str) -> int:
        """Return for how many nanoseconds a connection was at something."""
        if what != BLOCKED:
            return c.spent.get(what, 0)
        holds = NOBODY if c.type == "wsgi" else self.holds.get(c.pid, NOBODY)
        return sum(end - begin for begin, end, how in holds.cut(c.phases_until(self.last))
                   if how == BLOCKED)  # fmt: skip


def side_of(trace: Trace) -> Side:
    """Take a trace apart."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    events: dict[int, list[Event]] = defaultdict(list)
    for event in trace.events:
        events[event.conn].append(event)
    return Side(measures.connections, events, holds_of(measures), measures.last)


def times(
    a: Connection, b: Connection, one: Side, two: Side, names: tuple[str, str], exact: bool
) -> Iterator[Change]:
    """Yield where it takes longer, or where the time goes, if that matters."""
    if "lifespan" in (a.type, b.type):
        return
    firsts = [None if c.first_byte is None else c.first_byte - c.started for c in (a, b)]
    x, y = firsts
    earlier = 0
    if x is not None and y is not None and matters(x, y, exact):
        earlier = y - x
        yield Change("time", f"first byte after {instead(y, x)}")
    if a.total is not None and b.total is not None and matters(a.total, b.total, exact):
        later = b.total - a.total - earlier  # what is not told by the first byte
        if later if exact else abs(later) >= LONG:
            yield Change("time", f"takes {instead(b.total, a.total)}")
    for what, (does, does_not) in SPENT.items():
        if what == HOLD and "wsgi" in (a.type, b.type):  # which holds a thread, and no loop
            continue
        x, y = one.spent(a, what), two.spent(b, what)
        if not matters(x, y, exact):
            continue
        little, much = min(x, y), max(x, y)
        if little if exact else little >= LONG / 10:
            yield Change("time", does.format(instead(y, x)))
        else:
            more, less = names if x > y else names[::-1]
            told = f"{more} {does.format(duration(much))}; {less} {does_not}"
            yield Change("time", told)


def instead(now: int, before: int) -> str:
    """Return `1.00 s instead of 12.0 ms`."""
    return apart(duration, now, before, "ns", " instead of ")


def matters(x: int, y: int, exact: bool) -> bool:
    """Return whether two durations, in ns, differ so that it is worth a word."""
    if exact:
        return x != y
    return abs(x - y) >= LONG and max(x, y) >= MUCH * min(x, y)
