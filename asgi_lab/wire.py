"""What passes below ASGI, told by a server that can be observed (`asgi_lab.server` can).

A server knows its clients' connections; ASGI knows calls of the app. One follows from the other:
the server tells that it is about to call the app in the very task that does, a context variable
carries that to the tracer, and what came before on that connection belongs to the call.
"""

import re
from contextvars import ContextVar
from typing import Any

from asgi_lab.atoms import PREVIEW, Pairs
from asgi_lab.recorder import Recorder
from asgi_lab.redact import clean_headers, mask_text

HELD = 64
"""Facts of one connection that wait for the app to be called; the oldest belong to no call."""

HEAD = re.compile(rb"[A-Z]+ [^ ]+ HTTP/1\.\d\r\n|HTTP/1\.\d \d{3}")
"""How a head begins: that of a request, or that of an answer."""


class Wire:
    """Notes what a server tells. Give it to the server as `observe`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._doors: dict[int, int] = {}
        """Of each connection, the door of the call that it serves, or served last."""
        self._held: dict[int, list[tuple[int, Pairs]]] = {}
        """Facts of connections whose next call is not known yet."""

    def __call__(self, number: int, name: str, data: Any) -> None:
        """Take a fact: which connection, what happened, and the bytes, event or words of it."""
        if name == "app":
            arrived.set((self, number))
            return
        fact = (self._recorder.clock(), self._pairs(number, name, data))
        if name in ("open", "bytes in", "event") and self._idle(number):
            held = self._held.setdefault(number, [])
            held.append(fact)
            if len(held) > HELD:
                self._note(0, held.pop(0))
            return
        self._note(self._doors.get(number, 0), fact)
        if name == "close":
            for late in self._held.pop(number, ()):
                self._note(self._doors.get(number, 0), late)
            self._doors.pop(number, None)

    def serves(self, number: int, recorder: Recorder, door: int) -> None:
        """Take note that a connection's app is called now, through this door."""
        if recorder is self._recorder:
            self._doors[number] = door
            for fact in self._held.pop(number, ()):
                self._note(door, fact)

    def served(self, number: int) -> None:
        """Take note that the call has ended: what comes in next belongs to another."""
        if number in self._doors:
            self._held.setdefault(number, [])

    def _idle(self, number: int) -> bool:
        return number not in self._doors or number in self._held

    def _note(self, door: int, fact: tuple[int, Pairs]) -> None:
        self._recorder.append((fact[0], "wire", door, 0, fact[1]))

    def _pairs(self, number: int, name: str, data: Any) -> Pairs:
        pairs: Pairs = (("what", name), ("tcp", number))
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


arrived: ContextVar[tuple[Wire, int] | None] = ContextVar("asgi_lab_wire", default=None)
"""Whose connection it is that the app is called for, and its number."""
