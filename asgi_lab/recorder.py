"""The hot path appends one tuple per fact; everything else happens later, in batches.

    tracer -- append --> ring -- drain --> segments -- read --> Trace, file, terminal

**The record.** `(t, kind, door, task, *facts)`: atoms only. `t` is nanoseconds of the recorder's
clock. `door` is one number for two facts, `connection << 8 | layer`: the door in question is the
one through which messages enter and leave that layer. `task` numbers the asyncio task (0: unknown).
`KINDS` says which facts follow.

**The ring** is a plain list. It is drained when it holds `BATCH` records and a connection ends or
asks for a message, or when a clock ticks; draining masks secrets, packs the batch into one `bytes`
(about 45 bytes a record, 10 once compressed) and forgets the oldest segments beyond `limit`,
counting them.

**Readers** never touch the ring: each keeps a position and asks for what came since, so that a
slow reader loses events (and is told how many) rather than slowing the application.
"""

import itertools
import marshal
import os
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asgi_lab.atoms import atom
from asgi_lab.redact import keep, keep_all, mask_payloads

Record = tuple[Any, ...]
Clock = Callable[[], int]

BATCH = 256
"""Records in the ring from which a connection drains it, at its end or when it asks for a message.

So few that the garbage collector, which counts what was allocated and not yet freed, never runs
because of them.
"""

LIMIT = 1_000_000
"""Records kept in memory, by default; the oldest go first."""

COLD = 4096
"""Segments are compressed once they are this many records old, off the event loop."""

KINDS = {
    "scope": "the server called the app (layer 0), or a layer called the next one",
    "receive": "the layer asked for a message",
    "received": "and got it",
    "send": "the layer gave a message to the one outside it",
    "sent": "and was let go on: until then, backpressure",
    "return": "the layer returned",
    "raise": "an exception left the layer",
    "cancel": "the layer was cancelled",
    "run": "a task of this connection was given the event loop",
    "ran": "and gave it back: until then nothing else could run",
    "block": "until now the loop's thread waited elsewhere: nothing else could run in it",
    "task": "a task was born of this connection",
    "done": "and ended",
    "submit": "a call was handed to a pool of worker threads",
    "work": "a worker thread began it: until then, queued",
    "worked": "and finished it",
    "wire": "bytes in or out, what they mean, a pause: told by a server that can be observed",
    "close": "a WSGI server closed the response",
    "finding": "a rule of ASGI was broken: which, by whom, at which line",
    "mark": "the user's own mark",
    "drop": "events are missing here",
}
"""Each kind of event, in plain words. A kind and its past tense are one span: begin and end."""


BEGINS = {
    "received": "receive",
    "sent": "send",
    "return": "scope",
    "raise": "scope",
    "cancel": "scope",
    "ran": "run",
    "done": "task",
    "work": "submit",
    "worked": "work",
}
"""Each kind that ends something, and the kind that began it. Its first fact is when that was."""

TIMED = frozenset({*BEGINS, "block"})
"""The kinds whose first fact is when they began."""


@dataclass(slots=True)
class Segment:
    """A packed batch: records `first` to `first + count - 1`."""

    first: int
    count: int
    packed: bytes

    def compress(self) -> None:
        """Make it a third of its size. A reader may be at it: one assignment changes all."""
        self.packed = zlib.compress(self.packed, 1)

    @property
    def compressed(self) -> bool:
        """Whether it is compressed; a packed list never begins with zlib's first byte."""
        return self.packed[:1] == b"x"

    def records(self) -> list[Record]:
        """Unpack the batch."""
        packed = self.packed
        plain = zlib.decompress(packed) if packed[:1] == b"x" else packed
        records: list[Record] = marshal.loads(plain)
        return records


class Recorder:
    """A bounded, append-only log of records with any number of readers.

    `clock` returns nanoseconds and never goes back, `thread` the number of the calling thread.
    `limit` bounds the records in memory.
    `append` may be called from any thread, and is all that a hot path needs.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        clock: Clock = time.perf_counter_ns,
        redact: bool = True,
        thread: Callable[[], int] = threading.get_ident,
    ) -> None:
        self.limit = max(limit, 1)
        self.clock = clock
        self.thread = thread
        self.redact = redact
        self.keep = keep if redact else keep_all
        self.connections = itertools.count(1)
        self.tasks = itertools.count(1)
        self.cost = 0
        """Nanoseconds spent draining so far."""
        self.origin = clock()
        self.started = time.time_ns()
        """The wall clock, in nanoseconds since the epoch, at `origin`."""
        self._lock = threading.Lock()
        self.ring: list[Record] = []
        """Records not yet drained; read them with `read`."""
        self._segments: deque[Segment] = deque()
        self._sealed = 0
        self._first = 0
        self.append = self.ring.append
        _recorders.add(self)

    def begin_at(self, origin: int) -> None:
        """Let the trace begin at this reading of the clock, instead of now."""
        self.started += origin - self.origin
        self.origin = origin

    def restart(self) -> None:
        """Forget everything: a forked child is another process, with a log of its own."""
        self._lock = threading.Lock()
        del self.ring[:]
        self._segments.clear()
        self._sealed = self._first = 0

    @property
    def total(self) -> int:
        """Records appended so far."""
        return self._sealed + len(self.ring)

    @property
    def dropped(self) -> int:
        """Records forgotten so far, because of `limit`."""
        return max(self._first, self.total - self.limit)

    def drain(self, least: int = 1) -> None:
        """Pack what the ring holds, if that is at least `least` and no one else is at it."""
        if len(self.ring) < least or not self._lock.acquire(blocking=False):
            return
        try:
            began = time.perf_counter_ns()
            batch = self.ring[:COLD]
            del self.ring[: len(batch)]
            packed = pack(batch, self.redact)
            self._segments.append(Segment(self._sealed, len(batch), packed))
            self._sealed += len(batch)
            while self._sealed - self._segments[0].first - self._segments[0].count >= self.limit:
                self._first += self._segments.popleft().count
            self.cost += time.perf_counter_ns() - began
        finally:
            self._lock.release()

    def compress(self, seconds: float = 60.0) -> None:
        """Compress the segments that are no longer news. For a thread, not for an event loop.

        It ends after so many seconds: each segment may cost a wait for the interpreter.
        """
        end = time.perf_counter() + seconds
        for segment in list(self._segments):
            if not segment.compressed and segment.first + COLD <= self._sealed:
                segment.compress()
                if time.perf_counter() > end:
                    return

    def read(self, position: int = 0, most: int | None = None) -> tuple[int, list[Record]]:
        """Return `(first, records)`: what is known from `position` on, secrets masked.

        `first` is the number of the first record returned; if it is greater than `position`, the
        records between are forgotten. `most` bounds how many are returned.
        """
        with self._lock:
            first = max(position, self.dropped)
            stop = self.total if most is None else first + most
            segments = [s for s in self._segments if s.first + s.count > first and s.first < stop]
            tail = self.ring[max(0, first - self._sealed) : max(0, stop - self._sealed)]
        records = [record for segment in segments for record in segment.records()]
        skip = first - segments[0].first if segments else 0
        if self.redact:
            mask_payloads(tail)
        return first, [*records[skip:], *tail][: stop - first]


def pack(batch: list[Record], redact: bool = True) -> bytes:
    """Return a batch as bytes, secrets masked. Never raises: it may run in the app's own task."""
    try:
        if redact:
            mask_payloads(batch)
        return marshal.dumps(batch)
    except Exception:  # a broken app's odd value, where it is copied without a look
        return marshal.dumps([solid(record) for record in batch])


def solid(record: Record) -> Record:
    """Return a record of atoms only."""
    try:
        marshal.dumps(record)
    except ValueError:
        return tuple(atom(fact) for fact in record)
    return record


_recorders: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _after_fork() -> None:
    for recorder in _recorders:
        recorder.restart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
