"""One frame of the live view: which requests are worth a row, and what is said below them.

Few requests are shown as they come: those in flight, and the last that ended. Where more end than
can be read, it is the slowest of the last ones, chosen anew once a second: a table that changes
with every frame shows nothing.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.events import Event
from asgi_lab.loop import SECOND
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count, duration, shorten
from asgi_lab.scene.facts import method, path
from asgi_lab.text import trace_lines
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.waiting import holder

CALM = 2
"""Requests a second, for each row, up to which all are shown as they come."""

FROZEN = SECOND // 10
"""Nanoseconds for which the loop is held before the status line calls out who holds it."""

Only = Callable[[Connection], bool]


class Choice:
    """The connections shown; `only` says which may be."""

    def __init__(self, only: Only | None = None) -> None:
        self.only = only or (lambda connection: True)
        self.slowest = False
        """Whether it is the slowest that are shown, instead of the last."""
        self._chosen: list[Connection] = []
        self._until = 0

    def rows(self, measures: Measures, most: int, now: int) -> list[Connection]:
        """Return at most so many, by number."""
        self.slowest = measures.rate(now, 2) > CALM * most
        if not self.slowest:
            return sorted(self._latest(measures, most), key=lambda c: c.conn)
        if now >= self._until or len(self._chosen) > most:
            self._until = (now // SECOND + 1) * SECOND
            self._chosen = sorted(self._slowest(measures, most, now), key=lambda c: c.conn)
        return self._chosen

    def final(self, measures: Measures, most: int) -> list[Connection]:
        """Return what is worth to stay on the screen: all that fit, or the slowest."""
        every = list(self._wanted(measures.connections))
        self.slowest = len(every) > most
        if not self.slowest:
            return every
        return sorted(self._slowest(measures, most, measures.last), key=lambda c: c.conn)

    def _wanted(self, connections: Iterable[Connection]) -> Iterable[Connection]:
        """Return those that may be shown; of lifespans, what failed."""
        return (
            c for c in connections
            if (c.type != "lifespan" or (c.outcome == "raised" and c.first_byte)) and self.only(c)
        )  # fmt: skip

    def _latest(self, measures: Measures, most: int) -> list[Connection]:
        flying = islice(self._wanted(measures.open.values()), most)
        shown = list(flying)
        return shown + list(
            islice(self._wanted(reversed(measures.finished.values())), most - len(shown))
        )

    def _slowest(self, measures: Measures, most: int, now: int) -> list[Connection]:
        """Return the slowest; and who held the loop longest, and the last that failed."""
        every = list(self._wanted([*measures.finished.values(), *measures.open.values()]))
        worst = [c for c in every if c.conn == measures.loops.longest.conn]
        worst += [c for c in every if c.failed][-1:]
        slow = heapq.nlargest(most, every, key=lambda c: c.until(now) - c.started)
        return list({c.conn: c for c in [*worst, *slow]}.values())[:most]


def subject_of(
    shown: Sequence[Connection], now: int, selected: int | None = None
) -> Connection | None:
    """Return whose events are told: the selected, the last that failed, or the slowest."""
    for connection in shown:
        if connection.conn == selected:
            return connection
    failed = [c for c in shown if c.failed]
    if failed:
        return failed[-1]
    ended = [c for c in shown if c.ended is not None]
    return max(ended or shown, key=lambda c: c.until(now) - c.started, default=None)


def with_selected(
    shown: list[Connection], measures: Measures, selected: int | None
) -> list[Connection]:
    """Return what is shown with the selected connection among it, in place of the first."""
    numbers = [connection.conn for connection in shown]
    if selected is None or selected in numbers:
        return shown
    found = measures.open.get(selected) or measures.finished.get(selected)
    return sorted([found, *shown[1:]], key=lambda c: c.conn) if found else shown


def neighbour(shown: Sequence[Connection], selected: int | None, step: int) -> int | None:
    """Return the connection `step` rows below the selected one; from none, the last or first."""
    numbers = [connection.conn for connection in shown]
    if not numbers:
        return None
    if selected not in numbers:
        return numbers[-1 if step < 0 else 0]
    return numbers[min(max(numbers.index(selected) + step, 0), len(numbers) - 1)]


def detail(subject: Connection, recent: Iterable[Event], width: int, most: int) -> list[Text]:
    """Return the events of one connection, as far as they are known, in at most so many lines."""
    own = [e for e in recent if e.conn == subject.conn and not e.layer and e.kind not in INNER]
    if most < 4 or not own:
        return []
    shifted = [event._replace(t=event.t - subject.started) for event in own]
    told = list(trace_lines(shifted))
    if len(told) > most - 2:
        head, tail = (most - 3) // 2, most - 3 - (most - 3) // 2
        told = [*told[:head], "…", *told[len(told) - tail :]]
    title = f"#{subject.conn}  {method(subject)} {path(subject)}"
    lines = [Text(shorten(line, width), no_wrap=True) for line in told]
    return [Text(), Text(shorten(title, width), "bold"), *lines]


INNER = ("run", "ran", "task", "done")
"""Kinds left out of the detail: the bar shows them."""


def status_line(
    measures: Measures, now: int, width: int, dropped: int = 0, hidden: int = 0
) -> Text:
    """Return one line of totals. The worst comes first, lest it be cut."""
    failed = sum(failure.count for failure in measures.failures.values())
    failed = max(failed, measures.statuses["5xx"])
    parts = _frozen(measures, now)
    parts += [
        (count(measures.requests, "request"), ""),
        (f"{measures.rate(now):,.0f}/s", ""),
        (f"{measures.in_flight:,} in flight", ""),
        (f"{failed:,} failed", ERROR if failed else ""),
    ]
    if dropped:
        parts.append((f"{count(dropped, 'event')} missed", ERROR))
    if hidden:
        parts.append((f"{hidden:,} hidden by --filter", QUIET))
    if measures.loops.held:
        share = measures.loops.share(now) if now >= 2 * SECOND else measures.utilisation
        longest = duration(measures.loops.longest.took)
        parts.append((f"loop held {share:.0%}, at most {longest}", ""))
    line = Text(" · ").join([Text(text, style) for text, style in parts])
    line.no_wrap = True
    line.truncate(width - 3, overflow="ellipsis")  # the terminal puts ^C behind it
    return line


def _frozen(measures: Measures, now: int) -> list[tuple[str, str]]:
    """Return who holds a loop at this moment, if it has been for long."""
    holders = [holder(measures, pid) for pid in measures.pids]
    return [
        (f"LOOP HELD by #{c.conn} {clean(c.route)} for {duration(now - c.since)}", ERROR)
        for c in holders if c is not None and now - c.since >= FROZEN
    ]  # fmt: skip
