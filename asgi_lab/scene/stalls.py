"""The loop was held for long, and others could not run: by whom, for how long, and who waited."""

from dataclasses import dataclass

from asgi_lab.connection import HOLD, Connection
from asgi_lab.loop import Hold
from asgi_lab.measures import Measures
from asgi_lab.plain import count, duration
from asgi_lab.scene.facts import name
from asgi_lab.waiting import during, just_after

LONG = 50_000_000
"""Nanoseconds from which on a slice that holds the loop is a stall, if others were in flight."""

MOST = 5


@dataclass(frozen=True, slots=True)
class Stall:
    """One stretch: who held the loop, and who could not run."""

    hold: Hold
    culprit: Connection
    waited: tuple[Connection, ...]

    def __str__(self) -> str:
        who = f"{name(self.culprit)} (#{self.culprit.conn})"
        waited = count(len(self.waited), "request")
        return f"{who} held the loop for {duration(self.hold.took)}; {waited} could not run"


def stalls_of(measures: Measures) -> list[Stall]:
    """Return the worst stalls, the longest first. WSGI apps hold threads, and no loop."""
    found = []
    for c in measures.connections:
        if c.type in ("wsgi", "lifespan"):
            continue
        for begin, end, what in c.phases_until(measures.last):
            if what == HOLD and end - begin >= LONG:
                found.append(Hold(end - begin, c.conn, begin, c.route, c.pid))
    found.sort(key=lambda hold: (-hold.took, hold.began))
    by_number = {c.conn: c for c in measures.connections}
    stalls = []
    for hold in found[: 4 * MOST]:
        waited = [*during(measures, hold), *just_after(measures, hold)]
        if waited:
            stalls.append(Stall(hold, by_number[hold.conn], tuple(waited)))
    return stalls[:MOST]
