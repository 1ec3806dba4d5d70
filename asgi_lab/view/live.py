"""The live view: requests as they come, the events of one worth a look, a status line.

`feed` folds events and keeps the last of them, and that is all; a frame is drawn from what is
there a few times a second, so a flood of requests costs no more to draw than a trickle. Without
a terminal there are no frames: a plain line as each request ends.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live as Screen
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.events import Event
from asgi_lab.loop import SECOND
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count
from asgi_lab.view.alarms import Alarms
from asgi_lab.view.frame import (
    Choice,
    Only,
    detail,
    neighbour,
    status_line,
    subject_of,
    with_selected,
)
from asgi_lab.view.keys import Keys
from asgi_lab.view.plainlines import PlainLines
from asgi_lab.view.rows import QUIET
from asgi_lab.view.table import shared_axes, table

FRAMES = 5
"""Frames a second."""

RECENT = 20_000
"""Events kept for the lines below the table."""

LAG = 0.25
"""Seconds without events after which time is known to have gone on without any."""

DETAIL = 10
"""Lines of events below the table, at most."""

ALARMS = 4
"""Lines of what has gone wrong, at most."""

ENDS = ("return", "raise", "cancel")


class Live:
    """Shows events as they come. `feed` and `log` may be called from any thread.

    `title` is printed once, above all. `rows` bounds the rows of requests; without it, the
    terminal's height does. `only` says of which requests there are rows and lines; totals count
    all. The arrow keys select whose events are told below the table. Not on a terminal (or with
    NO_COLOR, or TERM=dumb), it prints lines.
    """

    def __init__(
        self,
        console: Console,
        title: Sequence[str],
        rows: int | None = None,
        only: Only | None = None,
    ) -> None:
        self.console = console
        self.title = list(title)
        self.rows = rows
        self.measures = Measures()
        self.dropped = 0
        self.hidden = 0
        """Finished requests that `only` hides."""
        self.drawing = console.is_terminal and not plain_wanted(console)
        self._only = only
        self._choice = Choice(only)
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._lock = threading.Lock()
        self._screen: Screen | None = None
        self._plain = PlainLines(console)
        self._alarms = Alarms()
        self._size: tuple[int, int] | None = None
        self._fed = 0.0
        self._stopped = False
        self._told: tuple[int, int, list[Text]] = (0, 0, [])
        self._keys = Keys(self._pressed)
        self._shown: list[Connection] = []
        self._selected: int | None = None

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
            self._keys.start()

    def stop(self) -> None:
        """Draw a last time. The table stays; the rest goes, because a summary follows."""
        self._stopped = True
        self._keys.stop()
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
        elif not self.drawing:
            self._plain.rest()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events, and how many have been lost in all."""
        with self._lock:
            if dropped > self.dropped:
                self.dropped = dropped
                self.measures.gap()
            self.measures.feed(events)
            self._fed = time.monotonic()
            alarms = self._alarms.feed(events)
            if self.drawing:
                self._recent.extend(events)
            if self.drawing and self._only is None:
                return
            wanted = self._ended(events)
            if not self.drawing:
                self._plain.tell(alarms)
                self._plain.show(wanted, self.measures)

    def _ended(self, events: Sequence[Event]) -> list[Connection]:
        """Return the connections that ended with these and may be shown; count the others."""
        ends = [e.conn for e in events if e.kind in ENDS and not e.layer]
        finished = self.measures.finished
        ended = [finished[n] for n in ends if n in finished]
        if self._only is None:
            return ended
        wanted = [c for c in ended if self._only(c)]
        self.hidden += sum(c.type != "lifespan" for c in ended)
        self.hidden -= sum(c.type != "lifespan" for c in wanted)
        return wanted

    def _pressed(self, key: str) -> None:
        with self._lock:
            step = {"up": -1, "down": 1}.get(key)
            known = self._shown
            self._selected = neighbour(known, self._selected, step) if step else None

    def log(self, line: str) -> None:
        """Print a line of the server's or the app's own output, above what is drawn."""
        self._print(clean(line.rstrip("\n")))

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)

    def frame(self) -> RenderableType:
        """Return what is to be seen now."""
        width, height = self.console.width, max(self.console.height - 1, 4)
        with self._lock:
            self._fit((width, height))
            if self._stopped:
                return Group(*self._last(width, height))
            idle = max(time.monotonic() - self._fed - LAG, 0.0) if self.measures.open else 0.0
            return Group(*self._lines(width, height, self.measures.last + round(idle * SECOND)))

    def _fit(self, size: tuple[int, int]) -> None:
        """Begin on a clear screen when its size has changed: nobody knows where lines went."""
        if self._screen is not None and self._size not in (size, None):
            self._screen._live_render._shape = None  # so that it moves the cursor nowhere
            self.console.control(Control.clear(), Control.home())
        self._size = size

    def _lines(self, width: int, height: int, now: int) -> list[Text]:
        status = status_line(self.measures, now, width, self.dropped, self.hidden)
        alarms = self._alarms.lines(width, min(ALARMS, height // 6))
        foot = [Text(), *alarms, status]
        below = min(DETAIL, height // 3)
        room = max(height - below - 5 - len(alarms), 1)
        shown = self._choice.rows(self.measures, min(room, self.rows or room), now)
        if not shown:
            return [Text("no requests yet", QUIET), *foot]
        shown = self._shown = with_selected(shown, self.measures, self._selected)
        lines = table(shown, shared_axes(shown, now), self.measures, now, width)
        for row, connection in enumerate(shown, start=1):
            if connection.conn == self._selected:
                lines[row].stylize("reverse")
        return [*lines, *self._note(len(shown)), *self._detail(shown, now, width, below), *foot]

    def _last(self, width: int, height: int) -> list[Text]:
        """Return what stays on the screen."""
        measures, room = self.measures, max(height - 4, 1)
        shown = self._choice.final(measures, min(room, self.rows or room))
        if not shown:
            return []
        lines = table(shown, shared_axes(shown, measures.last), measures, measures.last, width)
        return [*lines, *self._note(len(shown))]

    def _note(self, shown: int) -> list[Text]:
        notes = []
        if self._choice.slowest:
            known = len(self.measures.finished) + len(self.measures.open)
            notes.append(f"the {shown} slowest of the last {count(known, 'request')}")
        if self._stopped and self.hidden:
            notes.append(f"{self.hidden:,} hidden by --filter")
        return [Text("; ".join(notes), QUIET)] if notes else []

    def _detail(self, shown: Sequence[Connection], now: int, width: int, most: int) -> list[Text]:
        subject = subject_of(shown, now, self._selected)
        if subject is None:
            return []
        conn, told_at, lines = self._told
        if conn != subject.conn or told_at != width or subject.ended is None:
            lines = detail(subject, self._recent, width, most)
            self._told = (subject.conn, width if subject.ended is not None else 0, lines)
        return lines


def plain_wanted(console: Console) -> bool:
    """Return whether the user asked for no escape codes at all."""
    return bool(os.environ.get("NO_COLOR")) or console.is_dumb_terminal


def demo(console: Console, pace: float = 1.0) -> None:
    """Show a small trace made by hand as if it happened now, `pace` times as fast."""
    from asgi_lab.view.sample import sample_trace

    screen = Live(console, ["a trace made by hand, at a quarter of its speed"])
    screen.start()
    before = 0
    for event in sample_trace():
        time.sleep((event.t - before) / SECOND / pace)
        screen.feed([event])
        before = event.t
    screen.stop()


if __name__ == "__main__":
    demo(Console(highlight=False), pace=0.25)
