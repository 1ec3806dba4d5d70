"""A server beside the notebook, which a browser can visit: `serve_here(app)`.

    served = serve_here(app)      # shows a link; click it
    served.trace.timeline()       # what has come so far
    served.stop()

It runs in a thread and an event loop of its own: a cell that computes does not hold it up, and a
request that blocks does not hold up the notebook. On Binder and JupyterHub the learner's browser is
on another machine: there the link leads through jupyter-server-proxy, which cuts off what it has
put before the path (so an app that links to `/elsewhere` leads out of it).
"""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from html import escape
from typing import Any, Self

from asgi_lab.api import trace
from asgi_lab.events import Trace
from asgi_lab.interface import interface_of
from asgi_lab.recorder import Recorder

HUB = "JUPYTERHUB_SERVICE_PREFIX"
"""The environment variable that tells a kernel under JupyterHub where its server is: /user/ada/."""

PROXY = "ASGI_LAB_PROXY"
"""The same for other places: a link with {port} in it, such as /proxy/{port}/."""

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds that a server has to end, before it is left to itself."""

Listening = Callable[[int], object]
Main = Callable[[Any, int, Listening, asyncio.Event], Awaitable[None]]
"""Serves an app on a port until the event is set; tells its port once it listens."""


class Served:
    """An app that is being served. A notebook shows it as a link; `with` stops it at the end."""

    def __init__(self, app: Any, port: int, stop: Callable[[], object]) -> None:
        self.app = app
        self.port = port
        self._stop: Callable[[], object] | None = stop

    @property
    def url(self) -> str:
        """Where this machine finds it: http://127.0.0.1:PORT."""
        return f"http://{HOST}:{self.port}"

    @property
    def link(self) -> str:
        """Where the learner's browser finds it."""
        proxy = os.environ.get(PROXY) or (
            f"{hub.rstrip('/')}/proxy/{{port}}/" if (hub := os.environ.get(HUB)) else ""
        )
        return proxy.format(port=self.port) if proxy else f"{self.url}/"

    @property
    def trace(self) -> Trace:
        """What has passed so far."""
        so_far: Trace = self.app.trace
        return so_far

    def stop(self) -> None:
        """Serve no longer. A second call does nothing."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __str__(self) -> str:
        from asgi_lab.view.display import STATIC

        if self._stop is None:
            return "stopped"
        where = f"http://{HOST}:PORT/" if STATIC in os.environ else self.link
        return f"serving at {where}"

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> Any:
        from asgi_lab.view.display import STATIC, TEXT

        data = {TEXT: str(self)}
        if self._stop is not None and STATIC not in os.environ:
            link = escape(self.link, quote=True)
            data["text/html"] = f'serving at <a href="{link}" target="_blank">{link}</a>'
        return data, {}


def serve_here(app: Any, server: str = "lab", port: int = 0) -> Served:
    """Serve an ASGI or WSGI app, traced, from a thread, until `.stop()`.

    `server` is "lab", our own, or "uvicorn"; a WSGI app has our WSGI server. Port 0 is any that is
    free. Raises TypeError for what is no app, ValueError for another server, OSError for a busy
    port, and an error if the app does not start.
    """
    traced = app if isinstance(getattr(app, "recorder", None), Recorder) else trace(app)
    if server not in SERVERS:
        raise ValueError(f"server is one of {', '.join(SERVERS)}, got {server!r}")
    if interface_of(app) == "wsgi":
        return _serve_wsgi(traced, port)
    return _serve_asgi(traced, SERVERS[server], port)


def _serve_wsgi(app: Any, port: int) -> Served:
    from asgi_lab.wsgi_server import running

    stack = ExitStack()
    url = stack.enter_context(running(app, threads=4, port=port))
    return Served(app, int(url.rpartition(":")[2]), stack.close)


def _serve_asgi(app: Any, main: Main, port: int) -> Served:
    ready: Future[tuple[int, Callable[[], object]]] = Future()

    async def serve() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()

        def listening(number: int) -> None:
            ready.set_result((number, lambda: loop.call_soon_threadsafe(end.set)))

        await main(app, port, listening, end)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="serve_here", daemon=True)
    thread.start()
    number, end = ready.result()

    def stop() -> None:
        end()
        thread.join(PATIENCE)

    return Served(app, number, stop)


async def _lab(app: Any, port: int, listening: Listening, end: asyncio.Event) -> None:
    from asgi_lab.server import Server

    observe = getattr(app, "asgi_lab_observe", None)
    async with Server(app, host=HOST, port=port, observe=observe, shutdown_seconds=1) as server:
        listening(server.port)
        await end.wait()


async def _uvicorn(app: Any, port: int, listening: Listening, end: asyncio.Event) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                listening(port)

    with socket.create_server((HOST, port)) as listener:
        port = listener.getsockname()[1]
        quiet: Any = {"log_config": None, "log_level": "error", "access_log": False}
        server = Server(uvicorn.Config(app, timeout_graceful_shutdown=1, **quiet))

        async def ending() -> None:
            await end.wait()
            server.should_exit = True

        waiting = asyncio.create_task(ending())
        with suppress(SystemExit):  # which is how it says that it could not start
            await server.serve(sockets=[listener])
        waiting.cancel()
    if not server.started:
        raise RuntimeError("Uvicorn did not start: the app's lifespan failed")


SERVERS: dict[str, Main] = {"lab": _lab, "uvicorn": _uvicorn}
