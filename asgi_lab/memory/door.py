"""`MemoryDoor`: clients that come straight into an ASGI app, in the same event loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from types import TracebackType
from typing import Any

from asgi_lab.client.door import CUT, QUIET, UNANSWERED, UNDECIDED, Connection, Lost, read_body
from asgi_lab.client.result import Progress
from asgi_lab.client.talk import talk
from asgi_lab.memory.channel import HIGH
from asgi_lab.memory.http import Cycle, http_scope
from asgi_lab.memory.lifespan import lifespan
from asgi_lab.memory.line import MemoryLine, websocket_scope
from asgi_lab.memory.upload import Address, Upload, client_address, pieces
from asgi_lab.memory.websocket import WebSocket
from asgi_lab.types import ASGIApp

KEEP_ALIVE = 5.0  # seconds for which the server keeps an idle connection, as Uvicorn does
PARTING = 0.001  # seconds until the server knows that a client has left who had all: a wire's time
GRACE = 10.0  # seconds


class MemoryDoor:
    """Lets clients in to an ASGI app, which sees them as Uvicorn at `host`:`port` would show them.

    `state` is what lifespan left for requests. `quiet` is how many seconds without a message end a
    WebSocket conversation that has no end of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: dict[str, Any] | None = None,
        host: str = "127.0.0.1",
        port: int = 8000,
        quiet: float = QUIET,
    ) -> None:
        self.app = app
        self.state = {} if state is None else state
        self.address: Address = (host, port)
        self.quiet = quiet
        self.sockets: set[WebSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count()

    def open(self) -> AbstractAsyncContextManager[Connection]:
        """Come in as one client."""
        return MemoryConnection(self)

    async def shutdown(self, grace: float | None = GRACE) -> None:
        """Close the WebSockets with 1012, and wait for the app to end all that it does.

        What has not ended after `grace` seconds is cancelled.
        """
        for each in tuple(self.sockets):
            each.shutdown()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def next_client(self) -> Address:
        """Return the address of another client."""
        return client_address(self.address[0], next(self._numbers))

    def start(self, serving: Coroutine[None, None, None], progress: Progress) -> None:
        """Serve in a task of its own, as servers do, named as the request."""
        name = str(progress.request)
        task = asyncio.get_running_loop().create_task(serving, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class MemoryConnection:
    """One client. Its HTTP requests share a connection: an address, as there is nothing else."""

    __slots__ = ("_client", "_door", "_idle", "_unfinished")

    def __init__(self, door: MemoryDoor) -> None:
        self._door = door
        self._client: Address | None = None
        self._idle = 0.0
        """Since when, in seconds of the loop."""
        self._unfinished: Cycle | None = None
        """The app goes on, though its client had all."""

    async def __aenter__(self) -> "MemoryConnection":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._unfinished is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(PARTING, self._unfinished.channel.lose)

    async def exchange(self, progress: Progress) -> None:
        """See `Connection`. Raises Lost."""
        door = self._door
        cycle = Cycle(http_scope(progress, self._address(), door.address, door.state), progress)
        door.start(cycle.run(door.app), progress)
        body, upload = progress.request.body, None
        if isinstance(body, bytes) and len(body) <= HIGH:
            cycle.feed(body, False)
        else:
            upload = Upload(cycle, pieces(body))
            upload.begin()
        try:
            await read_body(cycle.channel.read, progress)
            if not cycle.answered:
                raise Lost(CUT if progress.status is not None else UNANSWERED)
        except BaseException:
            cycle.channel.vanish()
            asyncio.get_running_loop().call_soon(cycle.channel.lose)
            self._client = None
            raise
        finally:
            if upload is not None:
                upload.stop()
        if not cycle.complete:
            self._unfinished = cycle
        if cycle.closes:
            self._client = None
        else:
            self._idle = asyncio.get_running_loop().time()

    async def converse(self, progress: Progress) -> None:
        """See `Connection`. Raises Lost."""
        door = self._door
        scope = websocket_scope(progress, door.next_client(), door.address, door.state)
        server = WebSocket(scope, progress)
        door.sockets.add(server)
        door.start(server.run(door.app), progress)
        try:
            if await server.decided():
                await talk(MemoryLine(server, progress), progress, door.quiet)
            else:
                await read_body(server.refusal, progress)
                if not server.refused:
                    raise Lost(CUT if progress.status is not None else UNDECIDED)
        except BaseException:
            server.vanish()
            raise
        finally:
            door.sockets.discard(server)

    def _address(self) -> Address:
        """Return this client's address: another one if the server has closed the connection."""
        since = self._idle
        if self._client is None or asyncio.get_running_loop().time() - since >= KEEP_ALIVE:
            self._client = self._door.next_client()
        return self._client


@asynccontextmanager
async def serve(
    app: ASGIApp, *, grace: float | None = GRACE, **settings: Any
) -> AsyncIterator[MemoryDoor]:
    """Start an app up, open a door to it, and shut both down at the end, as a server would.

    `settings`: see `MemoryDoor`; `grace`: see its `shutdown`. Raises LifespanFailed.
    """
    async with lifespan(app) as state:
        door = MemoryDoor(app, state=state, **settings)
        try:
            yield door
        finally:
            await door.shutdown(grace)
