"""Doors to servers that run in a thread of this process, each with an event loop of its own.

In virtual time the thread has an interpreter of its own, too: it stands for another process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from asgi_lab.client import SocketDoor
from asgi_lab.clock.threads import start_aside
from asgi_lab.experiment.setup import Setup

Ready = Callable[[int], object]
Main = Callable[[Any, Ready, asyncio.Event], Awaitable[None]]
"""Serves an app until the event is set; tells its port once it listens."""

HOST = "127.0.0.1"


@asynccontextmanager
async def in_a_thread(setup: Setup, app: Any) -> AsyncIterator[Any]:
    """Serve an app from a thread of this process, over sockets, or in virtual time in memory."""
    if setup.interface == "wsgi":
        from asgi_lab.wsgi_server import running

        with running(app, threads=setup.threads or 1) as url:
            yield SocketDoor(url)
        return
    async with ServerThread(setup.server, app) as port:
        yield SocketDoor(f"http://{HOST}:{port}")


class ServerThread:
    """A server that serves an app from a thread, while this is entered; the value is its port.

    Raises `ServerFailed` if it does not start, or has ended by itself.
    """

    def __init__(self, name: str, app: Any) -> None:
        self._name, self._app = name, app
        self._outer = asyncio.get_running_loop()
        self._inner: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[int] = self._outer.create_future()
        self._ended: asyncio.Future[BaseException | None] = self._outer.create_future()
        self._stop: asyncio.Event | None = None

    async def __aenter__(self) -> int:
        self._thread = start_aside(self._run, self._name, interpreter=True)
        both: list[asyncio.Future[Any]] = [self._ready, self._ended]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            self._thread.join()
            raise ServerFailed(self._name, self._ended.result())
        return self._ready.result()

    async def __aexit__(self, *error: object) -> None:
        if self._inner is not None and self._stop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._inner.call_soon_threadsafe(self._stop.set)
        await asyncio.wait([self._ended])
        self._thread.join()
        if self._ended.result() is not None and error[0] is None:
            raise ServerFailed(self._name, self._ended.result())

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._serve())
        except (Exception, SystemExit) as raised:
            error = raised
        self._tell(self._ended, error)

    async def _serve(self) -> None:
        self._inner, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await IN_THREAD[self._name](
            self._app, lambda port: self._tell(self._ready, port), self._stop
        )

    def _tell(self, future: "asyncio.Future[Any]", value: Any) -> None:
        with suppress(RuntimeError):  # nobody waits any more
            self._outer.call_soon_threadsafe(set_once, future, value)


def set_once(future: "asyncio.Future[Any]", value: Any) -> None:
    """Set a future's result, unless it has one."""
    if not future.done():
        future.set_result(value)


class ServerFailed(RuntimeError):
    """A server ended by itself, or did not start."""

    def __init__(self, server: str, error: BaseException | None) -> None:
        what = f": {error}" if isinstance(error, Exception) else ""
        super().__init__(f"{server} did not start, or ended by itself{what}; its log says why")


async def uvicorn_main(app: Any, ready: Ready, stop: asyncio.Event) -> None:
    """Run an unmodified Uvicorn until told to stop."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                ready(self.servers[0].sockets[0].getsockname()[1])

    server = Server(
        uvicorn.Config(app, host=HOST, port=0, log_config=None, log_level="error", access_log=False)
    )

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve()
    finally:
        ending.cancel()


async def hypercorn_main(app: Any, ready: Ready, stop: asyncio.Event) -> None:
    """Run an unmodified Hypercorn until told to stop."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from asgi_lab.adapters.process import free_port
    from asgi_lab.client import wait_ready

    config, port = Config(), free_port(HOST, 0)
    config.bind = [f"{HOST}:{port}"]
    config.errorlog = config.accesslog = None

    async def announce() -> None:
        if await wait_ready(HOST, port, 10.0):
            ready(port)

    announcing = asyncio.create_task(announce())
    try:
        await serve(app, config, shutdown_trigger=stop.wait)
    finally:
        announcing.cancel()


async def lab_main(app: Any, ready: Ready, stop: asyncio.Event) -> None:
    """Run our own server until told to stop."""
    from asgi_lab.server import Server

    async with Server(app, host=HOST, port=0, observe=app.asgi_lab_observe) as server:
        ready(server.port)
        await stop.wait()


IN_THREAD: dict[str, Main] = {
    "uvicorn": uvicorn_main,
    "hypercorn": hypercorn_main,
    "lab": lab_main,
}
"""The servers that run in a thread of this process."""

SIMULATED = ("uvicorn", "lab")
"""Those that run in virtual time: they ask asyncio for a server, not the system for a socket."""
