"""The server: listen, give each connection its own object, and end in good order.

    async with Server(app, port=0) as server:
        print(server.port)

It runs in the loop that is running, beside whatever else does; it has no global state, installs no
signal handlers, and leaves nothing behind. `asgi_lab.server.run` adds what a process needs.

Ending: take no new connections; close the idle ones; let the others finish, until a deadline;
then cancel what is left, by name; and when all are gone, let the app's lifespan end.
"""

import asyncio
import logging
import os
import socket
import ssl as tls
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from typing import Any, Self

from asgi_lab.server.alive import Alive
from asgi_lab.server.config import Config, Observe
from asgi_lab.server.connection import Connection, address
from asgi_lab.server.lifespan import GRACE, Lifespan
from asgi_lab.server.limits import Limits
from asgi_lab.server.proxies import Proxies
from asgi_lab.types import ASGIApp

logger = logging.getLogger("asgi_lab.server")


class Server:
    """Serves one app on a TCP address, a Unix socket (`uds`), or a socket that is bound already.

    With TLS if it has a context. `observe` is told all that happens, in order. `lifespan` is
    "auto", "on" (an app that raises at startup has failed) or "off". `shutdown_seconds` is how long
    requests may take to finish at the end, and then again how long the app may take to shut down.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        uds: str | None = None,
        sock: socket.socket | None = None,
        ssl: tls.SSLContext | None = None,
        observe: Observe | None = None,
        limits: Limits | None = None,
        lifespan: str = "auto",
        root_path: str = "",
        proxies: Iterable[str] = (),
        server_header: bool = True,
        date_header: bool = True,
        shutdown_seconds: float = 10.0,
    ) -> None:
        if lifespan not in ("auto", "on", "off"):
            raise ValueError(f'lifespan is "auto", "on" or "off", got {lifespan!r}')
        self.config = Config(
            app=app,
            limits=limits or Limits(),
            root_path=root_path.rstrip("/"),
            proxies=Proxies(proxies),
            server_header=server_header,
            date_header=date_header,
            observe=observe,
        )
        bound = address(sock.getsockname()) if sock is not None else None
        self._address = bound or ((host, port) if uds is None else (uds, None))
        self._sock = sock
        self._ssl = ssl
        self._lifespan = Lifespan(app, required=lifespan == "on") if lifespan != "off" else None
        self._shutdown_seconds = shutdown_seconds
        self._alive = Alive()
        self._numbers = count(1)
        self._listener: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the app, then listen. Raises `StartupFailed`, and OSError for a busy address."""
        self._alive.ending = False
        try:
            if self._lifespan is not None:
                await self._lifespan.startup()
                if self._lifespan.supported:
                    self.config.state = self._lifespan.state
            await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End: connections first, then the app. A second call does nothing."""
        listener, self._listener = self._listener, None
        self._alive.ending = True
        try:
            if listener is not None:
                await self._close(listener)
            await self._finish()
        finally:
            await self._break_off()
            await self._end_lifespan()

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        where = self.addresses[0][1]
        if where is None:
            raise RuntimeError("a server on a Unix socket has no port")
        return where

    @property
    def addresses(self) -> list[tuple[str, int | None]]:
        """Where it listens. Raises RuntimeError unless it does."""
        sockets = getattr(self._listener, "sockets", None)
        if not sockets:
            raise RuntimeError("the server does not listen: use it as `async with Server(...)`")
        return [name for each in sockets if (name := address(each.getsockname())) is not None]

    @property
    def url(self) -> str:
        """Where a client finds it."""
        host, port = self._address
        if port is None:
            return f"unix:{host}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    def _connect(self) -> Connection:
        return Connection(next(self._numbers), self.config, self._alive)

    async def _listen(self) -> None:
        loop, (host, port) = asyncio.get_running_loop(), self._address
        if self._sock is not None:
            # asyncio sends without delay (TCP_NODELAY) if a socket says that it is of TCP, which
            # one says only if it was made so, or looks.
            sock = socket.socket(fileno=self._sock.detach())
            create: Any = loop.create_server if port is not None else loop.create_unix_server
            self._listener = await create(self._connect, sock=sock, ssl=self._ssl)
            return
        if port is None:
            self._listener = await loop.create_unix_server(self._connect, host, ssl=self._ssl)
            return
        self._listener = await loop.create_server(self._connect, host, port, ssl=self._ssl)
        if port == 0 and len({port for _, port in self.addresses}) > 1:
            # A name such as localhost has two addresses, and each got a free port of its own.
            port = self.port
            self._listener.close()
            self._listener = await loop.create_server(self._connect, host, port, ssl=self._ssl)

    async def _close(self, listener: asyncio.AbstractServer) -> None:
        """Take no more connections.

        asyncio loses one that it is accepting when the listener closes; so it stops to accept
        first, and has the few rounds of the loop that it takes to open a connection.
        """
        loop = asyncio.get_running_loop()
        try:
            for listening in getattr(listener, "sockets", ()):
                with suppress(NotImplementedError):  # no sockets, no such trouble
                    loop.remove_reader(listening)
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            listener.close()
            path, port = self._address
            if port is None and self._sock is None:
                with suppress(FileNotFoundError):  # newer Pythons have removed it
                    os.unlink(path)

    async def _finish(self) -> None:
        """Let what is going on finish, until the deadline; then cancel it, by name."""
        alive = self._alive
        for connection in list(alive.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown_seconds):
                await alive.none_left()
        for task, name in list(alive.tasks.items()):
            logger.warning(
                "%s was still running after %g s: cancelled", name, self._shutdown_seconds
            )
            task.cancel()
        if alive.tasks:
            await asyncio.wait(alive.tasks, timeout=GRACE)
        for name in alive.tasks.values():
            logger.error("%s goes on although it was cancelled: left alone", name)

    async def _break_off(self) -> None:
        """End what is left: nothing, unless the deadline has passed or `stop` was cancelled."""
        for task in self._alive.tasks:
            task.cancel()
        for connection in list(self._alive.connections):
            connection.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._alive.all_closed()  # in the loop's next round

    async def _end_lifespan(self) -> None:
        if self._lifespan is None:
            return
        try:
            async with asyncio.timeout(self._shutdown_seconds):
                await self._lifespan.shutdown()
        except TimeoutError:
            logger.error("the app's shutdown took more than %g s", self._shutdown_seconds)
        finally:
            await self._lifespan.end()
