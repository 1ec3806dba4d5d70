"""Driving the lab server over a real socket, and seeing that nothing is left behind.

run(main)                       in asyncio, uvloop, or in a loop whose time jumps
async with serving(app) as (server, told): ...
answer = await ask(server, b"GET / HTTP/1.0\\r\\n\\r\\n")
"""

import asyncio
import logging
import os
import selectors
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from asgi_lab.server import Server

Told = list[tuple[int, str, Any]]
App = Callable[..., Awaitable[Any]]


class JumpingSelector(selectors.DefaultSelector):
    """A selector that never sleeps: where nothing is ready, the loop's time goes on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Real sockets, but an hour of waiting takes no time.

    Only for Unix sockets, where what is written can be read at once: time must not pass before
    what is under way has arrived.
    """

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
    "jumping": JumpingLoop,
}
both_loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def run(main: Coroutine[Any, Any, Any], loop: str = "asyncio") -> Any:
    """Run to the end; afterwards there are no more tasks and sockets than before."""

    async def checked() -> Any:
        before = asyncio.all_tasks()
        async with asyncio.timeout(3600 if loop == "jumping" else 60):
            result = await main
        for _ in range(3):  # asyncio's own tasks, which accept, end a moment later
            await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() - before if not task.done()]
        assert left == []
        return result

    before = open_sockets()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        result = runner.run(checked())
    assert open_sockets() == before
    return result


def open_sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            pass  # the one that listed the others
    return count


@asynccontextmanager
async def serving(app: App, **options: Any) -> AsyncIterator[tuple[Server, Told]]:
    """Serve on a Unix socket, unless a port is given; what the server's observer was told."""
    told: Told = []
    options.setdefault("lifespan", "off")
    options.setdefault("observe", lambda number, name, data, _: told.append((number, name, data)))
    with tempfile.TemporaryDirectory() as folder:
        if "port" not in options:
            options["uds"] = str(Path(folder, "s"))
        async with Server(app, **options) as server:
            yield server, told


class Client:
    """The other end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self) -> bytes:
        """All that comes until the server closes."""
        return await self.reader.read()

    async def until(self, end: bytes) -> bytes:
        return await self.reader.readuntil(end)

    async def response(self) -> tuple[int, bytes]:
        """The next response that has a Content-Length or is chunked: status and body."""
        head = (await self.until(b"\r\n\r\n")).lower()
        status = int(head.split(b" ")[1])
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            body = b""
            while size := int(await self.until(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.until(b"\r\n")
            return status, body
        length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0] or 0)
        return status, await self.reader.readexactly(length)

    def reset(self) -> None:
        """Go without a word."""
        self.writer.transport.abort()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Client]:
    """A connection to a server."""
    where = server.addresses[0]
    if where[1] is None:
        reader, writer = await asyncio.open_unix_connection(where[0])
    else:
        reader, writer = await asyncio.open_connection(*where)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


async def ask(server: Server, data: bytes) -> bytes:
    """Send some bytes, and return all that comes until the server closes."""
    async with connected(server) as client:
        client.send(data)
        return await client.read()


def get(path: str = "/", *headers: str, method: str = "GET", close: bool = True) -> bytes:
    """A request; by default the last on its connection."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers, *["connection: close"] * close]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def answer(send: Any, body: bytes = b"ok", status: int = 200, *headers: Any) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Any) -> bytes:
    """The whole body of a request. Raises EOFError if the client goes before its end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise EOFError
        body += message["body"]
        more = message["more_body"]
    return body


async def until_told(told: Told, name: str) -> None:
    """Wait until the observer has been told this; in the jumping loop, each round is quick."""
    while name not in [each for _, each, _ in told]:
        await asyncio.sleep(0.001)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server has logged as a warning or an error; and asyncio, as an error."""
    least = {"asgi_lab.server": logging.WARNING}
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= least.get(record.name, logging.ERROR)
    ]
