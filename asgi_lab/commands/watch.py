"""Who watches a session: the live table, lines of events, or nobody.

Each is a `Watcher` (see `asgi_lab.adapters.session`) that also begins and ends, and says in
`shown` which views need not be drawn again at the end.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from asgi_lab.commands.output import say
from asgi_lab.events import Event
from asgi_lab.filters import Filter, Stream, compile_filter
from asgi_lab.measures import Measures
from asgi_lab.plain import clean
from asgi_lab.text import trace_lines
from asgi_lab.view.frame import Only
from asgi_lab.view.live import Live


class Silent:
    """Shows no events; what the server prints goes to stderr, and so does the title, if wanted."""

    shown: tuple[str, ...] = ()
    layers = False
    measures: Measures | None = None
    """What it has measured of all events, if it has."""

    def __init__(self, titled: bool = False) -> None:
        self._titled = titled

    def begin(self, title: str) -> None:
        """Begin: the server is up."""
        if self._titled:
            say(title)

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Take the next events."""

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""
        say(clean(line))

    def end(self) -> None:
        """End: the server has ended."""


class Table(Silent):
    """The live table of requests; on something else than a terminal, a line a request."""

    def __init__(self, console: Console, only: Only | None = None) -> None:
        super().__init__()
        self._live = Live(console, [], only=only)
        self.measures = self._live.measures
        self.shown = ("timeline",) if self._live.drawing else ()

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
    layers = True

    def __init__(self, console: Console, chosen: Filter | None = None) -> None:
        super().__init__()
        self._console = console
        self._stream = Stream(chosen) if chosen else None

    def begin(self, title: str) -> None:
        """Say what is traced."""
        self._console.print(title, soft_wrap=True)

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Print these."""
        shown = self._stream.select(events) if self._stream else events
        if shown:
            self._console.out("\n".join(trace_lines(shown)), highlight=False)


def watcher_for(console: Console, given: dict[str, Any]) -> Silent:
    """Return the watcher that the options of the command line ask for.

    Raises `ValueError` if the filter cannot be read.
    """
    if given["quiet"]:
        return Silent()
    if given["style"] != "text":
        return Silent(titled=True)
    terms = [given["expression"] or "", *([f"conn={given['conn']}"] if given["conn"] else [])]
    chosen = compile_filter(" ".join(terms)) if any(terms) else None
    if given["view"] == "events":
        return Lines(console, chosen)
    return Table(console, chosen.matches if chosen else None)
