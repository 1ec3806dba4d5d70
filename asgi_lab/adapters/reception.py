"""What traced processes record, taken in and handed to whoever watches, and to a file.

Everything goes through one recorder; the watcher and the file are its followers, and get the same
events.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from asgi_lab.adapters.collector import Collector
from asgi_lab.adapters.feed import Feed
from asgi_lab.adapters.order import Watcher
from asgi_lab.events import Trace
from asgi_lab.files import FileWriter, snapshot
from asgi_lab.recorder import Recorder
from asgi_lab.ticker import Ticker


class Reception:
    """The command's side of a trace that is made in other processes.

    `on_report(kind, text)` is called when a process says why it cannot be traced.
    """

    def __init__(
        self,
        watcher: Watcher,
        on_report: Callable[[str, str], None],
        *,
        max_events: int,
        record: Path | None = None,
    ) -> None:
        self.watcher = watcher
        self.recorder = Recorder(limit=max_events, redact=False)  # masked where it was noted
        self.collector = Collector(self.recorder, secrets.token_bytes(16), on_report)
        self.ticker = Ticker(self.recorder, self.say)
        self._file: FileWriter | None = None
        if record is not None:
            self._file = FileWriter(record, self.recorder, self.header)
        self.errors = Counter[str]()
        """How often each error was met on the client's side, while driving."""

    @property
    def lost(self) -> int:
        """Events that are missing: dropped in the app's process, or forgotten in this one."""
        return self.collector.lost + self.recorder.dropped

    @property
    def trace(self) -> Trace:
        """What has been recorded so far; after the end, all of it."""
        taken = snapshot(self.recorder)
        return replace(taken, header={**taken.header, **self.header()}, dropped=self.lost)

    @property
    def recorded(self) -> Path | None:
        """The file that holds the whole trace, if there is one."""
        if self._file is None or self._file.failed or not self.recorder.total:
            return None
        return self._file.path

    def open(self) -> None:
        """Hand on from now on what comes in."""
        if self._file is not None:
            self.ticker.follow(self._file)
        self.ticker.follow(Feed(self.collector, self.watcher))

    def finish(self) -> None:
        """Take in what is still under way, and close."""
        with suppress(KeyboardInterrupt):
            self.collector.finish(timeout=5.0)
        self.ticker.stop()

    def say(self, message: str) -> None:
        """Tell whoever watches something in the name of this command."""
        for line in f"asgi-lab: {message}".splitlines():
            self.watcher.log(line)

    def header(self) -> dict[str, object]:
        """Return what the traced processes have said of themselves."""
        told = self.collector.header
        return {key: told[key] for key in ("python", "frameworks", "pid") if key in told}
