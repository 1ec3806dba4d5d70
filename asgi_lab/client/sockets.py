"""`SocketDoor`: clients that come to a server over real sockets.

h11 and wsproto are loaded when the first client comes in.
"""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from asgi_lab.client.door import CHUNK, QUIET, Connection
from asgi_lab.client.result import Progress

if TYPE_CHECKING:
    from asgi_lab.client.http import Kept

SLOW_BUFFER = 4096  # bytes: what the operating system keeps for a slow reader
_RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, for 0 seconds


class SocketDoor:
    """Lets clients in to the server at `base_url`: `http://host:port`, IPv6 hosts in brackets.

    `quiet` is how many seconds without a message end a WebSocket conversation that has no end of
    its own. Raises ValueError for a URL that makes no sense.
    """

    def __init__(self, base_url: str, *, quiet: float = QUIET) -> None:
        base = _split_base(base_url)
        self.host = base.hostname or ""
        self.port = base.port or 80
        self.netloc = base.netloc
        self.quiet = quiet

    def open(self) -> AbstractAsyncContextManager[Connection]:
        """Come in as one client; its connection is made when it first asks for something."""
        return SocketConnection(self)


class SocketConnection:
    """One client. Its HTTP requests share a connection while the server keeps it open."""

    def __init__(self, door: SocketDoor) -> None:
        self._door = door
        self._kept: Kept | None = None

    async def __aenter__(self) -> "SocketConnection":
        from asgi_lab.client.http import Kept

        self._kept = Kept(self._door)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._kept is not None:
            await self._kept.close()

    async def exchange(self, progress: Progress) -> None:
        """See `Connection`. Raises OSError, Lost, or h11's words for a broken answer."""
        assert self._kept is not None
        await self._kept.exchange(progress)

    async def converse(self, progress: Progress) -> None:
        """See `Connection`. Raises OSError, Lost, or wsproto's words for a broken answer."""
        from asgi_lab.client.websocket import converse

        await converse(self._door, progress)


class Stream:
    """A TCP connection. `slow`: its buffers are small, so that the server feels a slow reader."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slow: bool
    ) -> None:
        self.read = reader.read
        self.write = writer.write
        self.slow = slow
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, door: SocketDoor, slow: bool) -> "Stream":
        """Connect to the server. Raises OSError."""
        if slow:
            sock = await _slow_socket(door.host, door.port)
            where = (door.host, door.port) if sock is None else ()
            streams = await asyncio.open_connection(*where, sock=sock, limit=SLOW_BUFFER)
            return cls(*streams, slow)
        return cls(*await asyncio.open_connection(door.host, door.port, limit=CHUNK), slow)

    @property
    def alive(self) -> bool:
        """Whether it can be used again: the server has not closed it."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def close(self) -> None:
        """Flush what was written, and close."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def drop(self) -> None:
        """Vanish: the server is told by a reset, as when a process is killed."""
        with suppress(OSError):
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()


async def _slow_socket(host: str, port: int) -> socket.socket | None:
    """Connect a socket whose buffer was small from the start: the server may count on more, else.

    None where there are no sockets, as in virtual time: connections there have no such buffer.
    Raises OSError.
    """
    loop = asyncio.get_running_loop()
    if hasattr(loop, "world"):
        return None
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = infos[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _split_base(base_url: str) -> SplitResult:
    try:
        base = urlsplit(base_url)
        if base.scheme == "http" and base.hostname and base.port != 0 and base.path in ("", "/"):
            return base
    except ValueError:  # a port that is no number, a bracket too few
        pass
    raise ValueError(f'expected a base URL such as "http://127.0.0.1:8000", got {base_url!r}')
