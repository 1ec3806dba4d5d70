"""A daemon thread that drains a recorder on time, and feeds those who follow it.

It wakes ten times a second, drains in small batches (so that it never holds the interpreter for
long) and then hands each follower what came since it last looked. A follower that fails is
dropped with one warning; it never disturbs the app.
"""

import atexit
import threading
import time
from collections.abc import Callable
from typing import Protocol

from asgi_lab.recorder import BATCH, Record, Recorder

PERIOD = 0.1
"""Seconds between two ticks."""


class Follower(Protocol):
    """Takes what a recorder noted: a file, a socket, a screen."""

    def write(self, first: int, records: list[Record]) -> None:
        """Take records `first`, `first + 1`, ...; a jump in `first` means that some are lost."""

    def close(self) -> None:
        """Nothing more will come."""


class Ticker:
    """The thread of one recorder. `start` is cheap to call again; `stop` drains a last time."""

    def __init__(self, recorder: Recorder, warn: Callable[[str], None] | None = None) -> None:
        self.recorder = recorder
        self.warn = warn
        self.followers: list[tuple[Follower, int]] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._working = threading.Lock()

    def follow(self, follower: Follower, position: int = 0) -> None:
        """Hand `follower` everything from `position` on."""
        with self._working:
            self.followers.append((follower, position))

    def start(self) -> None:
        """Start the thread, unless it runs already in this process."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="asgi-lab ticker", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no threads here (Pyodide, or at exit): drained when read
            self._thread = None
            return
        atexit.register(self.stop)

    def stop(self) -> None:
        """Tick a last time, close the followers and end the thread."""
        atexit.unregister(self.stop)
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self._thread = None
        self.tick()
        with self._working:
            for follower, _ in self.followers:
                follower.close()
            self.followers.clear()

    def tick(self) -> None:
        """Drain, compress, and feed the followers."""
        with self._working:
            while self.recorder.ring_size >= BATCH:
                self.recorder.drain()
                time.sleep(0)  # let the event loop's thread have the interpreter
            self.recorder.compress()
            self.followers = [
                (follower, position)
                for follower, before in self.followers
                if (position := self._feed(follower, before)) is not None
            ]

    def _feed(self, follower: Follower, position: int) -> int | None:
        try:
            while position < self.recorder.total:
                first, records = self.recorder.read(position, BATCH)
                follower.write(first, records)
                position = first + len(records)
                time.sleep(0)
        except Exception as error:
            if self.warn:
                self.warn(f"{type(follower).__name__} stopped: {error}")
            return None
        return position

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD):
            self.tick()
