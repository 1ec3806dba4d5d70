"""The servers that `run` knows, each as a door for clients: in memory, in a thread, in a process.

An app given as an object is served in this process: in memory, or by a server in a thread of its
own with its own event loop (in virtual time: with its own interpreter, as another process has).
An app given by its name is served by a process of its own, as `asgi-lab trace` does.
"""

import asyncio
import queue
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asgi_lab.clock import Virtual, real, virtual
from asgi_lab.clock.recording import recorder_here
from asgi_lab.clock.threads import start_aside
from asgi_lab.interface import Interface, interface_of

if TYPE_CHECKING:
    from asgi_lab.experiment import Done, Setup, World

Ready = Callable[[int], object]
Main = Callable[[Any, Ready, asyncio.Event], Awaitable[None]]

HOST = "127.0.0.1"


def load(app: Any) -> tuple[Any, Interface, str | None]:
    """Return the app, its interface, and its name if it was given by name.

    Raises TypeError if it is no app, ValueError if there is none of that name.
    """
    from asgi_lab.standin import original

    target = None
    if isinstance(app, str):
        from asgi_lab.adapters.target import TargetError, load_target

        target = app
        try:
            app, _ = load_target(target)
        except TargetError as error:
            raise ValueError(str(error)) from None
    app = original(app)
    interface = interface_of(app)
    if interface is None:
        raise TypeError(f"expected an ASGI or WSGI app, got {type(app).__name__}: {app!r:.80}")
    return app, interface, target


def choose_clock(server: str, interface: Interface) -> "World":
    """Return the world in which a run happens unless told: virtual time for what is in memory."""
    return virtual() if server == "memory" else real()


def check(setup: "Setup") -> None:
    """Raise ValueError for what cannot be run so, saying what can."""
    from asgi_lab.adapters.servers import SERVERS

    server, wsgi = setup.server, setup.interface == "wsgi"
    names = list(dict.fromkeys(("memory", *IN_THREAD, "lab", *SERVERS)))
    if server not in names:
        raise ValueError(f"unknown server {server!r}: the servers are {', '.join(names)}")
    here = ("memory", "lab") if wsgi else ("memory", *IN_THREAD)
    if server not in here and setup.target is None:
        raise ValueError(
            f"{server} runs in a process of its own, which imports the app: give the app by name, "
            f'as in run("main:app", server={server!r}); an object runs on {" or ".join(here)}'
        )
    if isinstance(setup.clock, Virtual):
        able = ("memory",) if wsgi else ("memory", *SIMULATED)
        if server not in able:
            raise ValueError(
                f"{server} has real sockets, and needs the real clock: clock=real(). "
                f"In virtual time: {' or '.join(able)}"
            )
    if not wsgi and server == "memory" and setup.workers > 1:
        raise ValueError(
            "in memory an ASGI app has one event loop, which serves all clients; workers are for a "
            'WSGI app, or for a real server: run("main:app", server="uvicorn", workers=2)'
        )
    if setup.workers > 1 and server != "memory" and setup.target is None:
        raise ValueError("several workers need the app by name: each process imports it")
    if setup.threads is not None and server != "memory" and not (wsgi and server == "lab"):
        raise ValueError(
            f"threads= is for the server `memory`, and of WSGI `lab`; not for {server}"
        )


@asynccontextmanager
async def open_door(setup: "Setup", done: "Done") -> AsyncIterator[Any]:
    """Serve the traced app in the world that this runs in, and give the door to it."""
    in_process = setup.server != "memory" and setup.target is not None
    if in_process and not isinstance(setup.clock, Virtual):
        opened = in_a_process(setup, done)
    else:
        done.recorder = recorder_here(setup.max_events, setup.redact, done.stop)
        in_memory = wsgi_in_memory if setup.interface == "wsgi" else asgi_in_memory
        serve = in_memory if setup.server == "memory" else in_a_thread
        opened = serve(setup, setup.traced(done.recorder))
    try:
        async with opened as door:
            yield door
    finally:
        done.exact = is_exact()


def is_exact() -> bool:
    """Whether time is exact in the world that this runs in."""
    from asgi_lab.clock.world import this_actor

    actor = this_actor()
    return actor is not None and actor.world.exact


@asynccontextmanager
async def asgi_in_memory(setup: "Setup", app: Any) -> AsyncIterator[Any]:
    """Call an ASGI app as Uvicorn would, in this event loop."""
    from asgi_lab.memory import serve

    if setup.threads is not None:
        size_pools(setup.threads)
    async with serve(app, grace=None) as door:
        yield door


def size_pools(threads: int) -> None:
    """Give asyncio's and anyio's pools so many threads, in this event loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    if "anyio" in sys.modules:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = threads


@asynccontextmanager
async def wsgi_in_memory(setup: "Setup", app: Any) -> AsyncIterator[Any]:
    """Call a WSGI app from workers: processes (in real time, threads) of so many threads each."""
    from asgi_lab.memory.wsgi import WSGIDoor
    from asgi_lab.wsgi_server import sync, threaded

    workers, threads = setup.workers, setup.threads or 1
    waiting: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        if threads == 1:
            sync.serve(waiting.get, app)
        else:
            threaded.serve(waiting.get, app, threads)

    settings = {"wsgi.multithread": threads > 1, "wsgi.multiprocess": workers > 1}
    started = [start_aside(work, f"worker-{n}", workers > 1) for n in range(1, workers + 1)]
    try:
        yield WSGIDoor(waiting.put, settings=settings)
    finally:
        for _ in range(workers * threads):
            waiting.put(None)
        for worker in started:
            worker.join()


@asynccontextmanager
async def in_a_thread(setup: "Setup", app: Any) -> AsyncIterator[Any]:
    """Serve an app from a thread of this process, over sockets, or in virtual time in memory."""
    from asgi_lab.client import SocketDoor

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


@asynccontextmanager
async def in_a_process(setup: "Setup", done: "Done") -> AsyncIterator[Any]:
    """Serve an app by its name from a process of its own."""
    from asgi_lab.adapters.order import Order
    from asgi_lab.adapters.servers import Options
    from asgi_lab.adapters.session import Session
    from asgi_lab.client import SocketDoor
    from asgi_lab.commands.watch import Silent

    assert setup.target is not None
    order = Order(
        setup.target,
        server=setup.server,
        options=Options(port=0, workers=setup.workers),
        layers=setup.layers,
        redact=setup.redact,
        max_events=setup.max_events,
    )
    session = Session(order, Silent())
    try:
        with session:
            yield SocketDoor(session.url)
    finally:
        done.recorded = session.trace
