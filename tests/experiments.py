"""What is run by `asgi_lab.run` in virtual time: each app, its clients, and how long they take.

The seconds were worked out by hand, from the app and the number of its threads or workers. They are
exact: one nanosecond more is a failure. Frameworks are imported when their app is made, so that
whoever has not installed one can run the rest.
"""

import asyncio
import gc
import hashlib
import heapq
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from asgi_lab import after, cpu, every, expect, get, pause, poisson, post, run, user, virtual, ws
from asgi_lab.events import Trace

LATENCY = virtual(latency=0.01)


@dataclass(frozen=True, slots=True)
class Experiment:
    """An app, made anew for each run; its clients; virtual seconds; settings of `run`."""

    make: Callable[[], Any]
    clients: Any
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    async def run(self, **settings: Any) -> Trace:
        """Run it once."""
        return await run(self.make(), self.clients, **{**self.settings, **settings})


def print_of(trace: Trace) -> str:
    """Return a fingerprint of all that a trace says: its events, and what the clients got."""
    told = [replace(result, request=None) for result in trace.results]
    text = f"{trace.digest} {trace.seconds!r} {trace.exact} {told!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def recurrence(arrivals: Iterable[int], services: Iterable[int], servers: int) -> list[int]:
    """When each request is done in a queue with so many servers: the textbook's recurrence.

    All times are in ns; the arrivals are in order.
    """
    free = [0] * servers
    done = []
    for arrival, service in zip(arrivals, services, strict=True):
        end = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        done.append(end)
    return done


def standing() -> list[Any]:
    """Return what a run must leave as it was: all that it replaces, and the threads."""
    return [
        (time.sleep, time.monotonic, time.perf_counter, time.time),
        (threading.Lock, threading.RLock, threading.Thread.start, threading.Thread.join),
        (queue.SimpleQueue, ThreadPoolExecutor.submit, ThreadPoolExecutor.__init__),
        (asyncio.new_event_loop, asyncio.wait_for, asyncio.BaseEventLoop.run_forever),
        (subprocess.Popen.__init__, os.fork, socket.socket.connect),
        [name_of(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGALRM)],
        (signal.getitimer(signal.ITIMER_REAL), gc.isenabled(), sys.get_asyncgen_hooks()),
        (sys.stdout.write, sys.stdout.flush, logging.getLogger("concurrent.futures").filters[:]),
        sorted(thread.name for thread in threading.enumerate()),
    ]


def name_of(handler: Any) -> str:
    """Return the name of a signal's handler: a notebook's kernel makes a new one for each cell."""
    return str(getattr(handler, "__qualname__", handler))


def changed(before: list[Any]) -> list[tuple[Any, Any]]:
    """Return what is not as it was: then, and now."""
    return [pair for pair in zip(before, standing(), strict=True) if pair[0] != pair[1]]


# Raw ASGI.


async def answer(send: Any, body: bytes = b"hello") -> None:
    """Send a whole response."""
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def raw(handle: Callable[..., Any]) -> Callable[[], Any]:
    """Make an ASGI app of `handle(scope, receive, send)`, for HTTP and WebSocket."""

    def make() -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                raise NotImplementedError("it needs no lifespan")
            await handle(scope, receive, send)

        return app

    return make


@raw
async def sleepy(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.0)
    await answer(send)


@raw
async def blocking(scope: Any, receive: Any, send: Any) -> None:
    time.sleep(1.0)
    await answer(send)


@raw
async def in_threads(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.to_thread(time.sleep, 1.0)
    await answer(send)


@raw
async def mixed(scope: Any, receive: Any, send: Any) -> None:
    """Half a second each: in four naps, or holding the loop."""
    if scope["path"] == "/block":
        time.sleep(0.5)
    else:
        for _ in range(4):
            await asyncio.sleep(0.125)
    await answer(send)


@raw
async def upload(scope: Any, receive: Any, send: Any) -> None:
    sizes = []
    while (message := await receive()).get("more_body"):
        sizes.append(len(message["body"]))
    await answer(send, f"{sizes} {len(message['body'])}".encode())


@raw
async def stream(scope: Any, receive: Any, send: Any) -> None:
    """A kilobyte every quarter of a second, eight times, until the client has left."""
    gone = asyncio.create_task(receive_until_gone(receive))
    await send({"type": "http.response.start", "status": 200})
    for number in range(8):
        await asyncio.wait([gone], timeout=0.25)
        if gone.done():
            return
        part = {"type": "http.response.body", "body": b"%d" % number * 1000, "more_body": True}
        await send(part)
    await send({"type": "http.response.body"})
    gone.cancel()


async def receive_until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@raw
async def flood(scope: Any, receive: Any, send: Any) -> None:
    """A megabyte in 16 parts: as fast as the client reads."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(16):
        await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
    await send({"type": "http.response.body"})


@raw
async def chat(scope: Any, receive: Any, send: Any) -> None:
    """Answers each message half a second later."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await asyncio.sleep(0.5)
        await send({"type": "websocket.send", "text": (message["text"] or "").upper()})


def shared() -> Any:
    """One lock for all requests, an impatient wait, and a group that is cancelled."""
    lock = asyncio.Lock()

    @raw
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(9.0), 0.25)
        except TimeoutError:
            pass
        async with lock, asyncio.TaskGroup() as group:
            waits = [group.create_task(asyncio.sleep(9.0)) for _ in range(5)]
            await asyncio.sleep(0.25)
            for wait in waits:
                wait.cancel()
        await answer(send)

    return handle()


@raw
async def races(scope: Any, receive: Any, send: Any) -> None:
    """What ends together, in the order in which it began; and what never ends."""
    import anyio

    sleeps = [asyncio.sleep(0.25, number) for number in range(20)]
    first = [await one for one in asyncio.as_completed(sleeps)]
    names = {asyncio.create_task(asyncio.sleep(0.25)).get_name() for _ in range(3)}
    with anyio.move_on_after(0.5):
        await anyio.sleep_forever()
    await answer(send, f"{first} {sorted(names)}".encode())


@raw
async def rendezvous(scope: Any, receive: Any, send: Any) -> None:
    """Six threads, two at once, that hand over what they have."""
    import anyio
    import anyio.from_thread
    import anyio.to_thread

    sender, receiver = anyio.create_memory_object_stream[int](0)
    limiter = anyio.CapacityLimiter(2)

    def work(number: int) -> None:
        time.sleep(0.25)
        anyio.from_thread.run(sender.send, number)

    async def begin(number: int) -> None:
        await anyio.to_thread.run_sync(work, number, limiter=limiter)

    async with anyio.create_task_group() as group, sender, receiver:
        for number in range(6):
            group.start_soon(begin, number)
        parts = [await receiver.receive() for _ in range(6)]
    await answer(send, repr(parts).encode())


def served(start: Callable[[], Any]) -> Callable[[], Any]:
    """Make an app that `start`s something with its lifespan, and asks it in each request."""

    def make() -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await answer(send, str(await scope["state"]["ask"]()).encode())
                return
            await receive()
            async with start() as scope["state"]["ask"]:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})

        return app

    return make


@served
@asynccontextmanager
async def a_task() -> AsyncIterator[Any]:
    """One task does the work of all requests: half a second each."""
    work: asyncio.Queue[asyncio.Future[float]] = asyncio.Queue()

    async def serve() -> None:
        while True:
            order = await work.get()
            await asyncio.sleep(0.5)
            order.set_result(time.monotonic())

    async def ask() -> float:
        order = asyncio.get_running_loop().create_future()
        await work.put(order)
        return float(await order)

    task = asyncio.create_task(serve())
    yield ask
    task.cancel()


@served
@asynccontextmanager
async def a_thread() -> AsyncIterator[Any]:
    """One thread does the work of all requests: half a second each."""
    work: queue.Queue[asyncio.Future[float] | None] = queue.Queue()
    loop = asyncio.get_running_loop()

    def serve() -> None:
        while (order := work.get()) is not None:
            time.sleep(0.5)
            loop.call_soon_threadsafe(order.set_result, time.monotonic())

    async def ask() -> float:
        order = loop.create_future()
        work.put(order)
        return float(await order)

    thread = threading.Thread(target=serve)
    thread.start()
    yield ask
    work.put(None)
    await asyncio.to_thread(thread.join)


# ASGI frameworks.


def starlette() -> Any:
    """Every way to answer in a second, within a BaseHTTPMiddleware."""
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    async def sleeps(request: Any) -> Any:
        await asyncio.sleep(1.0)
        return PlainTextResponse("slept")

    def thread(request: Any) -> Any:
        time.sleep(1.0)
        return PlainTextResponse("slept")

    async def parts() -> AsyncIterator[str]:
        for number in range(4):
            await asyncio.sleep(0.25)
            yield f"{number}\n"

    def thread_parts() -> Iterator[str]:
        for number in range(4):
            time.sleep(0.25)
            yield f"{number}\n"

    async def streams(request: Any) -> Any:
        return StreamingResponse(parts())

    async def thread_streams(request: Any) -> Any:
        return StreamingResponse(thread_parts())

    async def background(request: Any) -> Any:
        return PlainTextResponse("soon", background=BackgroundTask(time.sleep, 1.0))

    class Took(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            began = time.perf_counter()
            response = await call_next(request)
            response.headers["x-took"] = f"{time.perf_counter() - began:.9f}"
            return response

    views = (sleeps, thread, streams, thread_streams, background)
    return Starlette(
        routes=[Route(f"/{view.__name__}", view) for view in views], middleware=[Middleware(Took)]
    )


def fastapi() -> Any:
    from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.get("/sleeps")
    async def sleeps() -> str:
        await asyncio.sleep(1.0)
        return "slept"

    @app.get("/thread")
    def thread() -> str:
        time.sleep(1.0)
        return "slept"

    @app.get("/block")
    async def block() -> str:
        time.sleep(1.0)
        return "blocked"

    def session() -> Iterator[str]:
        time.sleep(0.25)
        yield "session"
        time.sleep(0.25)

    @app.get("/session")
    def uses(session: Annotated[str, Depends(session)]) -> Any:
        time.sleep(0.5)
        return session

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(time.sleep, 1.0)
        tasks.add_task(asyncio.sleep, 1.0)
        return "soon"

    @app.get("/streams")
    async def streams() -> StreamingResponse:
        def parts() -> Iterator[str]:
            for number in range(4):
                time.sleep(0.25)
                yield f"{number}\n"

        return StreamingResponse(parts())

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await asyncio.sleep(0.5)
            await socket.send_text(text.upper())

    return app


async def django_sleeps(request: Any) -> Any:
    from django.http import HttpResponse

    await asyncio.sleep(1.0)
    return HttpResponse("slept")


def django_thread(request: Any) -> Any:
    from django.http import HttpResponse

    time.sleep(1.0)
    return HttpResponse("slept")


def django_asgi(wsgi: bool = False) -> Any:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import path

    from tests.apps.django_app import setup

    setup()
    handler = WSGIHandler() if wsgi else ASGIHandler()
    routes = [path("sleeps", django_sleeps), path("thread", django_thread)]

    class Request(handler.request_class):  # type: ignore[misc, valid-type]
        urlconf = tuple(routes)  # Django's settings are for the whole process, and of another test

    handler.request_class = Request
    return handler


def django_wsgi() -> Any:
    return django_asgi(wsgi=True)


def quart() -> Any:
    from quart import Quart, websocket

    app = Quart("app")

    @app.websocket("/chat")
    async def chat() -> None:
        while True:
            text = await websocket.receive()
            await asyncio.sleep(0.5)
            await websocket.send(text.upper())

    @app.get("/sleeps")
    async def sleeps() -> str:
        await asyncio.sleep(1.0)
        return "slept"

    @app.get("/thread")
    def thread() -> str:
        time.sleep(1.0)
        return "slept"

    return app


def litestar() -> Any:
    from litestar import Litestar
    from litestar import get as route
    from litestar.response import Stream

    @route("/sleeps")
    async def sleeps() -> str:
        await asyncio.sleep(1.0)
        return "slept"

    @route("/thread", sync_to_thread=True)
    def thread() -> str:
        time.sleep(1.0)
        return "slept"

    @route("/streams")
    async def streams() -> Stream:
        async def parts() -> AsyncIterator[str]:
            for number in range(4):
                await asyncio.sleep(0.25)
                yield f"{number}\n"

        return Stream(parts())

    return Litestar([sleeps, thread, streams], openapi_config=None, logging_config=None)


def falcon() -> Any:
    import falcon.asgi

    class Sleeps:
        async def on_get(self, req: Any, resp: Any) -> None:
            await asyncio.sleep(1.0)
            resp.text = "slept"

        async def on_websocket(self, req: Any, socket: Any) -> None:
            await socket.accept()
            while True:
                try:
                    text = await socket.receive_text()
                except falcon.WebSocketDisconnected:
                    return
                await asyncio.sleep(0.5)
                await socket.send_text(text.upper())

    app = falcon.asgi.App()
    app.add_route("/sleeps", Sleeps())
    return app


# WSGI.


def wsgi(handle: Callable[[Any], Iterable[bytes]]) -> Callable[[], Any]:
    """Make a WSGI app of a function of the environ."""

    def make() -> Any:
        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("content-type", "text/plain")])
            return handle(environ)

        return app

    return make


@wsgi
def sleepy_wsgi(environ: Any) -> Iterable[bytes]:
    """Sleeps for as long as the query says: a second, if it says nothing."""
    time.sleep(float(environ["QUERY_STRING"] or 1.0))
    return [b"slept"]


@wsgi
def computing_wsgi(environ: Any) -> Iterable[bytes]:
    cpu(1.0)
    return [b"computed"]


@wsgi
def streaming_wsgi(environ: Any) -> Iterable[bytes]:
    def parts() -> Iterator[bytes]:
        for number in range(4):
            time.sleep(0.25)
            yield b"%d\n" % number

    return parts()


LOCK = threading.Lock()


@wsgi
def locking_wsgi(environ: Any) -> Iterable[bytes]:
    with LOCK:
        time.sleep(1.0)
    return [b"had the lock"]


def flask() -> Any:
    from flask import Flask

    app = Flask("app")

    @app.get("/")
    def sleeps() -> str:
        time.sleep(1.0)
        return "slept"

    return app


def bottle() -> Any:
    import bottle

    app = bottle.Bottle()

    @app.get("/")
    def parts() -> Iterator[str]:
        for number in range(4):
            time.sleep(0.25)
            yield f"{number}\n"

    return app


def a2wsgi() -> Any:
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(sleepy_wsgi(), workers=10)


def at_random() -> tuple[Any, float]:
    """Return thirty clients that arrive at random, and when two servers are done with them."""
    services = [250_000_000 * (n % 5) for n in range(30)]
    clients = poisson(4.0, [get(f"/?{service / 1e9}") for service in services], seed=7)
    arrivals = [round(client.at * 1e9) for client in clients]
    return clients, max(recurrence(arrivals, services, 2)) / 1e9


RANDOM, RANDOM_SECONDS = at_random()
WAYS = ("/sleeps", "/thread", "/streams", "/thread_streams", "/background")
TALK = ("hi", expect("HI"), pause(1.0), "ho", expect("HO"))

EXPERIMENTS: dict[str, Experiment] = {}

DIFFER: dict[str, str] = {}
"""Those whose trace is not the same each time, and why."""


def takes(
    seconds: float, name: str, make: Callable[[], Any], *clients: Any, **settings: Any
) -> None:
    """Register an experiment that takes so many virtual seconds."""
    EXPERIMENTS[name] = Experiment(make, clients, seconds, settings)


takes(1.0, "raw", sleepy, 10 * [get("/")])
takes(1.0, "raw, ten thousand", sleepy, 10_000 * [get("/")])
takes(10.0, "raw, blocking", blocking, 10 * [get("/")])
takes(2.0, "raw, threads", in_threads, 16 * [get("/")])  # asyncio's pool has 8 here
takes(4.0, "raw, four threads", in_threads, 16 * [get("/")], threads=4)
takes(3.0, "raw, two at once", sleepy, 6 * [get("/")], concurrency=2)
takes(3.25, "raw, every quarter second", sleepy, every(0.25, 10 * [get("/")]))
takes(3.0, "raw, users", sleepy, 5 * [user(get("/"), pause(1.0), get("/"))])
takes(0.5, "raw, impatient", sleepy, 3 * [get("/")], timeout=0.5)
# /block has the loop from 0.2 to 0.7; the nap due at 0.225 ends at 0.7, and three follow.
takes(1.075, "raw, mixed", mixed, get("/"), get("/", at=0.1), get("/block", at=0.2))
takes(1.5, "raw, chunks", upload, post("/", ["ab", pause(0.5), "cde", pause(1.0), "f"]))
takes(2.0, "raw, stream", stream, get("/"))
takes(0.6, "raw, hang up", stream, 3 * [get("/", hang_up=after(seconds=0.6))])
takes(0.75, "raw, hang up after bytes", stream, get("/", hang_up=after(bytes=2500)))
takes(4.0, "raw, slow reader", flood, get("/", read_rate=262_144), get("/"))
takes(2.0, "raw, websocket", chat, 3 * [ws("/", *TALK)])
takes(1.5, "raw, shared", shared, 5 * [get("/")])
takes(0.75, "raw, races", races, 3 * [get("/")])
takes(0.75, "raw, rendezvous", rendezvous, 3 * [get("/")])
takes(3.0, "raw, a task", a_task, 6 * [get("/")])
takes(3.0, "raw, a thread", a_thread, 6 * [get("/")])

takes(1.0, "starlette, each way", starlette, 4 * [get(path) for path in WAYS])
takes(2.0, "starlette, threads", starlette, 41 * [get("/thread")])  # anyio's pool has 40
takes(0.6, "starlette, hang up", starlette, [get(p, hang_up=after(seconds=0.6)) for p in WAYS[2:4]])
takes(3.0, "fastapi, hundred threads", fastapi, 100 * [get("/thread")])
takes(5.0, "fastapi, four threads", fastapi, 20 * [get("/thread")], threads=4)
takes(1.0, "fastapi, hundred", fastapi, 100 * [get("/sleeps")])
takes(10.0, "fastapi, blocking", fastapi, 10 * [get("/block")])
takes(0.75, "fastapi, dependencies", fastapi, 10 * [get("/session")])
takes(0.0, "fastapi, background", fastapi, 3 * [get("/background")])
takes(1.0, "fastapi, stream", fastapi, 3 * [get("/streams")])
takes(2.0, "fastapi, websocket", fastapi, 3 * [ws("/chat", *TALK)])
takes(1.0, "django", django_asgi, 5 * [get("/sleeps"), get("/thread")])
takes(1.0, "quart", quart, 5 * [get("/sleeps")])
takes(2.0, "quart, websocket", quart, 3 * [ws("/chat", *TALK)])
takes(2.0, "quart, threads", quart, 16 * [get("/thread")])
takes(1.0, "litestar", litestar, 5 * [get("/sleeps"), get("/thread"), get("/streams")])
takes(2.0, "falcon", falcon, get("/sleeps"), ws("/sleeps", *TALK))
takes(2.0, "a2wsgi", a2wsgi, 20 * [get("/")])

takes(5.0, "wsgi, four workers", sleepy_wsgi, 20 * [get("/")], workers=4)
takes(5.0, "wsgi, four threads", sleepy_wsgi, 20 * [get("/")], threads=4)
takes(RANDOM_SECONDS, "wsgi, poisson", sleepy_wsgi, RANDOM, workers=2)
takes(1.0, "wsgi, computing processes", computing_wsgi, 2 * [get("/")], workers=2)
takes(2.0, "wsgi, computing threads", computing_wsgi, 2 * [get("/")], threads=2)
takes(2.0, "wsgi, both", computing_wsgi, 4 * [get("/")], workers=2, threads=2)
takes(4.0, "wsgi, lock", locking_wsgi, 4 * [get("/")], threads=4)
takes(2.0, "wsgi, stream", streaming_wsgi, 4 * [get("/")], workers=2)
takes(5.0, "flask", flask, 20 * [get("/")], workers=4)
takes(2.0, "bottle", bottle, 4 * [get("/")], threads=2)
takes(5.0, "django, wsgi", django_wsgi, 20 * [get("/thread")], workers=4)

# Bytes travel 0.01 s: to connect, to ask, to answer; a WebSocket's handshake, talk and close more.
takes(1.03, "uvicorn", sleepy, 5 * [get("/")], server="uvicorn", clock=LATENCY)
BOTH = 5 * [get("/sleeps"), get("/thread")]
takes(1.03, "uvicorn, fastapi", fastapi, BOTH, server="uvicorn", clock=LATENCY)
takes(2.09, "uvicorn, websocket", chat, 2 * [ws("/", *TALK)], server="uvicorn", clock=LATENCY)
GONE = 3 * [get("/", hang_up=after(seconds=0.6))]
takes(0.6, "uvicorn, hang up", stream, GONE, server="uvicorn", clock=LATENCY)
takes(1.03, "lab", sleepy, 5 * [get("/")], server="lab", clock=LATENCY)
takes(1.03, "lab, fastapi", fastapi, BOTH, server="lab", clock=LATENCY)
USERS = 5 * [user(get("/"), pause(1.0), get("/"))]  # the second time on the same connection
takes(3.05, "lab, users", sleepy, USERS, server="lab", clock=LATENCY)
takes(2.09, "lab, websocket", chat, 2 * [ws("/", *TALK)], server="lab", clock=LATENCY)
