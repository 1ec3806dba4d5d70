"""What a workload needs of a server: a door that a client opens, and two ways of talking.

The doors are `SocketDoor` (any server, real sockets) and those of `asgi_lab.memory`. Both talk with
the errors of this module, so that the same thing is told in the same words.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from asgi_lab.client.result import Progress

QUIET = 0.5  # seconds without a message after which a WebSocket is taken to have said all
CHUNK = 65_536  # bytes read at once, at most, by those who do not mind
SLICES = 10  # a slow reader reads so many times a second


class HungUp(Exception):
    """The client has had enough, and vanishes."""


class Lost(ConnectionError):
    """The server closed the connection where it should not have."""


UNANSWERED = "server closed the connection without answering"
CUT = "server closed the connection amid its answer"
UNDECIDED = "server closed the connection without answering the handshake"
UNCLOSED = "server closed the connection without a close frame"


class Connection(Protocol):
    """One client's way to the server. What happens is noted in `progress`; failures are raised.

    Leaving by any exception, cancelling included, drops the connection without a word: that is how
    a client hangs up. The next request makes another.
    """

    async def exchange(self, progress: Progress) -> None:
        """Send the HTTP request and read its whole answer. Raises HungUp at its time."""

    async def converse(self, progress: Progress) -> None:
        """Hold the WebSocket conversation. Raises HungUp at its time."""


class Door(Protocol):
    """Where clients come in."""

    def open(self) -> AbstractAsyncContextManager[Connection]:
        """Come in as one client; leave at the end."""


async def read_body(
    read: Callable[[int | None], Awaitable[bytes | None]], progress: Progress
) -> None:
    """Read an answer's body to its end (None) as the client does: at its rate, or to its limit.

    `read` is given the most bytes to return, or None. Raises HungUp when the client has had enough.
    """
    request = progress.request
    rate, enough = request.read_rate, request.hang_up and request.hang_up.bytes
    if rate is None and enough is None:
        while (data := await read(None)) is not None:
            progress.data(data)
        return
    most = max(1, int(rate / SLICES)) if rate else CHUNK
    while True:
        limit = min(most, enough - progress.received) if enough else most
        data = await read(limit)
        if data is None:
            break
        progress.data(data)
        if enough and progress.received >= enough:
            raise HungUp
        if rate:
            await asyncio.sleep(len(data) / rate)
    if rate:
        progress.end()  # later than it came
