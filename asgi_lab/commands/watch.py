"""Who watches a session: the live table, lines of events, or nobody.

Each is a `Watcher` (see `asgi_lab.adapters.session`) that also begins and ends, and says in
`shown` which views need not be drawn again at the end.
"""

import sys
from collections.abc import Sequence

from rich.console import Console

from asgi_lab.events import Event
from asgi_lab.text import clean, trace_lines
from asgi_lab.view.live import Live


class Silent:
    """Shows nothing; what the server prints goes to stderr."""

    shown: tuple[str, ...] = ()

    def begin(self, title: str) -> None:
        """Begin: the server is up."""

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events."""

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""
        print(clean(line), file=sys.stderr, flush=True)

    def end(self) -> None:
        """End: the server has ended."""


class Table(Silent):
    """The live table of requests; on something else than a terminal, a line a request."""

    shown = ("timeline",)

    def __init__(self, console: Console) -> None:
        self._live = Live(console, [])

    def begin(self, title: str) -> None:
        """Begin to draw."""
        self._live.title = [title]
        self._live.start()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Draw these with the next frame."""
        self._live.feed(events, dropped)

    def log(self, line: str) -> None:
        """Print a line above the table."""
        if self._live.drawing:
            self._live.log(line)
        else:
            super().log(line)

    def end(self) -> None:
        """Draw a last time."""
        self._live.stop()


class Lines(Silent):
    """Each event on a line, as it comes."""

    shown = ("events",)

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, title: str) -> None:
        """Say what is traced."""
        self._console.print(title, soft_wrap=True)

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Print these."""
        self._console.out("\n".join(trace_lines(events)), highlight=False)


def watcher_for(console: Console, view: str | None, style: str, quiet: bool) -> Silent:
    """Return the watcher that these options ask for."""
    if quiet or style != "text":
        return Silent()
    return Lines(console) if view == "events" else Table(console)
