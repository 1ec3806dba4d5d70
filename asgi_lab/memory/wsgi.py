"""`WSGIDoor`: clients that come straight to WSGI workers, which run in threads of their own.

The client lives in the event loop, the worker in a thread. What the worker sends is handed over to
the loop, in order; a lock is made only for one that has to wait: for a slow client, or for a body
that has not come yet. So a workload without either needs none.
"""

import asyncio
import io
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import lru_cache
from itertools import count
from typing import Any

import h11

from asgi_lab.client.door import CUT, UNANSWERED, Connection, Lost, read_body
from asgi_lab.client.request import Request
from asgi_lab.client.result import Progress
from asgi_lab.client.wire import http_fields
from asgi_lab.memory.answer import answer_head
from asgi_lab.memory.channel import HIGH, Channel
from asgi_lab.memory.upload import Address, Upload, client_address, pieces
from asgi_lab.types import Environ
from asgi_lab.wsgi_server.environ import environ_of
from asgi_lab.wsgi_server.exchange import ClientError, Exchange, Headers


class WSGIDoor:
    """Lets clients in to WSGI workers: each exchange is `put` where they take them from.

    `settings` are added to every environ, such as `{"wsgi.multithread": False}`.
    """

    def __init__(
        self,
        put: Callable[[Exchange], object],
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        settings: Environ | None = None,
    ) -> None:
        self.put = put
        self.address: Address = (host, port)
        self.settings = {"wsgi.multithread": True, "wsgi.multiprocess": False, **(settings or {})}
        self.numbers = count()

    def open(self) -> AbstractAsyncContextManager[Connection]:
        """Come in as one client."""
        return nullcontext(WSGIConnection(self))


class WSGIConnection:
    """One client, at one address."""

    __slots__ = ("_client", "_door")

    def __init__(self, door: WSGIDoor) -> None:
        self._door = door
        self._client = client_address(door.address[0], next(door.numbers))

    async def exchange(self, progress: Progress) -> None:
        """See `Connection`. Raises Lost."""
        door, request = self._door, progress.request
        environ = request_environ(request, door.address)
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = self._client[0], str(self._client[1])
        environ.update(door.settings)
        exchange = MemoryExchange(environ, progress)
        upload = None
        if isinstance(request.body, bytes):
            environ["wsgi.input"] = io.BytesIO(request.body)
        else:
            body = Body()
            environ["wsgi.input"] = io.BufferedReader(body)
            exchange.body = body
            upload = Upload(body, pieces(request.body))
            upload.begin()
        door.put(exchange)
        try:
            await read_body(exchange.read, progress)
            if not exchange.answered:
                raise Lost(CUT if progress.status is not None else UNANSWERED)
        except BaseException:
            exchange.vanish()
            raise
        finally:
            if upload is not None:
                upload.stop()

    async def converse(self, progress: Progress) -> None:
        """WSGI has no WebSockets. Raises Lost."""
        raise Lost("WSGI has no WebSockets")


class MemoryExchange:
    """See `wsgi_server.exchange.Exchange`: one request, and the way back to its client."""

    def __init__(self, environ: Environ, progress: Progress) -> None:
        self.environ = environ
        self.progress = progress
        self.answered = False
        self.body: Body | None = None
        self._channel: Channel[bytes] = Channel(lambda: None)
        self._loop = asyncio.get_running_loop()
        self._gone = False
        self._written = 0
        self._read = 0
        self._room: threading.Condition | None = None

    # ---- from the worker's thread --------------------------------------------------------------

    def head(self, status: str, headers: Headers) -> None:
        """Let the client have the head. Raises h11.LocalProtocolError if there can be none such."""
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        method = self.environ["REQUEST_METHOD"]
        head = answer_head(method, False, int(status[:3]), fields)
        self.progress.head(int(status[:3]), head.headers)

    def chunk(self, data: bytes) -> None:
        """Let the client have the chunk; wait while it has more than `HIGH` bytes to read.

        Raises ClientError when the client has left.
        """
        if self._gone:
            raise ClientError("it hung up")
        if data:
            self._written += len(data)
            self._tell(self._channel.write, data)
            if self._written - self._read > HIGH:
                self._wait()

    def end(self, error: BaseException | None = None) -> None:
        """Finish the answer; with an error, cut it off."""
        self.progress.end()
        self.answered = error is None
        try:
            self._tell(self._channel.end)
        except ClientError:
            if error is None:
                raise

    def _wait(self) -> None:
        # The reader counts first, and looks for this lock then; we make the lock first, and look
        # at the count then. So one of us sees the other.
        self._room = self._room or threading.Condition()
        with self._room:
            while self._written - self._read > HIGH and not self._gone:
                self._room.wait()
        if self._gone:
            raise ClientError("it hung up")

    def _tell(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError as closed:  # the loop, and all clients in it
            raise ClientError("it hung up") from closed

    # ---- from the client's loop ----------------------------------------------------------------

    async def read(self, most: int | None) -> bytes | None:
        """Return some of the answer's body; None at its end."""
        data = await self._channel.read(most)
        if data is not None:
            self._read += len(data)
            self._news()
        return data

    def vanish(self) -> None:
        """Let the client leave."""
        self._gone = True
        self._channel.vanish()
        if self.body is not None:
            self.body.cut()
        self._news()

    def _news(self) -> None:
        if self._room is not None:
            with self._room:
                self._room.notify_all()


class Body(io.RawIOBase):
    """A request's body that is still on its way: reading it waits for more, or the end."""

    def __init__(self) -> None:
        self._body = b""
        self._on_room: Callable[[], object] | None = None
        """To be called in the client's loop when the worker has taken what had come."""
        self._loop = asyncio.get_running_loop()
        self._more = True
        self._gone = False
        self._changed = threading.Condition()

    def feed(self, data: bytes, more: bool, go_on: Callable[[], object]) -> bool:
        """Let a piece arrive, from the client's loop; see `Inbox`."""
        with self._changed:
            self._body += data
            self._more = more
            full = len(self._body) > HIGH
            self._on_room = go_on if full else None
            self._changed.notify_all()
        return not full

    def cut(self) -> None:
        """Let the client leave before the end."""
        with self._changed:
            self._gone = self._more
            self._changed.notify_all()

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what there is; wait until there is something, or the end.

        Raises ClientError if the client leaves before the end.
        """
        with self._changed:
            while not self._body and self._more and not self._gone:
                self._changed.wait()
            if not self._body and self._gone:
                raise ClientError("it hung up amid its request")
            size = min(len(buffer), len(self._body))
            buffer[:size], self._body = self._body[:size], self._body[size:]
            room, self._on_room = self._on_room, None
        if room is not None:
            self._loop.call_soon_threadsafe(room)
        return size


def request_environ(request: Request, server: Address) -> Environ:
    """Return what the request says, as the real server would put it (PEP 3333)."""
    fields = http_fields(request, f"{server[0]}:{server[1]}")
    return _environ(request.method, request.path, tuple(fields), server).copy()


@lru_cache(1024)
def _environ(
    method: str, target: str, fields: tuple[tuple[bytes, bytes], ...], server: Address
) -> Environ:
    parsed = h11.Request(method=method, target=target, headers=list(fields))
    environ = environ_of(parsed, server, ("", 0))
    environ["wsgi.input_terminated"] = True  # it ends where the body ends: `read()` is safe
    return environ
