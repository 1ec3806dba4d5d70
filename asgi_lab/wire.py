"""What passes below ASGI, told by a server that can be observed (`asgi_lab.server` can).

A server knows its clients' connections; ASGI knows calls of the app. One follows from the other:
the server tells that it is about to call the app in the very task that does, a context variable
carries that to the tracer, and what came before on that connection belongs to the call. In HTTP/2
a connection has many calls at once, each on a stream of its own, whose number the server tells.

Whose are ...
    an event               the call's that its stream has; of a request, the call's that follows
    bytes that come in     those of the first event that they bring
    all else               the stream's, or of the connection's calls the last one's
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from asgi_lab.atoms import PREVIEW, Pairs
from asgi_lab.recorder import Recorder
from asgi_lab.redact import clean_headers, mask_text

HELD = 64
"""Facts of one connection that wait for the app to be called; the oldest belong to no call."""

STREAMS = 256
"""Streams of one connection whose calls are remembered; the oldest are forgotten."""

HEAD = re.compile(rb"[A-Z]+ [^ ]+ HTTP/1\.\d\r\n|HTTP/1\.\d \d{3}")
"""How a head begins: that of a request, or that of an answer."""

Fact = tuple[int, Pairs]
"""When, and what."""


@dataclass(slots=True, eq=False)
class Call:
    """A call of the app that the server has told of."""

    number: int
    stream: int
    depth: int = 0
    """How many traced apps are called in it now, one by the other."""


@dataclass(slots=True)
class Known:
    """What is known of a connection."""

    doors: dict[int, int] = field(default_factory=dict)
    """By stream, the door of the call that it has, or had last."""
    last: int = 0
    """The door of the call that began last."""
    calls: dict[int, Call] = field(default_factory=dict)
    """By stream, the call that takes what comes in."""
    held: list[tuple[int, Fact]] = field(default_factory=list)
    """Facts of streams whose call is not known yet."""
    bytes_in: Fact | None = None
    """Bytes of which it is not known yet what they bring."""

    def awaits(self, stream: int) -> bool:
        """Return whether what comes in belongs to a call that is still to come."""
        if stream:
            return stream not in self.doors
        return not self.calls


class Wire:
    """Notes what a server tells. Give it to the server as `observe`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: dict[int, Known] = {}

    def __call__(self, number: int, name: str, data: Any, stream: int = 0) -> None:
        """Take a fact: which connection, what happened, the bytes, event or words of it, stream."""
        if name == "app":
            arrived.set((self, Call(number, stream)))
            return
        known = self._known.setdefault(number, Known())
        fact = (self._recorder.clock(), self._pairs(number, name, data, stream))
        if name == "event" and type(data).__name__ == "Request":
            known.calls.pop(stream, None)  # the one before may go on, but takes nothing more
        if known.bytes_in is not None:
            self._take(known, stream if name == "event" else 0, known.bytes_in)
            known.bytes_in = None
        if name == "bytes in":
            known.bytes_in = fact
        elif name in ("open", "event"):
            self._take(known, stream, fact)
        else:
            self._note(known.doors.get(stream, known.last), fact)
        if name == "close":
            for where, late in known.held:
                self._note(known.doors.get(where, known.last), late)
            del self._known[number]

    def serves(self, call: Call, recorder: Recorder, door: int) -> None:
        """Take note that the app is called now, through this door."""
        call.depth += 1
        known = self._known.get(call.number)
        if known is None or recorder is not self._recorder or call.depth > 1:
            return
        known.doors[call.stream] = known.last = door
        known.calls[call.stream] = call
        if len(known.doors) > STREAMS:
            del known.doors[next(iter(known.doors))]
        waiting, known.held = known.held, []
        for stream, fact in waiting:
            if stream in (0, call.stream):
                self._note(door, fact)
            else:
                known.held.append((stream, fact))

    def served(self, call: Call) -> None:
        """Take note that the call has ended: what comes in next belongs to another."""
        call.depth -= 1
        known = self._known.get(call.number)
        if not call.depth and known is not None and known.calls.get(call.stream) is call:
            del known.calls[call.stream]

    def _take(self, known: Known, stream: int, fact: Fact) -> None:
        """Note what came in, or keep it for a call to come."""
        if not known.awaits(stream):
            self._note(known.doors.get(stream, known.last), fact)
            return
        known.held.append((stream, fact))
        if len(known.held) > HELD:
            self._note(0, known.held.pop(0)[1])

    def _note(self, door: int, fact: Fact) -> None:
        self._recorder.append((fact[0], "wire", door, 0, fact[1]))

    def _pairs(self, number: int, name: str, data: Any, stream: int) -> Pairs:
        pairs: Pairs = (("what", name), ("tcp", number))
        if stream:
            pairs = (*pairs, ("stream", stream))
        if isinstance(data, bytes | bytearray | memoryview):
            whole = bytes(data)
            head = self._head(whole) if HEAD.match(whole) else ""
            return (*pairs, ("size", len(whole)), *((("head", head),) if head else ()))
        if name == "event":
            return (*pairs, ("event", type(data).__name__))
        if name in ("time out", "open") and data is not None:
            return (*pairs, ("of", str(data)))
        if isinstance(data, BaseException):
            return (*pairs, ("error", type(data).__name__))
        return pairs

    def _head(self, data: bytes) -> str:
        """Return the lines of a head, secrets masked, and nothing of a body."""
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        parts = [line.partition(":") for line in lines]
        fields = tuple((name, value.strip()) for name, _, value in parts)
        if self._recorder.redact:
            first = mask_text(first)
        kept: Any = clean_headers(fields, self._recorder.redact)
        return "\n".join([first, *(f"{name}: {value}" for name, value in kept)])[: 2 * PREVIEW]


arrived: ContextVar[tuple[Wire, Call] | None] = ContextVar("asgi_lab_wire", default=None)
"""To whom to tell of the call in whose task we are, and which it is."""
