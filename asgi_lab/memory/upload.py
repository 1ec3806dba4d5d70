"""A request's body on its way from a client to a server, and where that client lives."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from asgi_lab.client.steps import Chunks, bursts
from asgi_lab.memory.channel import HIGH

Address = tuple[str, int]
Piece = tuple[float, bytes, bool]
"""Seconds before it, data, and whether more comes."""

FIRST_PORT, PORTS = 50_000, 15_000


def client_address(host: str, number: int) -> Address:
    """Return the address of the client of that number."""
    return (host, FIRST_PORT + number % PORTS)


class Inbox(Protocol):
    """The server's end of it."""

    def feed(self, data: bytes, more: bool, go_on: Callable[[], object]) -> bool:
        """Let a piece arrive; False if more may come only when `go_on` is called, in the loop."""


class Upload:
    """A request's body on its way to the server: in pieces, with its pauses, as there is room."""

    def __init__(self, inbox: Inbox, pieces: list[Piece]) -> None:
        self._inbox = inbox
        self._pieces = iter(pieces)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Send as much as can be sent now, and see to the rest."""
        for before, data, more in self._pieces:
            if before:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(before, self._go_on, data, more)
                return
            if not self._inbox.feed(data, more, self.begin):
                return

    def stop(self) -> None:
        """Send no more."""
        self._pieces = iter(())
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self, data: bytes, more: bool) -> None:
        if self._inbox.feed(data, more, self.begin):
            self.begin()


def pieces(body: bytes | Chunks) -> list[Piece]:
    """Cut a body into what arrives at once: seconds before it, data, and whether more comes."""
    found: list[Piece] = []
    for before, parts in bursts(body):
        data = b"".join(parts)
        if data or before:
            found.append((before, data[:HIGH], True))
        found.extend((0.0, data[at : at + HIGH], True) for at in range(HIGH, len(data), HIGH))
    before, data, _ = found.pop() if found else (0.0, b"", True)
    return [*found, (before, data, False)]
