"""The table of requests: a row each, their bars on axes of time. The one picture to look at first.

Requests that were in flight together share an axis, so that who held the loop stands right above
or below who waited for it. Where nothing was in flight, time is left out: a request of a minute
ago has an axis of its own, as long as the others'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType

from rich.text import Text

from asgi_lab.connection import HOLD, Connection
from asgi_lab.loop import SECOND
from asgi_lab.measures import Measures
from asgi_lab.scene.facts import path
from asgi_lab.scene.marks import Mark
from asgi_lab.view.bars import axis, cells, legend
from asgi_lab.view.rows import layout
from asgi_lab.waiting import held

LASTING = 10 * SECOND
"""What takes longer, and `TIMES` as long as half of the others, stretches no axis: of a WebSocket
open for an hour, the last part is shown."""

TIMES = 20


@dataclass(frozen=True, slots=True)
class Axes:
    """When the axis of each connection begins, and how long all axes are, in nanoseconds."""

    begins: dict[int, int]
    span: int


def one_axis(shown: Sequence[Connection], now: int) -> Axes:
    """Return one axis for all, from the first to begin to the last to end."""
    begin = min(c.started for c in shown)
    end = max(max(c.until(now) for c in shown), begin + 1)
    return Axes({c.conn: begin for c in shown}, end - begin)


def shared_axes(shown: Sequence[Connection], now: int) -> Axes:
    """Return an axis for each group that was in flight together, of a length that lasts."""
    ages = {c.conn: c.until(now) - c.started for c in shown}
    longest = max(LASTING, TIMES * median(ages.values()))
    begins: dict[int, int] = {}
    begin = end = -1
    span = 1
    for c in sorted(shown, key=lambda c: c.started):
        if ages[c.conn] > longest:
            continue
        if c.started > end:
            begin = c.started
        end = max(end, c.until(now))
        begins[c.conn] = begin
        span = max(span, end - begin)
    span = nice(span)
    for c in shown:
        begins.setdefault(c.conn, max(c.until(now) - span, c.started))
    return Axes(begins, span)


def nice(span: int) -> int:
    """Return the next of few durations that holds `span`, so that an axis seldom changes."""
    return next(n for e in range(4, 30) for m in STEPS if (n := m * int(10**e)) >= span)


STEPS = (10, 15, 20, 30, 40, 60, 80)


def table(
    shown: Sequence[Connection],
    axes: Axes,
    measures: Measures,
    now: int,
    width: int,
    marks: Mapping[int, Sequence[Mark]] = MappingProxyType({}),
) -> list[Text]:
    """Return the lines of these requests, the legend last; `marks` of connections on their bars."""
    plan = layout(width, max(len(path(c)) for c in shown))
    busy = {pid: held(measures, pid, now) for pid in {c.pid for c in shown}}
    lines, used = [plan.header(axis(axes.span, plan.bar))], set()
    for c in shown:
        begin = axes.begins[c.conn]
        phases = c.phases_until(now)
        row = cells(phases, begin, begin + axes.span, plan.bar, busy[c.pid])
        for mark in marks.get(c.conn, ()):
            cell = int((mark.t - begin) * plan.bar / axes.span)
            if 0 <= cell < plan.bar and row[cell] != HOLD:
                row[cell] = mark.role
        used.update(row)
        lines.append(plan.row(c, _mark(row, c, begin), now))
    return [*lines, *legend(used, width, what_is_held(shown))]


def what_is_held(shown: Sequence[Connection]) -> str:
    """Return what these hold while they run: the event loop, or each its thread."""
    return "thread" if all(c.type == "wsgi" for c in shown) else "loop"


def _mark(row: list[str], c: Connection, begin: int) -> list[str]:
    """Mark a bar that began before its axis, and one that has not ended yet."""
    if c.started < begin:
        row[0] = "‹"
    if c.ended is None:
        last = max((index for index, what in enumerate(row) if what), default=-1)
        row[min(last + 1, len(row) - 1)] = "›"
    return row
