"""The live view: requests as they come, the events of the latest worth a look, a status line.

`feed` folds events and keeps the last of them, and that is all; a frame is drawn from what is
there a few times a second, so a flood of requests costs no more to draw than a trickle. Without
a terminal there are no frames: a plain line as each request ends.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.text import Text

from asgi_lab.events import Event
from asgi_lab.measures import SECOND, Connection, Measures
from asgi_lab.text import clean, count, duration, shorten, size, trace_lines
from asgi_lab.view.bars import GLYPHS, axis, cells, legend
from asgi_lab.view.rows import ERROR, QUIET, layout, method, path, status
from asgi_lab.view.timeline import held

FRAMES = 5
"""Frames a second."""

RECENT = 20_000
"""Events kept for the lines below the table."""

PLAIN_RATE = 200
"""Plain lines a second; of more requests, a line says how many."""

LAG = 0.25
"""Seconds without events after which time is known to have gone on without any."""

DETAIL = 10
"""Lines of events below the table, at most."""


class Live:
    """Shows events as they come. `feed` and `log` may be called from any thread.

    `title` is printed once, above all. `rows` bounds the rows of requests; without it, the
    terminal's height does. Not on a terminal (or with NO_COLOR, or TERM=dumb), it prints lines.
    """

    def __init__(self, console: Console, title: Sequence[str], rows: int | None = None) -> None:
        self.console = console
        self.title = list(title)
        self.rows = rows
        self.measures = Measures()
        self.dropped = 0
        self.cost: float | None = None
        """The share of the time that the tracer itself took, 0 to 1, if somebody knows."""
        self.drawing = console.is_terminal and not plain_wanted(console)
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._lock = threading.Lock()
        self._screen: Screen | None = None
        self._plain = PlainLines(console)
        self._fed = 0.0
        self._stopped = False
        self._told: tuple[int, list[Text]] = (0, [])

    def start(self) -> None:
        """Print the title, and begin to draw."""
        for line in self.title:
            self._print(line)
        if self.drawing:
            self._screen = Screen(
                console=self.console,
                refresh_per_second=FRAMES,
                get_renderable=self.frame,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._screen.start(refresh=True)

    def stop(self) -> None:
        """Draw a last time. The table stays; the status line goes, because a summary follows."""
        self._stopped = True
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
        elif not self.drawing:
            self._plain.rest()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all."""
        with self._lock:
            self.measures.feed(events)
            self.dropped = max(self.dropped, dropped)
            self._fed = time.monotonic()
            if self.drawing:
                self._recent.extend(events)
                return
            ends = [e.conn for e in events if e.kind in ENDS and not e.layer]
            ended = [self.measures.finished[n] for n in ends if n in self.measures.finished]
        self._plain.show(ended)

    def log(self, line: str) -> None:
        """Print a line of the server's or the app's own output, above what is drawn."""
        self._print(clean(line.rstrip("\n")))

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)

    def frame(self) -> RenderableType:
        """Return what is to be seen now."""
        width, height = self.console.width, self.console.height
        with self._lock:
            idle = max(time.monotonic() - self._fed - LAG, 0.0) if self.measures.open else 0.0
            now = self.measures.last + (0 if self._stopped else round(idle * SECOND))
            return Group(*self._lines(width, max(height - 1, 4), now))

    def _lines(self, width: int, height: int, now: int) -> list[Text]:
        foot = [] if self._stopped else [Text(), self._status(now, width)]
        subject = latest(self.measures)
        if subject is None:
            return [Text("no requests yet", QUIET), *foot]
        detail = self._detail(subject, width, min(DETAIL, height // 3))
        room = max(height - len(detail) - 4, 1)
        if self.rows is not None:
            room = min(room, self.rows)
        return [*table(self.measures, room, width, now), *detail, *foot]

    def _detail(self, subject: Connection, width: int, most: int) -> list[Text]:
        if self._told[0] == subject.conn and subject.ended is not None:
            return self._told[1]
        own = [e for e in self._recent if e.conn == subject.conn and not e.layer]
        own = [e for e in own if e.kind not in ("run", "ran", "task", "done")]
        if most < 4 or not own:
            return []
        shifted = [event._replace(t=event.t - subject.started) for event in own]
        told = list(trace_lines(shifted))
        if len(told) > most - 2:
            told = [*told[: (most - 3) // 2], "…", *told[len(told) - (most - 3) // 2 - 1 :]]
        head = f"#{subject.conn}  {method(subject)} {path(subject)}"
        lines = [Text(shorten(line, width), no_wrap=True) for line in told]
        if subject.ended is None:
            return [Text(), Text(shorten(head, width), "bold"), *lines]
        self._told = (subject.conn, [Text(), Text(shorten(head, width), "bold"), *lines])
        return self._told[1]

    def _status(self, now: int, width: int) -> Text:
        return status_line(self.measures, now, self.dropped, self.cost, width)


ENDS = ("return", "raise", "cancel")


def plain_wanted(console: Console) -> bool:
    """Return whether the user asked for no escape codes at all."""
    return bool(os.environ.get("NO_COLOR")) or console.is_dumb_terminal


def latest(measures: Measures) -> Connection | None:
    """Return whose events are shown: of the last 20 that ended the last that failed, or slowest."""
    ended = list(islice(reversed(measures.finished.values()), 20))
    ended = [c for c in ended if c.type != "lifespan"] or ended
    failed = next((c for c in ended if c.failed), None)
    slowest = max(ended, key=lambda c: c.total or 0, default=None)
    return failed or slowest or next(reversed(measures.open.values()), None)


def table(measures: Measures, rows: int, width: int, now: int) -> list[Text]:
    """Return the requests that fit: those in flight, then the last that ended, by number.

    The bars begin where each request began, so that rows stand still while time goes on.
    """
    flying = [c for c in measures.open.values() if c.type != "lifespan"]
    shown = flying[:rows]
    ended = reversed(measures.finished.values())
    while len(shown) < rows and (connection := next(ended, None)) is not None:
        shown.append(connection)
    shown.sort(key=lambda connection: connection.conn)
    if not shown:
        return []
    longest = max(c.total if c.total is not None else now - c.started for c in shown)
    span = nice(longest)
    plan = layout(width, max(len(path(c)) for c in shown))
    lines = [plan.header(axis(span, plan.bar))]
    lines += [plan.row(c, c.started, c.started + span, now) for c in shown]
    return [*lines, legend((what for c in shown for what in c.spent), held(shown))]


def nice(span: int) -> int:
    """Return the next round duration that holds `span`: 1, 2 or 5 times a power of ten."""
    return next(n for e in range(4, 30) for m in (1, 2, 5) if (n := m * int(10**e)) >= span)


def status_line(measures: Measures, now: int, dropped: int, cost: float | None, width: int) -> Text:
    """Return one line of totals."""
    failed = sum(failure.count for failure in measures.failures.values())
    failed = max(failed, measures.statuses["5xx"])
    parts = [
        (count(measures.requests, "request"), ""),
        (f"{measures.rate(now):,.0f}/s", ""),
        (f"{measures.in_flight} in flight", ""),
        (f"{failed:,} failed", ERROR if failed else ""),
    ]
    if measures.hold.took >= SECOND // 10:
        parts.append((f"loop held up to {duration(measures.hold.took)}", ""))
    if dropped:
        parts.append((f"{count(dropped, 'event')} dropped", ERROR))
    if cost is not None:
        parts.append((f"tracer {100 * cost:.1f} %", QUIET))
    line = Text(" · ").join([Text(text, style) for text, style in parts])
    line.no_wrap = True
    line.truncate(width, overflow="ellipsis")
    return line


class PlainLines:
    """A line for each request that ends; beyond `PLAIN_RATE` a second, how many more."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._second = -1
        self._shown = 0
        self._skipped = 0

    def show(self, ended: Sequence[Connection]) -> None:
        """Print these, unless it has been too many in this second of the trace."""
        lines: list[str] = []
        for connection in ended:
            second = (connection.ended or 0) // SECOND
            if second != self._second:
                lines += self._counter()
                self._second, self._shown = second, 0
            self._shown += 1
            if self._shown <= PLAIN_RATE or connection.failed:
                lines.append(plain_line(connection))
            else:
                self._skipped += 1
        self._write(lines)

    def rest(self) -> None:
        """Print how many more there were."""
        self._write(self._counter())

    def _counter(self) -> list[str]:
        skipped, self._skipped = self._skipped, 0
        return [f"{'…':>10}    {count(skipped, 'more request')}"] if skipped else []

    def _write(self, lines: Sequence[str]) -> None:
        if lines:
            self.console.out("\n".join(lines), highlight=False)


def plain_line(connection: Connection) -> str:
    """Return one request on one line, as it ended: `   12.345 s  GET /slow  200  1.02 s ...`."""
    ended = (connection.ended or connection.started) / SECOND
    begin, end = connection.started, connection.ended or connection.started
    row = cells(connection.phases, begin, max(end, begin + 1), 10)
    bar = "".join(GLYPHS[what][0] if what else " " for what in row)
    target = f"{method(connection)} {path(connection)}".rstrip()
    took = duration(connection.total or 0)
    line = f"{ended:>9.3f} s  {target:<30}  {status(connection):<6}  {took:>7}"
    line += f"  {size(connection.bytes_out):>7}  {bar}"
    if connection.outcome == "raised":
        line += f"  {clean(connection.error)}"
    return line.rstrip()
