"""Doors to servers that run in a thread of this process, each with an event loop of its own.

In virtual time the thread has an interpreter of its own, too: it stands for another process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[int] = loop.create_future()
    ended: asyncio.Future[None] = loop.create_future()
    stops: list[Callable[[], object]] = []

    def tell(future: "asyncio.Future[Any]", value: Any, error: BaseException | None = None) -> None:
        if not future.done():
            future.set_exception(error) if error is not None else future.set_result(value)

    async def whole() -> None:
        stop, own = asyncio.Event(), asyncio.get_running_loop()
        stops.append(lambda: own.call_soon_threadsafe(stop.set))
        await IN_THREAD[setup.server](
            app, lambda port: loop.call_soon_threadsafe(tell, ready, port), stop
        )

    def thread() -> None:
        error: Exception | None = None
        try:
            asyncio.run(whole())
        except (Exception, SystemExit) as raised:
            error = ServerFailed(setup.server, raised)
        loop.call_soon_threadsafe(tell, ready, 0, error or ServerFailed(setup.server, None))
        loop.call_soon_threadsafe(tell, ended, None, error)

    server = start_aside(thread, setup.server, interpreter=True)
    try:
        yield SocketDoor(f"http://{HOST}:{await ready}")
    finally:
        for stop in stops:
            stop()
        await asyncio.wait([ended])
        server.join()
        if ended.exception() is not None and ready.done() and ready.exception() is None:
            raise ended.exception() or AssertionError
        ready.cancelled() or ready.exception()


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

    async with Server(app, host=HOST, port=0) as server:
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
