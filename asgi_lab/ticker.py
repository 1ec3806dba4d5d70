"""One daemon thread that drains recorders on time, and feeds those who follow them.

It wakes ten times a second, drains in small batches (so that it never holds the interpreter for
long) and then hands each follower what came since it last looked. A follower that fails is
dropped with one warning; it never disturbs the app.
"""

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from asgi_lab.recorder import BATCH, COLD, Record, Recorder

PERIOD = 0.1
"""Seconds between two ticks."""

CALM = 1000
"""Events in a tick up to which an app is calm."""


class Follower(Protocol):
    """Takes what a recorder noted: a file, a socket, a screen."""

    def write(self, first: int, records: list[Record]) -> None:
        """Take records `first`, `first + 1`, ...; a jump in `first` means that some are lost."""

    def close(self) -> None:
        """Nothing more will come."""


class Ticker:
    """What one recorder needs done on time. `warn` is told once of each follower that fails."""

    def __init__(self, recorder: Recorder, warn: Callable[[str], None] | None = None) -> None:
        self.recorder = recorder
        self.warn = warn
        self.by_hand = False
        """Whether nothing is done on time: whoever reads the recorder drains it, too."""
        self._followers: list[tuple[Follower, int]] = []
        self._working = threading.Lock()
        self._seen = 0
        self._thread: threading.Thread | None = None

    def follow(self, follower: Follower) -> None:
        """Hand `follower` everything, from the oldest event that is still known."""
        with self._working:
            self._followers.append((follower, 0))
        _followed.add(self)

    def unfollow(self, follower: Follower) -> None:
        """Hand it nothing more, and close it."""
        with self._working:
            left = [known for known in self._followers if known[0] is not follower]
            known, self._followers = len(self._followers), left
        if len(left) < known:
            follower.close()
        if not self._followers:
            _followed.discard(self)

    def record(self, path: Path, header: Callable[[], Mapping[str, Any]] = dict) -> None:
        """Write a trace file from the first event on; `header()` adds to its first line."""
        from asgi_lab.files import FileWriter

        self.follow(FileWriter(path, self.recorder, header))

    def start(self) -> None:
        """Tick from now on. Cheap to call at every connection."""
        if self.by_hand:
            return
        if self._thread is not _thread or _thread is None:
            with _thread_lock:
                _tickers.add(self)
            _start_thread()
            self._thread = _thread

    def tick(self) -> None:
        """Drain and feed the followers; and while the app is calm, compress.

        A busy app has better use for the processor: on a machine with few of them, compressing
        would be seen in its latency.
        """
        with self._working:
            calm = self.recorder.total - self._seen < CALM
            self._seen = self.recorder.total
            for _ in range(len(self.recorder.ring) // BATCH):
                self.recorder.drain()
                time.sleep(0)  # let the event loop's thread have the interpreter
            self._followers = [
                (follower, position)
                for follower, before in self._followers
                if (position := self._feed(follower, before)) >= 0
            ]
            if calm:
                self.recorder.compress(PERIOD / 10)

    def restart(self) -> None:
        """Begin anew in a forked child, whose recorder does."""
        self._working = threading.Lock()
        self._seen = 0
        self._followers = [(follower, 0) for follower, _ in self._followers]

    def stop(self) -> None:
        """Tick a last time and close the followers."""
        self.tick()
        with self._working:
            for follower, _ in self._followers:
                with suppress(OSError):
                    follower.close()
            self._followers.clear()
        with _thread_lock:
            _tickers.discard(self)
        _followed.discard(self)
        self._thread = None

    def _feed(self, follower: Follower, position: int) -> int:
        """Hand over what is new; return the next position, or -1 if the follower failed."""
        try:
            while position < self.recorder.total:
                first, records = self.recorder.read(position, COLD)
                follower.write(first, records)
                position = first + len(records)
                time.sleep(0)
        except Exception as error:
            if self.warn:
                self.warn(f"{error}; tracing goes on in memory")
            with suppress(OSError):
                follower.close()
            return -1
        return position


_tickers: "weakref.WeakSet[Ticker]" = weakref.WeakSet()
_followed: set[Ticker] = set()  # kept alive until what they follow is written
_thread: threading.Thread | None = None
at_waking: list[Callable[[], object]] = []
"""Called whenever the thread wakes: first of all, when it may have waited for the interpreter."""
_thread_lock = threading.Lock()


def _start_thread() -> None:
    global _thread
    with _thread_lock:
        if _thread is not None:
            return
        thread = threading.Thread(target=_run, name="asgi-lab ticker", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads here (Pyodide, or at exit): drained when read
            return
        _thread = thread
        atexit.register(stop_all)
        if "multiprocessing.util" in sys.modules:  # its child processes end without atexit
            sys.modules["multiprocessing.util"].Finalize(None, stop_all, exitpriority=100)


def _run() -> None:
    while True:
        time.sleep(PERIOD)
        for look in at_waking:
            look()
        with _thread_lock:  # another thread may be adding one: it would end this one
            tickers = list(_tickers)
        for ticker in tickers:
            ticker.tick()


def stop_all() -> None:
    """Tick a last time, and close all followers: the process ends."""
    for ticker in [*_tickers, *_followed]:
        ticker.stop()


def _after_fork() -> None:
    global _thread, _thread_lock
    _thread, _thread_lock = None, threading.Lock()
    for ticker in [*_tickers, *_followed]:
        ticker.restart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
